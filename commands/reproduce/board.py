"""What runs side by side, for people to watch: a table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from statistics import fmean
from types import TracebackType
from typing import TYPE_CHECKING

from stages.core.progress import duration

if TYPE_CHECKING:
    from rich.console import Group

TAIL_LINES = 20
KNOWN = 1 / 4  # of the stages have to be over before it is said how long the others take


class Board:
    """Follows the stages called ``names``, of which ``jobs`` run side by side. Use as a context manager."""

    what = "stages"

    def __init__(self, names: Sequence[str], jobs: int) -> None:
        self.total, self.ended, self.jobs = len(names), 0, jobs
        self.to_come = set(names)
        self.took: dict[str, list[float]] = defaultdict(list)
        self.began: dict[str, float] = {}
        self.tails: dict[str, deque[str]] = {}
        self.start = time.monotonic()
        self.terminal = sys.stdout.isatty()

    def __enter__(self) -> Board:
        if self.terminal:
            from rich.live import Live

            self.live = Live(get_renderable=self.table, transient=True)
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.terminal:
            self.live.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        if self.terminal:
            self.live.console.print(text, highlight=False, markup=False, soft_wrap=True)
        else:
            print(text, flush=True)

    def begin(self, name: str) -> None:
        """The command of stage ``name`` has started."""
        self.tails[name] = deque(maxlen=TAIL_LINES)
        self.began[name] = time.monotonic()
        if not self.terminal:
            self.say(f"{name}: started")

    def line(self, name: str, text: str) -> None:
        """Stage ``name`` printed ``text``."""
        self.tails[name].append(text)
        if not self.terminal:
            self.say(f"{name}: {text}")

    def end(self, name: str, outcome: str) -> None:
        """Stage ``name`` is done, from the cache, or unchanged; ``outcome`` says which."""
        self.took[_kind(name)].append(self.seconds(name) if name in self.began else 0.0)
        self._end(name)
        self.say(f"{name}: {outcome} ({self.counted()})")

    def fail(self, name: str, reason: str) -> None:
        """Stage ``name`` failed; on a terminal, where its output was not kept, the end of it."""
        tail = self._end(name)
        if self.terminal:
            for text in tail:
                self.say(f"{name}: {text}")
        self.say(f"{name}: FAILED, {reason} ({self.counted()})")

    def counted(self, after: str = "") -> str:
        """How many stages are over, ``after`` that, and about how long the others take."""
        left = self.left()
        return f"{self.ended}/{self.total}{after}" + (f", {roughly(left)} left" if left else "")

    def left(self) -> float | None:
        """Seconds until all are over, if each takes what its kind took so far; None as long as too few are known.

        What is unchanged or comes from the cache takes no time, and is thereby expected of others of its kind.
        """
        if self.ended < KNOWN * self.total or not self.took:
            return None
        usual = {kind: fmean(seconds) for kind, seconds in self.took.items()}
        any_kind = fmean(seconds for known in self.took.values() for seconds in known)
        now, began = time.monotonic(), dict(self.began)
        work = (usual.get(_kind(name), any_kind) - (now - began.get(name, now)) for name in list(self.to_come))
        return sum(max(0.0, seconds) for seconds in work) / self.jobs

    def seconds(self, name: str) -> float:
        """For how long a stage has been running."""
        return time.monotonic() - self.began[name]

    def last(self, name: str) -> str:
        """The last line that a running stage printed, empty if there is none."""
        return next((text for text in reversed(self.tails.get(name, ())) if text), "")

    def _end(self, name: str) -> deque[str]:
        self.ended += 1
        self.to_come.discard(name)
        self.began.pop(name, None)
        return self.tails.pop(name, deque())

    def table(self) -> Group:
        """A row per running stage: its name, how long it has run, the last line it printed; the count below."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        rows = Table.grid(padding=(0, 2), expand=True)
        for ratio, style in ((None, "bold"), (None, ""), (1, "dim")):
            rows.add_column(no_wrap=True, overflow="ellipsis", ratio=ratio, style=style)
        now = time.monotonic()
        for name, began in list(self.began.items()):  # rich draws in a thread of its own
            rows.add_row(Text(name), duration(now - began), Text(self.last(name).removeprefix(f"{name}: ")))
        count = Table.grid(padding=(0, 2))
        said = self.counted(f" {self.what}, {duration(now - self.start)}")
        count.add_row(ProgressBar(self.total, self.ended, width=40), said)
        return Group(rows, count)


def _kind(name: str) -> str:
    """What stages have in common that do the same to something else: train@digits-recurnet1-4 is a `train`."""
    return name.rpartition(":")[2].partition("@")[0]


def roughly(seconds: float) -> str:
    """As exact as such a guess is: tens of seconds, then whole minutes."""
    if seconds >= 3600:
        return f"about {duration(seconds)}"
    return f"about {round(seconds / 60)} min" if seconds >= 105 else f"about {max(1, round(seconds / 10))}0 s"
