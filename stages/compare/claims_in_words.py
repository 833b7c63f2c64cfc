"""The claims in words, tested: paired by image or by seed, with Holm's correction over each family of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import combinations

import numpy as np

from stages.compare.columns import TableRow
from stages.compare.intervals import (
    ALPHA,
    EQUIVALENCE,
    Estimate,
    PerSeed,
    accuracy_of,
    contrast,
    equality,
    estimate,
    holm,
    over_seeds,
    paired_difference,
)
from stages.compare.scale import FULL, NOT_RUN
from stages.compare.side_by_side import Beside
from stages.documents.exhibits import Statement
from stages.results.cell_result import CellResult

HOLDS, CONTRADICTED, UNDECIDED, SEEN, NOT_SEEN = "holds", "contradicted", "undecided", "seen", "not seen"
OUTCOMES = (HOLDS, SEEN, CONTRADICTED, NOT_SEEN, UNDECIDED, NOT_RUN)


@dataclass(frozen=True)
class Tested:
    """A statement and what was measured; ``found`` None where there is nothing to measure.

    ``within``: for a claim of equality, True if every pair of runs is equivalent up to the margin, False if the highest
    and the lowest are farther apart than it, None in between.
    """

    statement: Statement
    scale: str
    first: float | None = None
    second: float | None = None
    found: Estimate | None = None
    within: bool | None = None


def statement_rows(beside: Beside) -> list[TableRow]:
    """The claims in words; columns :data:`STATEMENT_COLUMNS`."""
    tested = [_test(beside, statement) for statement in beside.paper.statements]
    families: dict[str, list[int]] = {}
    for number, each in enumerate(tested):
        if each.scale == FULL and each.found is not None and each.found.p is not None:
            families.setdefault(each.statement.family or each.statement.where, []).append(number)
    adjusted: dict[int, float] = {}
    for numbers in families.values():
        p_values = [found.p for n in numbers if (found := tested[n].found) is not None and found.p is not None]
        adjusted.update(zip(numbers, holm(p_values), strict=True))
    return [_row(each, adjusted.get(number)) for number, each in enumerate(tested)]


def _row(tested: Tested, p_holm: float | None) -> TableRow:
    statement, found = tested.statement, tested.found
    row: TableRow = {**statement.model_dump(), "scale": tested.scale}
    row["labels"] = None if statement.labels is None else " ".join(map(str, statement.labels))
    if found is None:
        return row | {"outcome": UNDECIDED if tested.scale == FULL else tested.scale}
    return row | {
        "first_value": tested.first,
        "second_value": tested.second,
        "difference": found.mean,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "p_holm": p_holm,
        "seeds": found.seeds,
        "outcome": outcome(found, statement.claimed, p_holm, tested.within) if tested.scale == FULL else tested.scale,
    }


def outcome(found: Estimate, claimed: str, p_holm: float | None, within: bool | None = None) -> str:
    """What a difference says of a claim. Without a test, as of epochs with one seed, only whether it was seen."""
    if claimed == "equal":
        differ = p_holm is not None and p_holm < ALPHA
        return HOLDS if within else CONTRADICTED if differ and within is False else UNDECIDED
    as_claimed = found.mean > 0 if claimed == "greater" else found.mean < 0
    if p_holm is None:
        return SEEN if as_claimed else NOT_SEEN
    return UNDECIDED if p_holm >= ALPHA else HOLDS if as_claimed else CONTRADICTED


def _test(beside: Beside, statement: Statement) -> Tested:
    names = [_runs(beside, side) for side in (statement.first, statement.second) if side]
    scale = beside.common_scale(*(run for side in names for run in side))
    if scale == NOT_RUN:
        return Tested(statement, scale)
    first, *rest = [[beside.ours[run] for run in side] for side in names]
    if statement.measure == "epochs":
        return Tested(statement, scale, *_epochs(first[0], rest[0][0], statement))
    seconds = rest[0] if rest else []
    sides = _shared([result.correct(statement.labels) for result in (*first, *seconds)])
    if not sides[0] or (len(sides) < 2 and statement.measure in ("trend", "spread")):
        return Tested(statement, scale)  # no seed that all have, or a single run where several are compared
    if statement.measure == "trend":
        return Tested(statement, scale, found=_slope(sides))
    if statement.measure == "spread":
        assert statement.margin is not None
        return Tested(statement, scale, *_spread(sides, statement.margin))
    return Tested(statement, scale, *_accuracies(sides[: len(first)], sides[len(first) :], statement.level))


def _runs(beside: Beside, pattern: str) -> list[str]:
    """The document's runs that are meant, and those of a study of ours; the pattern itself where there is none."""
    named = [run for run in beside.paper.matching(pattern) if "*" not in run]
    return named or [run for run in beside.ours if fnmatchcase(run, pattern)] or [pattern]


