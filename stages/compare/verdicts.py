"""Does a measured number reproduce a published one? Equivalence by two one-sided tests.

The difference that still counts as the same result, the margin, is declared beside the published number before the
run. A number is measured with a 90 % interval: each of its ends is a one-sided test at 5 %. It is a **match** if the
whole interval lies within the margin of the published number, **better** or **worse** if the whole interval lies
beyond, and **inconclusive** otherwise. So a difference as large as the margin is called a match in at most 5 % of all
cases, and one within the margin better or worse in at most 5 % (Schuirmann 1987). :mod:`benchmarks.verdicts` tries it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stages.compare.class_scores import by_class
from stages.compare.intervals import ALPHA, EQUIVALENCE, over_seeds
from stages.compare.scale import NOT_RUN
from stages.documents.claims import Claim
from stages.results.cell_result import CellResult
from stages.results.metric import Metric
from stages.splits.streams import numpy_stream

MATCH, BETTER, WORSE, INCONCLUSIVE = "match", "better", "worse", "inconclusive"
VERDICTS = (MATCH, BETTER, WORSE, INCONCLUSIVE, NOT_RUN)
RESAMPLES = 1000
SEEDS, IMAGES, RESAMPLED, EXACT = "seeds", "binomial, 1 seed", "resampled test set, 1 seed", "exact"

Direction = Literal["higher", "lower", "equal"]


@dataclass(frozen=True)
class Interval:
    """A number with the ends of its two one-sided tests; None where there is no way to tell. ``basis``: from what."""

    mean: float
    low: float | None
    high: float | None
    seeds: int
    basis: str


@dataclass(frozen=True)
class Target:
    """The range of exact values that a published number stands for; ``basis``: ``printed`` or the authors' ``log``."""

    low: float
    high: float
    basis: str


def target(claim: Claim) -> Target:
    """What the verdict is measured against: the authors' own log where it has the number, else what was printed."""
    if claim.author_log is not None:
        return Target(claim.author_log, claim.author_log, "log")
    return Target(*claim.printed_range(), "printed")


def judge(found: Interval, aim: Target, margin: float, better: Direction) -> str:
    """The verdict; where a number has to be ``equal``, every mismatch is ``worse``."""
    if found.low is None or found.high is None:
        return INCONCLUSIVE
    low, high = aim.low - margin, aim.high + margin
    if low <= found.low and found.high <= high:
        return MATCH
    if low <= found.high and found.low <= high:
        return INCONCLUSIVE
    above = found.low > high
    return BETTER if above == (better == "higher") and better != "equal" else WORSE


def interval_of(result: CellResult, metric: Metric) -> Interval:
    """A claim's metric of a run. Raises KeyError for a label that the data lack or a split that is not tabulated."""
    values = result.values(metric)
    seeds = len(result.cell.recipe.seeds)
    if metric.counted:
        return Interval(values[0], values[0], values[0], seeds, EXACT)
    return student(values, _step(result, metric)) if seeds > 1 else _one_seed(result, metric, values[0])


def student(values: Sequence[float], step: float = 0.0) -> Interval:
    """Student's interval over the seeds; ``step`` as for :func:`stages.compare.intervals.over_seeds`."""
    found = over_seeds(values, EQUIVALENCE, step=step)
    return Interval(found.mean, found.low, found.high, found.seeds, SEEDS)


def _step(result: CellResult, metric: Metric) -> float:
    """What a single image makes of a metric; 0 for a loss, and where the training images are not tabulated."""
    if metric.is_loss:
        return 0.0
    if metric.part == "test":
        return 1 / len(next(iter(result.correct(metric.labels).values())))
    return 1 / result.images[0] if result.images else 0.0


def binomial(right: int, images: int) -> Interval:
    """An accuracy with the exact interval of Clopper and Pearson: over test sets, for the one seed."""
    from scipy.stats import binomtest

    ends = binomtest(right, images).proportion_ci(EQUIVALENCE, method="exact")
    return Interval(right / images, float(ends.low), float(ends.high), 1, IMAGES)


def _one_seed(result: CellResult, metric: Metric, value: float) -> Interval:
    """The interval over the choice of test images; none for what was measured on training images."""
    if metric.part == "train":
        return Interval(value, None, None, 1, "")
    if metric.is_loss:
        return _loss(result, metric, value)
    if metric.is_share:
        return _share(result, metric, value)
    stream = numpy_stream("resampled test set", result.cell.key, str(metric))
    low, high = resampled(result.confusion(), metric, stream)
    return Interval(value, low, high, 1, RESAMPLED)


def _loss(result: CellResult, metric: Metric, value: float) -> Interval:
    (scores,) = result.metrics.seeds
    if not math.isclose(scores.loss, scores.nll, rel_tol=1e-4):  # some images do not count: not a mean over them
        return Interval(value, None, None, 1, "")
    scale = value / scores.loss if metric.quantity == "loss_sum" else 1.0
    half = NormalDist().inv_cdf(1 - ALPHA) * scores.nll_error * scale
    return Interval(value, value - half, value + half, 1, "test images, 1 seed")


def _share(result: CellResult, metric: Metric, value: float) -> Interval:
    (right,) = result.correct(metric.labels).values()
    found = binomial(int(right.sum()), len(right))
    if metric.quantity != "error":
        return found
    assert found.low is not None
    assert found.high is not None
    return Interval(value, 1 - found.high, 1 - found.low, 1, IMAGES)


def resampled(confusion: NDArray[np.int64], metric: Metric, stream: np.random.Generator) -> tuple[float, float]:
    """The 5 % and 95 % quantiles of a metric over test sets drawn with replacement; see :func:`scores`."""
    images = int(confusion.sum())
    draws = stream.multinomial(images, confusion.ravel() / images, size=RESAMPLES)
    low, high = np.quantile(scores(draws.reshape(-1, *confusion.shape), metric), (ALPHA, 1 - ALPHA))
    return float(low), float(high)


def scores(confusions: NDArray[np.int64], metric: Metric) -> NDArray[np.float64]:
    """A precision, recall or F1 as in :mod:`stages.learning.metrics`, of many matrices, (N, classes, classes)."""
    actual, predicted = confusions.sum(axis=2), confusions.sum(axis=1)
    weights = actual if metric.average == "weighted" else (actual + predicted > 0).astype(np.int64)
    return (by_class(confusions, metric.quantity) * weights).sum(axis=1) / weights.sum(axis=1)
