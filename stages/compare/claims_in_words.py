"""The claims in words, tested: paired by image or by seed, with Holm's correction over each family of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from stages.compare.scale import COMPARED, NOT_RUN, poorest
from stages.compare.side_by_side import Beside
from stages.documents.exhibits import Statement
from stages.results.cell_result import CellResult

HOLDS, CONTRADICTED, UNDECIDED, SEEN, NOT_SEEN = "holds", "contradicted", "undecided", "seen", "not seen"
OUTCOMES = (HOLDS, SEEN, CONTRADICTED, NOT_SEEN, UNDECIDED, NOT_RUN)
Runs = Sequence[CellResult]


@dataclass(frozen=True)
class Difference:
    """What a statement's measure gives; ``first`` and ``second`` are what is compared, where two values are.

    ``within``: for a claim of equality, True if every pair of runs is equivalent up to the margin, False if the highest
    and the lowest are farther apart than it, None in between.
    """

    estimate: Estimate
    first: float | None = None
    second: float | None = None
    within: bool | None = None


@dataclass(frozen=True)
class Tested:
    """A statement, the scale of its runs and what was measured; ``found`` None where there is nothing to measure."""

    statement: Statement
    scale: str
    found: Difference | None = None

    @property
    def p(self) -> float | None:
        """The p-value that counts among those of its family; None for a reduced run, and without a test."""
        return self.found.estimate.p if self.found is not None and self.scale in COMPARED else None


def statement_rows(beside: Beside) -> list[TableRow]:
    """The claims in words; columns :data:`STATEMENT_COLUMNS`."""
    tested = [_test(beside, statement) for statement in beside.paper.statements]
    families: dict[str, dict[int, float]] = {}
    for number, each in enumerate(tested):
        if each.p is not None:
            families.setdefault(each.statement.family or each.statement.where, {})[number] = each.p
    adjusted: dict[int, float] = {}
    for family in families.values():
        adjusted.update(zip(family, holm(list(family.values())), strict=True))
    return [_row(each, adjusted.get(number)) for number, each in enumerate(tested)]


def _row(tested: Tested, p_holm: float | None) -> TableRow:
    statement, found = tested.statement, tested.found
    row: TableRow = {**statement.model_dump(), "scale": tested.scale}
    row["labels"] = None if statement.labels is None else " ".join(map(str, statement.labels))
    if found is None:
        return row | {"outcome": UNDECIDED if tested.scale in COMPARED else tested.scale}
    return row | {
        "first_value": found.first,
        "second_value": found.second,
        "difference": found.estimate.mean,
        "low": found.estimate.low,
        "high": found.estimate.high,
        "p": found.estimate.p,
        "p_holm": p_holm,
        "seeds": found.estimate.seeds,
        "outcome": outcome(found, statement.claimed, p_holm) if tested.scale in COMPARED else tested.scale,
    }


def outcome(found: Difference, claimed: str, p_holm: float | None) -> str:
    """What a difference says of a claim. Without a test, as of epochs with one seed, only whether it was seen."""
    if claimed == "equal":
        differ = p_holm is not None and p_holm < ALPHA
        return HOLDS if found.within else CONTRADICTED if differ and found.within is False else UNDECIDED
    mean = found.estimate.mean
    as_claimed = mean > 0 if claimed == "greater" else mean < 0
    if p_holm is None:
        return SEEN if as_claimed else NOT_SEEN
    return UNDECIDED if p_holm >= ALPHA else HOLDS if as_claimed else CONTRADICTED


def _test(beside: Beside, statement: Statement) -> Tested:
    names = [_runs(beside, side) if side else [] for side in (statement.first, statement.second)]
    scale = poorest(beside.scale(run) for side in names for run in side)
    if scale == NOT_RUN:
        return Tested(statement, scale)
    first, second = ([beside.ours[run] for run in side] for side in names)
    return Tested(statement, scale, MEASURES[statement.measure](statement, first, second))


def _runs(beside: Beside, pattern: str) -> list[str]:
    """The document's runs that are meant, and those of a study of ours; the pattern itself where there is none."""
    named = [run for run in beside.paper.matching(pattern) if "*" not in run]
    return named or [run for run in beside.ours if fnmatchcase(run, pattern)] or [pattern]


