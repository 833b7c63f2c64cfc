"""Progress of long work: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

PLAIN_INTERVAL_SECONDS = 30.0


def duration(seconds: float) -> str:
    """A readable duration, for instance ``48 s``, ``3 min 20 s``, ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Progress:
    """Counts ``total`` equal pieces of work; ``done`` of them were finished earlier (a resumed run).

    Use as a context manager. ``advance`` is cheap enough to be called at every training step.
    """

    def __init__(self, title: str, total: int, done: int = 0) -> None:
        self.title, self.total, self.count, self.first = title, total, done, done
        self.start = self.spoken = time.monotonic()
        self.terminal = sys.stdout.isatty()

    def __enter__(self) -> Progress:
        if self.terminal:
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                TextColumn,
                TimeElapsedColumn,
                TimeRemainingColumn,
            )
            from rich.progress import Progress as Bar

            self.bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
            )
            self.bar.start()
            self.task = self.bar.add_task(self.title, total=self.total, completed=self.count)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.terminal:
            self.bar.stop()

    def advance(self) -> None:
        """One more piece is done."""
        self.count += 1
        if self.terminal:
            self.bar.update(self.task, completed=self.count)
        elif time.monotonic() - self.spoken > PLAIN_INTERVAL_SECONDS:
            self.say(f"step {self.count}/{self.total}")

    def say(self, text: str) -> None:
        """A line of its own, with the time left as soon as something is done."""
        self.spoken = time.monotonic()
        line = f"{self.title}: {text}"
        if done := self.count - self.first:
            line += f", {duration((self.spoken - self.start) / done * (self.total - self.count))} left"
        self.line(line)

    def line(self, text: str) -> None:
        """A line as it is, above the bar."""
        if self.terminal:
            self.bar.console.print(text, highlight=False, markup=False, soft_wrap=True)
        else:
            print(text, flush=True)
