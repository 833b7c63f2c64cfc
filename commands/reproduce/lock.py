"""Writing dvc.lock from a run in which stages end in any order."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from commands.dvc_inside.lock_file import move_to_end, record, recorded
from commands.dvc_inside.stage import Stage

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SHARE = 0.05  # of the time may go into writing dvc.lock, which DVC parses and writes as a whole


class LockFile:
    """Records stages of ``plan``, several at once, and in the end in its order, as `dvc repro` would have."""

    def __init__(self, plan: Sequence[Stage], jobs: int) -> None:
        self.plan, self.jobs = plan, jobs
        self.known = recorded(plan)
        self.pending: list[Stage] = []
        self.added: set[Stage] = set()
        self.seconds, self.written = 0.0, time.monotonic()
        self.longest = 0.0

    def add(self, stage: Stage, seconds: float) -> None:
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
            record(self.pending)
            self.pending.clear()
        self.longest, self.written = 0.0, time.monotonic()
        self.seconds = self.written - begin

    def sort(self) -> None:
        """Put the entries that are new into the order of the plan; those that were there keep their places."""
        for lock, known in self.known.items():
            added = [stage.name for stage in self.plan if stage in self.added and stage.lock == lock]
            if new := [name for name in added if name not in known]:
                with undisturbed():
                    move_to_end(lock, new)


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
