"""What Slurm has to train of a plan: tasks, and the stages that wait for each."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from commands.dvc_inside.repository import planned
from commands.reproduce.driver import run_side_by_side
from stages.core.files import sha256_of
from stages.core.layout import Layout
from stages.params import Params, load_params
from stages.train.plan import plan, trained_before
from stages.train.seeds import kept_seeds
from stages.train.tasks import Task, tasks


@dataclass
class Wanted:
    """A task, the fingerprints of its seeds, and the stages (by their addresses) that need it."""

    task: Task
    fingerprints: tuple[str, ...]
    stages: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """Of what is trained, whatever it is called."""
        return sha256_of(self.fingerprints)


def wanted(home: Path, jobs: int, targets: Sequence[str]) -> list[Wanted]:
    """What is not trained yet of the stages ``targets`` of ``home``, after whatever they need has run here.

    A training whose data cannot be made is left out: it fails, or is skipped, when all stages run.
    """
    with planned(home, targets) as stages:
        training = {stage: key for stage in stages if (key := trained_by(stage.line)) is not None}
        needed = {below for stage in training for below in stage.upstream()}
        done = run_side_by_side([stage for stage in stages if stage in needed], jobs).done
        due = {stage.addressing: key for stage, key in training.items() if stage.upstream() <= done and stage.changed()}
    layout, found = Layout(home), dict[str, Wanted]()
    params = load_params(layout.params)
    for address, key in due.items():
        for one in untrained(key, params, layout):
            waiting = found.setdefault(one.digest, one).stages
            if address not in waiting:  # two cells of a study may be the same training
                waiting.append(address)
    return list(found.values())


def trained_by(line: str) -> str | None:
    """The key that a stage with this command trains; None if it does something else."""
    match shlex.split(line):
        case ["cd", _, "&&", "python", "-m", "stages.train", _, key]:
            return str(key)
    return None


def untrained(key: str, params: Params, layout: Layout) -> Iterator[Wanted]:
    """The tasks of the cells of ``key``."""
    kept = kept_seeds(layout.home)
    for cell in params.cells(key):
        cell_plan = plan(cell, params.compute, layout)
        names = cell_plan.fingerprints
        if all(kept.has(name) for name in names.values()):
            continue
        before = trained_before(cell_plan, kept, layout)
        for task in tasks([cell_plan], [before], params.compute.seeds_together):
            yield Wanted(task, tuple(names[seed] for seed in task.seeds))
