"""Commands that run side by side: their output line by line, their exit status, and an end to all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

from commands.reproduce.forked import Forked, fork, stage_of
from stages.core.cores import CORES, as_nice, machine_cores

GRACE_SECONDS = 10.0


@dataclass(frozen=True)
class Line:
    """A command printed ``text``."""

    name: str
    text: str


@dataclass(frozen=True)
class Ended:
    """A command ended; ``status``: its exit status, negative if a signal killed it."""

    name: str
    status: int


@dataclass(frozen=True)
class _Running:
    process: subprocess.Popen[str] | Forked
    reader: Thread


class Processes:
    """Shell commands by their names. Use as a context manager: what still runs at its end is stopped."""

    def __init__(self) -> None:
        self._events: SimpleQueue[Line | Ended] = SimpleQueue()
        self._running: dict[str, _Running] = {}

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, name: str, command: str, folder: str, environment: Mapping[str, str]) -> None:
        """Run ``command`` in ``folder``. A session of its own keeps a terminal's Ctrl-C for us to pass on."""
        stage = stage_of(command, folder)
        process = fork(stage, environment) if stage else _shell(command, folder, environment)
        reader = Thread(target=self._read, args=(name, process), daemon=True)
        self._running[name] = _Running(process, reader)
        reader.start()

    def _read(self, name: str, process: subprocess.Popen[str] | Forked) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._events.put(Line(name, line.rstrip()))
        self._events.put(Ended(name, process.wait()))

    def next(self, timeout: float | None = None) -> Line | Ended | None:
        """What happens next; None if nothing does for ``timeout`` seconds."""
        try:
            event = self._events.get(timeout=timeout)
        except Empty:
            return None
        if isinstance(event, Ended):
            del self._running[event.name]
        return event

    def stop(self) -> None:
        """Interrupt what runs, as Ctrl-C would, and kill what has not ended ten seconds later."""
        deadline = time.monotonic() + GRACE_SECONDS
        try:
            self._signal(signal.SIGINT)
            for running in self._running.values():
                running.reader.join(max(0.0, deadline - time.monotonic()))
        finally:
            self._signal(signal.SIGKILL)
            self._running.clear()

    def _signal(self, number: signal.Signals) -> None:
        for running in self._running.values():
            with suppress(ProcessLookupError):
                os.killpg(running.process.pid, number)


def _shell(command: str, folder: str, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    as_nice(process.pid)
    return process


def thread_share(jobs: int) -> str:
    """The threads of each of ``jobs`` processes: OMP_NUM_THREADS if it is set, else its share of the cores."""
    return os.environ.get("OMP_NUM_THREADS") or str(max(1, machine_cores() // jobs))


def core_share(alongside: int) -> str:
    """How many cores a stage may train on that runs beside so many, itself included: RECURNETS_CORES if it is set."""
    return os.environ.get(CORES) or str(max(1, machine_cores() // alongside))
