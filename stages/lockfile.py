"""Writing dvc.lock from a run in which stages end in any order."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dvc.stage import PipelineStage

SHARE = 0.05  # of the time may go into writing dvc.lock, which DVC parses and writes as a whole


class LockFile:
    """Records stages of ``plan``, several at once, and in the end in its order, as `dvc repro` would have."""

    def __init__(self, plan: Sequence[PipelineStage]) -> None:
        self.plan = plan
        self.files = {stage.path: stage.dvcfile for stage in plan if stage.cmd}
        self.known = {path: set(file.lockfile_contents.get("stages", {})) for path, file in self.files.items()}
        self.pending: list[PipelineStage] = []
        self.added: set[PipelineStage] = set()
        self.seconds, self.written = 0.0, time.monotonic()

    def add(self, stage: PipelineStage) -> None:
        """Have ``stage`` written."""
        self.pending.append(stage)
        self.added.add(stage)

    def due(self) -> float | None:
        """In how many seconds to write what is pending; None if nothing is."""
        wait = self.written + self.seconds / SHARE - time.monotonic()
        return max(0.0, wait) if self.pending else None

    def write(self) -> None:
        """Write what is pending."""
        begin = time.monotonic()
        for path, file in self.files.items():
            file.dump_stages([stage for stage in self.pending if stage.path == path], update_pipeline=False)
        self.pending.clear()
        self.written = time.monotonic()
        self.seconds = self.written - begin

    def sort(self) -> None:
        """Put the entries that are new into the order of the plan; those that were there keep their places."""
        from dvc.utils.serialize import modify_yaml

        for path, known in self.known.items():
            added = [stage.name for stage in self.plan if stage in self.added and stage.path == path]
            if new := [name for name in added if name not in known]:
                with modify_yaml(Path(path).with_suffix(".lock")) as data:
                    for name in new:
                        data["stages"][name] = data["stages"].pop(name)
