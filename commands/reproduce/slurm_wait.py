"""Watching jobs of Slurm until they are over."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from commands.reproduce.board import Board
from commands.reproduce.slurm_queue import OVER, RUNNING, Queue
from commands.reproduce.slurm_tasks import Wanted
from stages.core.progress import duration
from stages.train.seeds import KeptSeeds

PAUSES = 1.0, 30.0  # seconds between two looks: the first after something has changed, the longest after nothing has
PATIENCE_SECONDS = 60.0  # until another machine's file has to be seen here
NOISE = ("submitit ", "srun: ", "slurmstepd", "error: interrupted")  # it goes on by itself
NO_REASON = "it printed nothing"


class Waiting:
    """For the jobs called ``wanted``, by their numbers, of which ``at_once`` may run at the same time."""

    def __init__(self, wanted: Mapping[str, Wanted], queue: Queue, kept: KeptSeeds, at_once: int) -> None:
        self.wanted, self.queue, self.kept = dict(wanted), queue, kept
        self.logs = {job: Log(queue.log(job), one.task.name) for job, one in wanted.items()}
        self.board = TaskBoard([one.task.name for one in wanted.values()], at_once)
        self.ended: dict[str, float] = {}  # when a job was first seen to be over whose seeds are not here
        self.failed: dict[str, tuple[Wanted, str]] = {}
        self.silent = False

    def to_the_end(self) -> dict[str, tuple[Wanted, str]]:
        """Wait until all are over; gives those that failed, by their numbers, and a sentence on each."""
        first, longest = PAUSES
        pause = first
        with self.board:
            while self.wanted:
                pause = first if self.look() else min(2 * pause, longest)
                if self.wanted:
                    time.sleep(pause)
        return self.failed

    def look(self) -> bool:
        """Ask Slurm once, and show what is new; whether anything is."""
        states = self.queue.states()
        if (states is None) != self.silent:
            self.silent = states is None
            self.board.say("slurm: " + ("does not answer; it is asked again" if self.silent else "answers again"))
        news = [] if states is None else [self._look_at(job, states.get(job, "")) for job in list(self.wanted)]
        return any(news)

    def _look_at(self, job: str, state: str) -> bool:
        """``state``: empty if Slurm has forgotten the job, which it does some time after its end."""
        name = self.wanted[job].task.name
        running = name in self.board.began
        if state in RUNNING:
            if not running:
                self.board.begin(name)
            lines = self.logs[job].new()
            for line in lines:
                self.board.line(name, line)
            return bool(lines) or not running
        if state and state not in OVER:
            if running:
                self.board.requeue(name)
            return running
        return self._over(job, state)

    def _over(self, job: str, state: str) -> bool:
        one, now = self.wanted[job], time.monotonic()
        if all(self.kept.has(name) for name in one.fingerprints):
            self.board.end(one.task.name, "trained")
        elif state in ("", "COMPLETED") and now < self.ended.setdefault(job, now) + PATIENCE_SECONDS:
            return False
        else:
            log = self.logs[job]
            reason = f"job {job}{f' ({state})' if state else ''}: {log.last()}; its log is {log.path}"
            self.failed[job] = one, reason
            self.board.fail(one.task.name, reason)
        del self.wanted[job]
        return True


class TaskBoard(Board):
    """A board of tasks, of which some wait in Slurm's queue."""

    what = "tasks"

    def requeue(self, name: str) -> None:
        """A task that has run waits again, out of its time or for a more urgent one."""
        seconds = self.seconds(name)
        self.began.pop(name)
        self.say(f"{name}: waits in the queue again after {duration(seconds)}")

    def counted(self, after: str = "") -> str:
        """Also how many run, and how many wait."""
        running = len(self.began)
        return f"{super().counted(after)}, {running} running, {self.total - self.ended - running} queued"


class Log:
    """What a job of a task called ``name`` prints, as far as it is the training's."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name, self.read = path, name, 0

    def new(self) -> list[str]:
        """The whole lines that were not seen before."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(self.read)
                whole, end, _ = stream.read().rpartition(b"\n")
        except OSError:  # not there yet
            return []
        self.read += len(whole) + len(end)
        return self._said(whole)

    def last(self) -> str:
        """The last line, in which a training that fails says why."""
        try:
            said = self._said(self.path.read_bytes())
        except OSError:
            said = []
        return said[-1].removeprefix("error: ").rstrip(".") if said else NO_REASON

    def _said(self, content: bytes) -> list[str]:
        lines = (line.rstrip() for line in content.decode(errors="replace").splitlines())
        return [line.removeprefix(f"{self.name}: ") for line in lines if line and not line.startswith(NOISE)]
