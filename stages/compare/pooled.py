"""How far a metric varies from seed to seed: a run's own seeds, pooled with those of similar runs that vary alike.

Two or three seeds hardly tell their own standard deviation: Student's quantile at one degree of freedom is 6.3. Similar
runs add their degrees of freedom: those of the same document on the same data, trained for as many epochs, at a like
level, and with no seed stuck at chance. Variances are compared in units of what the level lets expect, m (1 - m) for a
share (seeds of a converged network differ by about sqrt(e (1 - e) / 2N); Jordan, ICLR 2024) and m squared for a loss.
They are pooled where Bartlett's test at 5 % finds no difference, over all similar runs or else over those of the same
architecture.

The share of images on which two seeds disagree, over 2N, estimates the variance, too (Jordan 2024). It is not used: it
holds for converged networks (0.0009 for each pair of the three Elman networks, 0.0008 over their seeds) and falls short
early in training, and two seeds do not tell which they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stages.compare.intervals import ALPHA, DECIMALS, UNSEEN
from stages.results.cell_result import CellResult
from stages.results.metric import Metric

SEEDS, POOLED = "seeds", "seeds of similar runs"
LIKE = 4.0  # the largest ratio of the variances that two levels let expect
LEAST = 1e-12  # of an expected variance: a loss of 0, an accuracy of 1 on an unknown number of images
ABOVE_CHANCE = 3.0  # standard deviations by which a run that has learned something is better than a constant guess


@dataclass(frozen=True)
class Spread:
    """The standard deviation from seed to seed, with its degrees of freedom.

    ``basis``: :data:`SEEDS` of the run alone, or :data:`POOLED`.
    """

    sd: float
    freedom: int
    basis: str


def spread_of(result: CellResult, metric: Metric, others: Iterable[CellResult] = ()) -> Spread | None:
    """How far a metric of a run varies from seed to seed; None for one seed without similar runs.

    ``others``: the document's results, from which those that are similar are chosen. Raises KeyError like
    :meth:`stages.results.cell_result.CellResult.values`.
    """
    values = result.values(metric)
    alike = [] if stuck(result) else [other for other in others if _similar(result, other) and not stuck(other)]
    kin = [other for other in alike if other.cell.architecture == result.cell.architecture]
    for group in (alike, kin, []):
        seeds = [other.values(metric) for other in group]
        found = pooled(values, seeds, step=step_of(result, metric), loss=metric.is_loss)
        if found is not None:
            return found
    return None


def pooled(
    values: Sequence[float], others: Sequence[Sequence[float]] = (), *, step: float = 0.0, loss: bool = False
) -> Spread | None:
    """The spread of ``values`` from seed to seed, pooled with that of ``others``, runs at a like level.

    ``step`` as for :func:`stages.compare.intervals.over_seeds`. None where the runs do not vary alike, or no run has
    two seeds.
    """
    level = _expected(values, step, loss)
    ratios = [(run, _expected(run, step, loss) / level) for run in others if len(run) > 1]
    like = [run for run, ratio in ratios if 1 / LIKE <= ratio <= LIKE]
    runs = [values, *like] if len(values) > 1 else like
    variances = [_variance(run, step) / _expected(run, step, loss) for run in runs]
    freedoms = [len(run) - 1 for run in runs]
    if not runs or bartlett(variances, freedoms) < ALPHA:
        return None
    variance = level * sum(map(math.prod, zip(variances, freedoms, strict=True))) / sum(freedoms)
    return Spread(max(math.sqrt(variance), step * UNSEEN), sum(freedoms), POOLED if like else SEEDS)


def _expected(values: Sequence[float], step: float, loss: bool) -> float:
    """What the variance is taken to be proportional to, at the mean of ``values``."""
    mean = math.fsum(values) / len(values)
    return max(mean**2 if loss else mean * (1 - mean), step / 2, LEAST)


def _variance(values: Sequence[float], step: float) -> float:
    told = [round(value, DECIMALS) for value in values]
    mean = math.fsum(told) / len(told)
    return max(math.fsum((value - mean) ** 2 for value in told) / (len(told) - 1), (step * UNSEEN) ** 2)


def bartlett(variances: Sequence[float], freedoms: Sequence[int]) -> float:
    """The p-value of Bartlett's test that variances with these degrees of freedom are equal; 1 for a single one."""
    from scipy.special import chdtrc

    if len(variances) < 2 or not any(variances):
        return 1.0
    if not all(variances):
        return 0.0
    total, less = sum(freedoms), len(variances) - 1
    mean = sum(map(math.prod, zip(variances, freedoms, strict=True))) / total
    gap = sum(freedom * math.log(mean / variance) for variance, freedom in zip(variances, freedoms, strict=True))
    return float(chdtrc(less, gap / (1 + (sum(1 / freedom for freedom in freedoms) - 1 / total) / (3 * less))))


def step_of(result: CellResult, metric: Metric) -> float:
    """What a single image makes of a metric; 0 for a loss, and where the training images are not tabulated."""
    if metric.is_loss:
        return 0.0
    if metric.part == "test":
        return 1 / len(next(iter(result.correct(metric.labels).values())))
    return 1 / result.images[0] if result.images else 0.0


def _similar(one: CellResult, other: CellResult) -> bool:
    a, b = one.cell, other.cell
    return a.key != b.key and (a.dataset, a.recipe.epochs) == (b.dataset, b.recipe.epochs)


def stuck(result: CellResult) -> bool:
    """Whether some seed is no better than always guessing the commonest label, within three standard deviations."""
    chance = result.commonest
    limit = chance + ABOVE_CHANCE * math.sqrt(chance * (1 - chance) / len(result.predicted))
    return min(result.values("test_accuracy")) <= limit
