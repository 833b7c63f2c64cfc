"""What a plan foretold of what was trained, beside what that took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from commands.plan.order import Unit
from commands.plan.process import Taken
from stages.compare.pace import Pace
from stages.params import Params


def accounted(
    taken: Mapping[Unit, Taken], before: Mapping[Unit, float], after: Mapping[Unit, float], pace: Pace, params: Params
) -> Iterator[str]:
    """A line per unit that took time, and one of all together: hours foretold for its epochs, and those that it took.

    ``before`` and ``after``: epochs that each had. Of one thread of a processor the hours are those of the processor,
    as they were foretold, and what else ran there shows in the hours by the clock; of the rest both are by the clock.
    """
    together, foretold = Taken(), 0.0
    for (key, seed), spent in taken.items():
        cell = params.cell(key)
        if (epoch := pace.epoch(cell)) is None:
            continue
        first, last = before[key, seed], after[key, seed]
        expected = (last - first) * epoch.seconds / 3600
        together, foretold = together + spent, foretold + expected
        what = f"{key} seed {seed}, epochs {first:.1f} to {last:.1f} of {cell.recipe.epochs}"
        yield f"{what}: {_compared(expected, spent, pace)}"
    if len(taken) > 1 and foretold:
        yield f"all of them: {_compared(foretold, together, pace)}"


def _compared(expected: float, taken: Taken, pace: Pace) -> str:
    clock, processor = taken.clock / 3600, taken.processor / 3600
    machine = pace.machine
    if machine is not None and machine.device == "cpu" and machine.threads == 1:
        return f"foretold {expected:.2f} hours, took {processor:.2f} of processor time, {clock:.2f} by the clock"
    return f"foretold {expected:.2f} hours, took {clock:.2f}"
