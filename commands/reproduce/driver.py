"""Running the stages of a plan side by side, and recording them as `dvc repro` would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from graphlib import TopologicalSorter
from heapq import heappop, heappush
from itertools import islice
from pathlib import Path
from typing import Any

from commands.dvc_inside.errors import DvcError
from commands.dvc_inside.repository import planned, reproduced
from commands.dvc_inside.stage import Stage
from commands.reproduce.board import Board
from commands.reproduce.lock import LockFile, undisturbed
from commands.reproduce.processes import Ended, Line, Processes, core_share, thread_share
from stages.core.cores import CORES
from stages.core.errors import StageError
from stages.core.progress import duration

NONE: Mapping[str, str] = {}


class Reproduction:
    """Runs the stages of ``plan`` (in the order of their dependencies), ``jobs`` at a time.

    Only this thread talks to DVC, and it holds the repository's lock except while it waits for commands. ``refused``:
    stages that are not to be run, by their addresses, and why; they count as failed.
    """

    def __init__(self, plan: Sequence[Stage], jobs: int, board: Board, refused: Mapping[str, str] = NONE) -> None:
        self.plan, self.jobs, self.board, self.refused = plan, jobs, board, refused
        self.names = {stage.addressing: stage for stage in plan}
        self.place = {stage: place for place, stage in enumerate(plan)}
        self.sorter = TopologicalSorter({stage: stage.needs for stage in plan})
        self.ready: list[int] = []
        self.locks: dict[str, ExitStack] = {}
        self.inputs: dict[str, dict[str, Any]] = {}
        self.done: set[Stage] = set()
        self.failed: dict[Stage, str] = {}
        self.record = LockFile(plan, jobs)
        self.processes = Processes()

    def run(self) -> None:
        """Run everything that can be run; ``done`` and ``failed`` tell how it went."""
        self.sorter.prepare()
        try:
            self._fill()
            while len(self.processes):
                self._wait()
                self._fill()
        finally:
            self.record.write()  # first of all, for another Ctrl-C may follow
            try:
                self.processes.stop()
            finally:
                for lock in self.locks.values():
                    lock.close()
        self.record.sort()

    @property
    def skipped(self) -> list[Stage]:
        """What did not run because it needs what failed."""
        return [stage for stage in self.plan if stage not in self.done and stage not in self.failed]

    def _fill(self) -> None:
        while len(self.processes) < self.jobs:
            for stage in self.sorter.get_ready():
                heappush(self.ready, self.place[stage])
            if not self.ready:
                return
            stage = self.plan[heappop(self.ready)]
            if reason := self.refused.get(stage.addressing):
                self._fail(stage, reason)
                continue
            try:
                if outcome := self._begin(stage):
                    self._done(stage, outcome)
            except DvcError as error:
                self._fail(stage, error.reason)

    def _begin(self, stage: Stage) -> str | None:
        """Start the command of ``stage``, or say why it need not run. The steps are those of DVC's ``Stage.run``."""
        if not stage.changed():
            return "unchanged"
        if not stage.runs:
            stage.verify()
            return "recorded"
        stage.remove_outputs()
        if stage.restore():
            self._save(stage, 0.0)
            return "taken from the cache"
        name = stage.addressing
        self.inputs[name] = stage.hashes()
        alongside = min(self.jobs, len(self.processes) + 1 + len(self.ready))
        shares = {"OMP_NUM_THREADS": thread_share(self.jobs), CORES: core_share(alongside)}
        command, folder, environment = stage.command(shares)
        lock = ExitStack()
        lock.enter_context(stage.locked())
        self.locks[name] = lock
        self.processes.start(name, command, folder, environment)
        self.board.begin(name)
        return None

    def _wait(self) -> None:
        """Wait for a command to end, and record what it made; a Ctrl-C meanwhile takes effect when that is done."""
        with ExitStack() as stack:
            event = self._event(stack)
            if event is None:
                self.record.write()
            else:
                self._ended(event)

    def _event(self, stack: ExitStack) -> Ended | None:
        """As :meth:`_next`, with DVC's lock open meanwhile; from then on a Ctrl-C waits for the end of ``stack``.

        It would else meet DVC while it takes its lock again, and leave it neither open nor taken.
        """

        def wait() -> Ended | None:
            try:
                return self._next()
            finally:
                stack.enter_context(undisturbed())

        return self.plan[0].while_unlocked(wait)

    def _ended(self, event: Ended) -> None:
        stage = self.names[event.name]
        self.locks.pop(event.name).close()
        try:
            if event.status:
                last = self.board.last(event.name)
                self._fail(stage, f"exit status {event.status}" + (f": {last}" if last else ""))
            elif edited := changed(self.inputs.pop(event.name), stage.hashes()):
                self._fail(stage, f"{', '.join(edited)} changed while it ran; run it again")
            else:
                seconds = self.board.seconds(event.name)
                self._save(stage, seconds)
                self._done(stage, f"done in {duration(seconds)}")
        except DvcError as error:
            self._fail(stage, error.reason)

    def _next(self) -> Ended | None:
        """The next command that ends; None if it is time to write dvc.lock first."""
        while isinstance(event := self.processes.next(self.record.patience()), Line):
            self.board.line(event.name, event.text)
        return event

    def _save(self, stage: Stage, seconds: float) -> None:
        stage.save()
        self.record.add(stage, seconds)

    def _done(self, stage: Stage, outcome: str) -> None:
        self.board.end(stage.addressing, outcome)
        self.done.add(stage)
        self.sorter.done(stage)

    def _fail(self, stage: Stage, reason: str) -> None:
        self.board.fail(stage.addressing, reason)
        self.failed[stage] = reason


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The dependencies that are not what they were: DVC would record them as what the command was run with."""
    return [name for name, known in before.items() if after[name] != known]


def reproduce(home: Path, jobs: int, targets: Sequence[str] = (), refused: Mapping[str, str] = NONE) -> None:
    """Bring the stages of ``home`` called ``targets`` (all by default) up to date, ``jobs`` at a time.

    ``refused``: stages that are not to be run, by their addresses, and why. A :class:`StageError` says what failed, and
    what was skipped because of it.
    """
    with planned(home, targets) as plan:
        reproduction = run_side_by_side(plan, jobs, refused)
    if not reproduction.failed:
        again = reproduced(home, targets)
        print(f"`dvc repro` {'ran again: ' + ', '.join(again) if again else 'finds nothing to do'}.")
        return
    report(reproduction)
    raise StageError(
        f"{len(reproduction.failed)} of {len(reproduction.plan)} stages failed; what is done is recorded. "
        "Correct the cause and run the same command again."
    )


def run_side_by_side(plan: Sequence[Stage], jobs: int, refused: Mapping[str, str] = NONE) -> Reproduction:
    """Run everything in ``plan`` that can be run, and show it meanwhile."""
    with Board([stage.addressing for stage in plan], jobs) as board:
        reproduction = Reproduction(plan, jobs, board, refused)
        reproduction.run()
    return reproduction


def report(reproduction: Reproduction) -> None:
    """Print what failed and why, and what was skipped."""
    failed, skipped = reproduction.failed, reproduction.skipped
    for stage, reason in islice(failed.items(), 20):
        print(f"failed: {stage.addressing}: {reason}")
    if len(failed) > 20:
        print(f"failed: {len(failed) - 20} more")
    if skipped:
        print(f"skipped, since they need what failed: {', '.join(stage.addressing for stage in skipped)}")
