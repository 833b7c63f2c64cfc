"""Running the stages of a plan side by side, and recording them as `dvc repro` would."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from graphlib import TopologicalSorter
from heapq import heappop, heappush
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.reproduce.board import Board
from commands.reproduce.complaints import complaint
from commands.reproduce.lock import LockFile, undisturbed
from commands.reproduce.processes import Ended, Line, Processes, thread_share
from stages.core.errors import StageError
from stages.core.progress import duration

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import PipelineStage
    from networkx import DiGraph


class Reproduction:
    """Runs the stages of ``plan`` (in the order of their dependencies), ``jobs`` at a time.

    Only this thread talks to DVC, and it holds the repository's lock except while it waits for commands.
    """

    def __init__(self, repo: Repo, graph: DiGraph, plan: Sequence[PipelineStage], jobs: int, board: Board) -> None:
        self.repo, self.graph, self.plan, self.jobs, self.board = repo, graph, plan, jobs, board
        self.names = {stage.addressing: stage for stage in plan}
        self.place = {stage: place for place, stage in enumerate(plan)}
        self.sorter = TopologicalSorter({stage: list(graph.successors(stage)) for stage in plan})
        self.ready: list[int] = []
        self.locks: dict[str, ExitStack] = {}
        self.inputs: dict[str, dict[str, Any]] = {}
        self.done: set[PipelineStage] = set()
        self.failed: dict[PipelineStage, str] = {}
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
    def skipped(self) -> list[PipelineStage]:
        """What did not run because it needs what failed."""
        return [stage for stage in self.plan if stage not in self.done and stage not in self.failed]

    def _fill(self) -> None:
        from dvc.exceptions import DvcException

        while len(self.processes) < self.jobs:
            for stage in self.sorter.get_ready():
                heappush(self.ready, self.place[stage])
            if not self.ready:
                return
            stage = self.plan[heappop(self.ready)]
            try:
                if outcome := self._begin(stage):
                    self._done(stage, outcome)
            except DvcException as error:
                self._fail(stage, complaint(error))

    def _begin(self, stage: PipelineStage) -> str | None:
        """Start the command of ``stage``, or say why it need not run. The steps are those of DVC's ``Stage.run``."""
        from dvc.stage.cache import RunCacheNotFoundError
        from dvc.stage.run import prepare_kwargs

        if not stage.changed(upstream=list(self.graph.successors(stage))):
            return "unchanged"
        if not stage.cmd or stage.frozen:
            stage.run()
            stage.dump(update_pipeline=False)
            return "recorded"
        stage.remove_outs(ignore_remove=False, force=False)
        try:
            self.repo.stage_cache.restore(stage)
        except RunCacheNotFoundError:
            self.inputs[stage.addressing] = hashes(stage)
        else:
            self._save(stage, 0.0)
            return "taken from the cache"
        name, settings = stage.addressing, prepare_kwargs(stage, {"OMP_NUM_THREADS": thread_share(self.jobs)})
        command = " && ".join(stage.cmd if isinstance(stage.cmd, list) else stage.cmd.splitlines())
        self.locks[name] = self._locked(stage)
        self.processes.start(name, command, settings["cwd"], settings["env"])
        self.board.begin(name)
        return None

    def _locked(self, stage: PipelineStage) -> ExitStack:
        """DVC's lock on what a command reads and writes, for as long as it runs; other DVC processes respect it."""
        from dvc.rwlock import rwlock

        command = f"{' '.join(sys.argv)} ({stage.addressing})"
        reads, writes = ([entry.fs_path for entry in entries] for entries in (stage.deps, stage.outs))
        hardlink = self.repo.config["core"].get("hardlink_lock", False)
        stack = ExitStack()
        stack.enter_context(rwlock(self.repo.tmp_dir, self.repo.fs, command, reads, writes, hardlink))
        return stack

    def _wait(self) -> None:
        from dvc.exceptions import DvcException

        event = self._event()
        if event is None:
            self.record.write()
            return
        stage = self.names[event.name]
        self.locks.pop(event.name).close()
        try:
            if event.status:
                last = self.board.last(event.name)
                self._fail(stage, f"exit status {event.status}" + (f": {last}" if last else ""))
            elif edited := changed(self.inputs.pop(event.name), hashes(stage)):
                self._fail(stage, f"{', '.join(edited)} changed while it ran; run it again")
            else:
                seconds = self.board.seconds(event.name)
                self._save(stage, seconds)
                self._done(stage, f"done in {duration(seconds)}")
        except DvcException as error:
            self._fail(stage, complaint(error))

    def _event(self) -> Ended | None:
        """As :meth:`_next`, with DVC's lock open meanwhile; a further Ctrl-C waits until DVC has taken it again."""
        from dvc.stage.decorators import unlocked_repo

        with ExitStack() as stack:

            def wait(_: PipelineStage) -> Ended | None:
                try:
                    return self._next()
                except KeyboardInterrupt:
                    stack.enter_context(undisturbed())
                    raise

            event: Ended | None = unlocked_repo(wait)(self.plan[0])
            return event

    def _next(self) -> Ended | None:
        """The next command that ends; None if it is time to write dvc.lock first."""
        while isinstance(event := self.processes.next(self.record.patience()), Line):
            self.board.line(event.name, event.text)
        return event

    def _save(self, stage: PipelineStage, seconds: float) -> None:
        """As the end of DVC's ``Stage.run``, which keeps a run in the cache only if all of its outputs are there."""
        plain = (out for out in stage.outs if not (out.is_metric or out.is_plot))
        stage.save(run_cache=all(out.use_cache for out in plain))
        stage.commit()
        self.record.add(stage, seconds)

    def _done(self, stage: PipelineStage, outcome: str) -> None:
        self.board.end(stage.addressing, outcome)
        self.done.add(stage)
        self.sorter.done(stage)

    def _fail(self, stage: PipelineStage, reason: str) -> None:
        self.board.fail(stage.addressing, reason)
        self.failed[stage] = reason


