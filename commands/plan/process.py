"""A training in a process of its own: begun, asked to pause, and what it took."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from stages.core.cores import as_nice
from stages.core.dependencies import ROOT


@dataclass(frozen=True)
class Taken:
    """Seconds that something took: of processor time, and by the clock."""

    processor: float = 0.0
    clock: float = 0.0

    def __add__(self, other: Taken) -> Taken:
        return Taken(self.processor + other.processor, self.clock + other.clock)


class Process:
    """What runs ``command``. ``taken`` is known once it has ended.

    A session of its own keeps a terminal's Ctrl-C from it: it is paused instead.
    """

    def __init__(self, command: Sequence[str]) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._began = time.monotonic()
        self._process = subprocess.Popen(command, env=environment, start_new_session=True)
        as_nice(self._process.pid)
        self.taken = Taken()

    def status(self, *, wait: bool = False) -> int | None:
        """Its exit status; None while it runs, unless its end is to be waited for."""
        if self._process.returncode is None:
            ended, status, usage = os.wait4(self._process.pid, 0 if wait else os.WNOHANG)
            if ended:
                self._process.returncode = os.waitstatus_to_exitcode(status)
                self.taken = Taken(usage.ru_utime + usage.ru_stime, time.monotonic() - self._began)
        return self._process.returncode

    def pause(self) -> None:
        """Ask it to end at a checkpoint; nothing, if it has ended."""
        if self.status() is None:
            os.kill(self._process.pid, signal.SIGTERM)
