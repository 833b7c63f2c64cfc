"""Working a plan off: trainings side by side until the time is up, a pause at a checkpoint, and what is evaluated."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from commands.plan.order import Step, Unit
from commands.plan.process import Process, Taken
from stages.core.files import atomic_path
from stages.core.layout import Layout
from stages.params import load_params

POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Task:
    """The epochs of a seed, up to ``epochs``."""

    unit: Unit
    epochs: int

    def command(self, home: Path) -> list[str]:
        """What trains them and leaves a checkpoint, or the seed where the stage `train` finds it."""
        key, seed = self.unit
        words = [str(home), key, "--epochs", str(self.epochs), "--seeds", str(seed)]
        return [sys.executable, "-m", "commands", "begin", *words]


def tasks_of(steps: Iterable[Step]) -> list[Task]:
    """The tasks of a plan in its order."""
    return [Task(unit, epochs) for step in steps for unit, epochs in step.epochs.items()]


def units_of(steps: Iterable[Step]) -> list[Unit]:
    """What the steps of a plan train; of one for which all was trained before, what its answers need."""
    units = (step.epochs or [unit for each in step.answers for unit in each.needs] for step in steps)
    return list(dict.fromkeys(chain.from_iterable(units)))


@dataclass(frozen=True)
class Worked:
    """What came of tasks: the units that were paused, those that failed, and what each that was trained took."""

    paused: frozenset[Unit]
    failed: frozenset[Unit]
    taken: Mapping[Unit, Taken]


def work_off(
    tasks: Sequence[Task], home: Path, jobs: int, deadline: float, can_begin: Callable[[Task], bool] = lambda _: True
) -> Worked:
    """Train ``jobs`` tasks at a time, in their order, until ``deadline`` (of time.monotonic()).

    What still trains then is paused at a checkpoint. A unit's further tasks are left out once one has failed. Whatever
    ends this pauses what trains, too. ``can_begin``: asked when it is a task's turn; what cannot is passed over.
    """
    waiting, running = list(tasks), dict[Task, Process]()
    failed, taken = set[Unit](), defaultdict[Unit, Taken](Taken)
    try:
        while (waiting or running) and time.monotonic() < deadline:
            busy = {task.unit for task in running}
            ready = next((task for task in waiting if task.unit not in busy), None)
            if ready is not None and len(running) < jobs:
                waiting.remove(ready)
                if can_begin(ready):
                    running[ready] = Process(ready.command(home))
                continue
            time.sleep(POLL_SECONDS)
            for task, process in list(running.items()):
                if (status := process.status()) is not None:
                    taken[task.unit] += running.pop(task).taken
                    if status:
                        failed.add(task.unit)
                        waiting = [each for each in waiting if each.unit != task.unit]
    finally:
        paused = _pause(running)
    for task, process in running.items():
        taken[task.unit] += process.taken
    return Worked(frozenset(paused), frozenset(failed), taken)


def _pause(running: Mapping[Task, Process]) -> set[Unit]:
    """Ask all to pause, and wait for their checkpoints; those that had come to their end are not among the result."""
    for process in running.values():
        process.pause()
    return {task.unit for task, process in running.items() if process.status(wait=True) != 0}


def has_split(dataset: str, layout: Layout) -> bool:
    """Whether a split was made here."""
    return (layout.data(dataset) / "dataset.json").is_file()


def make_split(dataset: str, layout: Layout) -> bool:
    """Have DVC make a split that is not here; whether it is here then."""
    return has_split(dataset, layout) or _repro(layout, [split_stage(dataset, layout)])


def split_stage(dataset: str, layout: Layout) -> str:
    """The stage that makes a split."""
    params = load_params(layout.params)
    kind = "subset" if dataset in params.subsets else "split-folder" if dataset in params.folders else "split"
    return f"{kind}@{dataset}"


def _repro(layout: Layout, targets: Sequence[str], *options: str) -> bool:
    """Run stages of a home by DVC, and show what it says; whether that went well."""
    words = [
        sys.executable,
        "-m",
        "dvc",
        "repro",
        *options,
        *(f"{layout.home / 'dvc.yaml'}:{name}" for name in targets),
    ]
    return subprocess.run(words, check=False).returncode == 0


def evaluate(keys: Iterable[str], complete: Collection[Unit], layout: Layout) -> list[str]:
    """Have DVC evaluate those of ``keys`` whose seeds are all trained, further ones of a named run included.

    Further seeds are asked for in params.yaml first. Returns what is said of seeds that only people can ask for.
    """
    said, ready = [], []
    for key in keys:
        params = load_params(layout.params)
        cell = params.cell(key)
        seeds = list(cell.recipe.seeds)
        further = sorted(seed for name, seed in complete if name == key and seed not in seeds)
        if {(key, seed) for seed in seeds} - set(complete):
            continue
        if further and key in params.runs:
            ask_for_seeds(layout, key, [*seeds, *further])
        elif further:
            said.append(f"{key}: seeds {further} are trained and kept; {layout.params} does not ask for them")
        ready.append(cell.stage("evaluate"))
    if ready:
        _repro(layout, list(dict.fromkeys(ready)))
    return said


def ask_for_seeds(layout: Layout, key: str, seeds: Sequence[int]) -> None:
    """Have the run ``key`` of params.yaml ask for ``seeds``; everything else there, comments included, stays."""
    yaml = YAML()
    yaml.width, yaml.preserve_quotes = 200, True
    params = yaml.load(layout.params)
    run, asked = params["runs"][key], CommentedSeq(seeds)
    if not run.get("changes"):
        changes = CommentedMap()
        changes.fa.set_flow_style()
        last = next(reversed(run))
        run.insert(len(run) - (last in run.ca.items), "changes", changes)  # a comment after it is about what follows
    asked.fa.set_flow_style()
    run["changes"]["seeds"] = asked
    with atomic_path(layout.params) as temporary:
        yaml.dump(params, temporary)
        load_params(temporary)
    print(f"{layout.params}: runs.{key}.changes.seeds is {list(seeds)} now", flush=True)


def render(layout: Layout) -> bool:
    """Have DVC compare and show what there is now; whether that went well."""
    return _repro(layout, ["check", "compare", "report"], "-s")