def hashes(stage: PipelineStage) -> dict[str, Any]:
    """What DVC knows the dependencies of a stage by, as they are now."""
    stage.save_deps()
    return {str(dep): dep.hash_info for dep in stage.deps}


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The dependencies that are not what they were: DVC would record them as what the command was run with."""
    return [name for name, known in before.items() if after[name] != known]


def reproduce(home: Path, jobs: int, targets: Sequence[str] = ()) -> None:
    """Bring the stages of ``home`` called ``targets`` (all by default) up to date, ``jobs`` at a time.

    A :class:`StageError` says what failed, and what was skipped because of it.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro

    logging.getLogger("dvc").setLevel(logging.WARNING)  # what it says of every stage, and its bars, would run into
    for bars in ("dvc.progress", "dvc_data.callbacks"):  # the board
        logging.getLogger(bars).setLevel(logging.CRITICAL)
    file = str(home / "dvc.yaml")
    addresses = [f"{file}:{target}" for target in targets] or [file]
    try:
        with Repo(_wait_for_lock=True) as repo, repo.lock, repo.scm_context:
            graph = get_active_graph(repo.index.graph)
            plan = plan_repro(graph, collect_stages(repo, addresses, glob=bool(targets)))
            with Board([stage.addressing for stage in plan], jobs) as board:
                reproduction = Reproduction(repo, graph, plan, jobs, board)
                reproduction.run()
        if not reproduction.failed:
            with Repo(_wait_for_lock=True) as repo:
                again = repo.reproduce(addresses, glob=bool(targets))
            print(f"`dvc repro` {'ran again: ' + listed(again) if again else 'finds nothing to do'}.")
            return
    except DvcException as error:
        raise StageError(f"{complaint(error)}.") from error
    report(reproduction)
    raise StageError(
        f"{len(reproduction.failed)} of {len(reproduction.plan)} stages failed; what is done is recorded. "
        "Correct the cause and run the same command again."
    )


def report(reproduction: Reproduction) -> None:
    """Print what failed and why, and what was skipped."""
    failed, skipped = reproduction.failed, reproduction.skipped
    for stage, reason in islice(failed.items(), 20):
        print(f"failed: {stage.addressing}: {reason}")
    if len(failed) > 20:
        print(f"failed: {len(failed) - 20} more")
    if skipped:
        print(f"skipped, since they need what failed: {listed(skipped)}")


def listed(stages: Iterable[PipelineStage]) -> str:
    """Their names."""
    return ", ".join(stage.addressing for stage in stages)
