"""What runs side by side, for people to watch: a table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING

from stages.core.progress import duration

if TYPE_CHECKING:
    from rich.console import Group

TAIL_LINES = 20


class Board:
    """Follows ``total`` stages. Use as a context manager."""

    def __init__(self, total: int) -> None:
        self.total, self.ended = total, 0
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
        self._end(name)
        self.say(f"{name}: {outcome} ({self.ended}/{self.total})")

    def fail(self, name: str, reason: str) -> None:
        """Stage ``name`` failed; on a terminal, where its output was not kept, the end of it."""
        tail = self._end(name)
        if self.terminal:
            for text in tail:
                self.say(f"{name}: {text}")
        self.say(f"{name}: FAILED, {reason} ({self.ended}/{self.total})")

    def seconds(self, name: str) -> float:
        """For how long a stage has been running."""
        return time.monotonic() - self.began[name]

    def last(self, name: str) -> str:
        """The last line that a running stage printed, empty if there is none."""
        return next((text for text in reversed(self.tails.get(name, ())) if text), "")

    def _end(self, name: str) -> deque[str]:
        self.ended += 1
        self.began.pop(name, None)
        return self.tails.pop(name, deque())

    def table(self) -> Group:
        """A row per running stage: its name, how long it has run, the last line it printed; the count below."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        rows = Table.grid(padding=(0, 2))
        for ratio, style in ((None, "bold"), (None, ""), (1, "dim")):
            rows.add_column(no_wrap=True, overflow="ellipsis", ratio=ratio, style=style)
        now = time.monotonic()
        for name, began in list(self.began.items()):  # rich draws in a thread of its own
            rows.add_row(Text(name), duration(now - began), Text(self.last(name).removeprefix(f"{name}: ")))
        count = Table.grid(padding=(0, 2))
        spent = duration(now - self.start)
        count.add_row(ProgressBar(self.total, self.ended, width=40), f"{self.ended}/{self.total} stages, {spent}")
        return Group(rows, count)
