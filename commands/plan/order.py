"""What comes first: a greedy choice of what decides most per hour, and when it would be done."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

NUMBER, SENTENCE, FIRST = "number", "sentence", "first epochs"
KINDS = (NUMBER, SENTENCE, FIRST)
Unit = tuple[str, int]  # a cell's key and a seed
Epochs = Mapping[Unit, int]
Hours = Callable[[str, int], float]  # of so many epochs of one seed of a cell


@dataclass(frozen=True)
class Question:
    """Something open. ``id``: what it is asked of, in ``document``; ``kind``: one of :data:`KINDS`.

    ``needs``: how many epochs of which seeds would answer it, from the first on; ``why``: why none would.
    """

    document: str
    kind: str
    id: str
    needs: Epochs = field(default_factory=dict)
    why: str = ""


@dataclass(frozen=True)
class Step:
    """What is trained for some answers. ``epochs``: up to which, by seed; ``before``: how many it has by then.

    ``hours``: of one core, all seeds together; ``ends``: hours from now until the last of them is trained.
    """

    answers: tuple[Question, ...]
    epochs: Epochs
    before: Epochs
    hours: float
    ends: float


@dataclass(frozen=True)
class Schedule:
    """When each of several cores is free again, and what each seed has by when, in hours from now."""

    free: tuple[float, ...]
    epochs: Epochs
    ready: Mapping[Unit, float] = field(default_factory=dict)

    def lacking(self, needs: Epochs) -> dict[Unit, int]:
        """Of ``needs`` what is not planned yet."""
        return {unit: epochs for unit, epochs in needs.items() if epochs > self.epochs.get(unit, 0)}

    def cost(self, needs: Epochs, hours: Hours) -> float:
        """Hours of a core for what is lacking."""
        return sum(hours(unit[0], epochs - self.epochs.get(unit, 0)) for unit, epochs in self.lacking(needs).items())

    def then(self, needs: Epochs, hours: Hours) -> tuple[Schedule, float]:
        """With these epochs trained, each seed on the core that is free first; and when the last is done."""
        after, ends = self, 0.0
        for unit, epochs in self.lacking(needs).items():
            core = min(range(len(after.free)), key=after.free.__getitem__)
            start = max(after.free[core], after.ready.get(unit, 0.0))
            done = start + hours(unit[0], epochs - after.epochs.get(unit, 0))
            free = tuple(done if number == core else time for number, time in enumerate(after.free))
            after = replace(after, free=free, epochs={**after.epochs, unit: epochs}, ready={**after.ready, unit: done})
            ends = max(ends, done)
        return after, ends


def ordered(
    questions: Iterable[Question], hours: Hours, done: Epochs, cores: int, limit: float = math.inf
) -> list[Step]:
    """Step by step what answers most per hour, what can be done within ``limit`` hours before what cannot.

    First epochs decide no number, and with few seeds often cannot tell: they get the time that is left over.
    ``done``: epochs that are trained already. What costs nothing comes first. Questions that nothing answers, or of
    which the hours are not known (NaN), are left out.
    """
    left = [each for each in questions if each.needs and not math.isnan(Schedule((), {}).cost(each.needs, hours))]
    schedule, steps = Schedule((0.0,) * cores, dict(done)), []
    while left:
        wanted = dict.fromkeys(tuple(sorted(schedule.lacking(each.needs).items())) for each in left)
        best = max(
            (_step(dict(needs), left, schedule, hours) for needs in wanted),
            key=lambda step: (step.ends <= limit, _decides(step), _per_hour(step), -step.hours),
        )
        schedule, _ = schedule.then(best.epochs, hours)
        steps.append(best)
        left = [each for each in left if each not in best.answers]
    return steps


def _step(needs: Epochs, left: Sequence[Question], schedule: Schedule, hours: Hours) -> Step:
    """``needs``, the longest training first: begun last, it would train on alone while the other cores wait."""
    needs = dict(sorted(needs.items(), key=lambda need: -schedule.cost(dict([need]), hours)))
    after, ends = schedule.then(needs, hours)
    answers = tuple(each for each in left if not after.lacking(each.needs))
    before = {unit: schedule.epochs.get(unit, 0) for unit in needs}
    return Step(answers, needs, before, schedule.cost(needs, hours), ends)


def _decides(step: Step) -> bool:
    return any(each.kind != FIRST for each in step.answers)


def _per_hour(step: Step) -> float:
    return len(step.answers) / step.hours if step.hours else math.inf
