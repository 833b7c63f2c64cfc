"""What of some cells is still to be trained, and the outputs of each cell as soon as all of its seeds are there.

Whoever trains a task (this process, others beside it, nodes of a cluster) keeps its seeds and says that it is done.
"""

from __future__ import annotations

from collections.abc import Sequence

from stages.cell import Cell, Compute
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.train.outputs import write_outputs
from stages.train.plan import Plan, Planner, trained_before
from stages.train.seeds import TrainedSeed, kept_seeds
from stages.train.tasks import Task, tasks


class Outstanding:
    """The ``tasks`` that are left of ``cells``; what needs none is written at once.

    A seed that two cells share is in one task only. ``plans``: by key, of the cells that are not written yet.
    A :class:`StageError` says which data or architecture are not there or not right.
    """

    def __init__(self, cells: Sequence[Cell], compute: Compute, layout: Layout) -> None:
        self.group, self.layout, self.kept = cells[0].group, layout, kept_seeds(layout.home)
        self.tasks: list[Task] = []
        self.plans: dict[str, Plan] = {}
        self.failed: dict[Task, str] = {}
        self._missing: dict[str, set[str]] = {}  # fingerprints, by the key of the cell that waits for them
        self._wanted_by: dict[str, list[str]] = {}  # keys, by fingerprint
        planner = Planner(compute, layout)
        for cell in cells:
            self._add(planner.plan(cell))

    def _add(self, plan: Plan) -> None:
        before = trained_before(plan, self.kept, self.layout)
        missing = {seed: name for seed, name in plan.fingerprints.items() if seed not in before}
        if not missing:
            write_outputs(self.layout, plan, before)
            return
        in_other_tasks = [seed for seed, name in missing.items() if name in self._wanted_by]
        self.tasks += tasks([plan], [{*before, *in_other_tasks}], plan.compute.seeds_together)
        self.plans[plan.cell.key], self._missing[plan.cell.key] = plan, set(missing.values())
        for name in missing.values():
            self._wanted_by.setdefault(name, []).append(plan.cell.key)

    def fingerprints(self, task: Task) -> list[str]:
        """Those of the seeds of a task."""
        return [self.plans[task.key].fingerprints[seed] for seed in task.seeds]

    def done(self, task: Task) -> None:
        """The seeds of ``task`` are kept; what waited for nothing else is written."""
        for name in self.fingerprints(task):
            for key in self._wanted_by.pop(name):
                self._missing[key].discard(name)
                if not self._missing[key]:
                    plan = self.plans.pop(key)
                    write_outputs(self.layout, plan, self._trained(plan))

    def fail(self, task: Task, sentence: str) -> None:
        """``task`` cannot be done, which does not keep the others from it."""
        self.failed[task] = sentence
        if len(self.tasks) > 1:
            print(f"{task.name}: FAILED: {sentence}", flush=True)

    def check(self) -> None:
        """A :class:`StageError` if any task failed, with what it said."""
        if not self.failed:
            return
        (task, sentence), *others = self.failed.items()
        if len(self.tasks) == 1:
            raise StageError(sentence)
        more = f", and {len(others)} more, as listed above" if others else ""
        count = f"{len(self.failed)} of {len(self.tasks)} trainings of {self.group}"
        raise StageError(
            f"{count} failed: {task.name} ({sentence}){more}. What is done is kept; correct the cause and run the same "
            "command again."
        )

    def _trained(self, plan: Plan) -> dict[int, TrainedSeed]:
        found = {seed: self.kept.find(name) for seed, name in plan.fingerprints.items()}
        if gone := [seed for seed, trained in found.items() if trained is None]:
            where = self.kept.path(plan.fingerprints[gone[0]])
            raise StageError(f"{plan.cell.key} seed {gone[0]}: {where} is gone again; run the same command once more.")
        return {seed: trained for seed, trained in found.items() if trained is not None}