def _correct(statement: Statement, runs: Runs) -> list[PerSeed]:
    """Per run and seed, whether each image is right; only the seeds that all runs have, nothing if there is none."""
    sides = [run.correct(statement.labels) for run in runs]
    seeds = [seed for seed in sides[0] if all(seed in side for side in sides)]
    return [{seed: side[seed] for seed in seeds} for side in sides] if seeds else []


def _mean_accuracy(sides: Sequence[PerSeed]) -> float:
    return sum(accuracy_of(side) for side in sides) / len(sides)


def _accuracy(statement: Statement, first: Runs, second: Runs) -> Difference | None:
    """Mean accuracy of both sides, or of one beside a level, and the difference paired by image."""
    if not (sides := _correct(statement, [*first, *second])):
        return None
    ours, theirs = sides[: len(first)], sides[len(first) :]
    weighted = [(1 / len(ours), side) for side in ours]
    if statement.level is None:
        other = _mean_accuracy(theirs)
        weighted += [(-1 / len(theirs), side) for side in theirs]
    else:
        other = statement.level
        weighted.append((-other, {seed: np.ones(len(images)) for seed, images in ours[0].items()}))
    return Difference(estimate(contrast(weighted)), _mean_accuracy(ours), other)


def _trend(statement: Statement, runs: Runs, _: Runs) -> Difference | None:
    """Least squares of the accuracy on the runs' places 0, 1, 2, ...: a contrast of the images' values."""
    sides = _correct(statement, runs)
    if len(sides) < 2:
        return None
    places = np.arange(len(sides)) - (len(sides) - 1) / 2
    weights = (places / (places**2).sum()).tolist()
    return Difference(estimate(contrast(list(zip(weights, sides, strict=True)))))


def _spread(statement: Statement, runs: Runs, _: Runs) -> Difference | None:
    """Highest and lowest accuracy, their difference with the test of all being equal, and what the margin makes of it.

    A pair is equivalent if the 90 % interval of its difference lies within the margin; see :class:`Difference`.
    """
    sides, margin = _correct(statement, runs), statement.margin
    if len(sides) < 2:
        return None
    assert margin is not None
    accuracies = [accuracy_of(side) for side in sides]
    highest, lowest = max(accuracies), min(accuracies)
    pairs = [paired_difference(one, other, EQUIVALENCE) for one, other in combinations(sides, 2)]
    close = all(low is not None and high is not None and -margin <= low <= high <= margin
                for low, high in ((pair.low, pair.high) for pair in pairs))  # fmt: skip
    apart = Estimate(highest - lowest, None, None, len(sides[0]), equality(sides))
    return Difference(apart, highest, lowest, True if close else False if apart.mean > margin else None)


def _epochs(statement: Statement, first: Runs, second: Runs) -> Difference | None:
    """Epochs until the level is reached, means over the seeds; nothing if a seed of either run never does."""
    assert statement.column is not None
    assert statement.level is not None
    reached: list[Mapping[int, int | None]] = [
        result.first_epoch(statement.column, statement.level) for result in (first[0], second[0])
    ]
    shared = [seed for seed in reached[0] if seed in reached[1]]
    pairs = [(a, b) for seed in shared if (a := reached[0][seed]) is not None and (b := reached[1][seed]) is not None]
    if len(pairs) < len(shared) or not pairs:
        return None
    means = [sum(side) / len(pairs) for side in zip(*pairs, strict=True)]
    return Difference(over_seeds([a - b for a, b in pairs], step=1), means[0], means[1])


# What is measured of a statement's first and second runs, by its ``measure``.
MEASURES: Mapping[str, Callable[[Statement, Runs, Runs], Difference | None]] = {
    "accuracy": _accuracy,
    "epochs": _epochs,
    "trend": _trend,
    "spread": _spread,
}
