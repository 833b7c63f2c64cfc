"""Writing dvc.lock from a run in which stages end in any order."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dvc.stage import PipelineStage

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SHARE = 0.05  # of the time may go into writing dvc.lock, which DVC parses and writes as a whole


class LockFile:
    """Records stages of ``plan``, several at once, and in the end in its order, as `dvc repro` would have."""

    def __init__(self, plan: Sequence[PipelineStage], jobs: int) -> None:
        self.plan, self.jobs = plan, jobs
        self.files = {stage.path: stage.dvcfile for stage in plan if stage.cmd}
        self.known = {path: set(file.lockfile_contents.get("stages", {})) for path, file in self.files.items()}
        self.pending: list[PipelineStage] = []
        self.added: set[PipelineStage] = set()
        self.seconds, self.written = 0.0, time.monotonic()
        self.longest = 0.0

    def add(self, stage: PipelineStage, seconds: float) -> None:
        """Have ``stage`` written, whose command took so long."""
        self.pending.append(stage)
        self.added.add(stage)
        self.longest = max(self.longest, seconds)

    def patience(self) -> float | None:
        """How many seconds may pass before writing what is pending, none if it took long to make; None: any number."""
        if not self.pending or self.longest > self.jobs * self.seconds / SHARE:
            return 0.0 if self.pending else None
        return max(0.0, self.written + self.seconds / SHARE - time.monotonic())

    def write(self) -> None:
        """Write what is pending."""
        begin = time.monotonic()
        with undisturbed():
            for path, file in self.files.items():
                file.dump_stages([stage for stage in self.pending if stage.path == path], update_pipeline=False)
            self.pending.clear()
        self.longest, self.written = 0.0, time.monotonic()
        self.seconds = self.written - begin

    def sort(self) -> None:
        """Put the entries that are new into the order of the plan; those that were there keep their places."""
        from dvc.utils.serialize import modify_yaml

        for path, known in self.known.items():
            added = [stage.name for stage in self.plan if stage in self.added and stage.path == path]
            if new := [name for name in added if name not in known]:
                with undisturbed(), modify_yaml(Path(path).with_suffix(".lock")) as data:
                    for name in new:
                        data["stages"][name] = data["stages"].pop(name)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Have a Ctrl-C wait for the end of the block: what is being written would else be left half-written."""
    received: list[int] = []
    before = {number: signal.signal(number, lambda *told: received.append(told[0])) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in received[:1]:
            signal.raise_signal(late)