def _shared(sides: Sequence[PerSeed]) -> list[PerSeed]:
    """The seeds that all of them have."""
    seeds = [seed for seed in sides[0] if all(seed in side for side in sides)]
    return [{seed: side[seed] for seed in seeds} for side in sides]


def _accuracies(
    first: Sequence[PerSeed], second: Sequence[PerSeed], level: float | None
) -> tuple[float, float, Estimate]:
    """Mean accuracy of both sides, or of one beside a level, and the difference paired by image."""
    ours, theirs = (_mean_accuracy(side) for side in (first, second or first))
    weighted = [(1 / len(first), side) for side in first]
    if level is not None:
        theirs = level
        weighted.append((-level, {seed: np.ones(len(images)) for seed, images in first[0].items()}))
    else:
        weighted += [(-1 / len(second), side) for side in second]
    return ours, theirs, estimate(contrast(weighted))


def _mean_accuracy(sides: Sequence[PerSeed]) -> float:
    return sum(accuracy_of(side) for side in sides) / len(sides)


def _slope(sides: Sequence[PerSeed]) -> Estimate:
    """Least squares of the accuracy on the runs' places 0, 1, 2, ...: a contrast of the images' values."""
    places = np.arange(len(sides)) - (len(sides) - 1) / 2
    weights = (places / (places**2).sum()).tolist()
    return estimate(contrast(list(zip(weights, sides, strict=True))))


def _spread(sides: Sequence[PerSeed], margin: float) -> tuple[float, float, Estimate, bool | None]:
    """Highest and lowest accuracy, their difference with the test of all being equal, and what the margin makes of it.

    A pair is equivalent if the 90 % interval of its difference lies within the margin; the rest is in :class:`Tested`.
    """
    accuracies = [accuracy_of(side) for side in sides]
    apart = max(accuracies) - min(accuracies)
    found = Estimate(apart, None, None, len(sides[0]), equality(sides))
    pairs = [paired_difference(one, other, EQUIVALENCE) for one, other in combinations(sides, 2)]
    close = all(low is not None and high is not None and -margin <= low <= high <= margin
                for low, high in ((pair.low, pair.high) for pair in pairs))  # fmt: skip
    return max(accuracies), min(accuracies), found, True if close else False if apart > margin else None


def _epochs(first: CellResult, second: CellResult, statement: Statement) -> tuple[float, float, Estimate] | tuple[()]:
    """Epochs until the level is reached, means over the seeds; nothing if a seed of either run never does."""
    assert statement.column is not None
    assert statement.level is not None
    reached: list[Mapping[int, int | None]] = [
        result.first_epoch(statement.column, statement.level) for result in (first, second)
    ]
    shared = [seed for seed in reached[0] if seed in reached[1]]
    pairs = [(a, b) for seed in shared if (a := reached[0][seed]) is not None and (b := reached[1][seed]) is not None]
    if len(pairs) < len(shared) or not pairs:
        return ()
    means = [sum(side) / len(pairs) for side in zip(*pairs, strict=True)]
    return means[0], means[1], over_seeds([a - b for a, b in pairs], step=1)
