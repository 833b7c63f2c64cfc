"""Does a measured number reproduce a published one? Equivalence by two one-sided tests of two processes.

The difference that still counts as the same result, the margin, is declared beside the published number before the
run. Both numbers are draws: ours the mean over n seeds, theirs, printed or logged, one training. Were their process
ours, the two would differ with the standard deviation s sqrt(1 + 1/n), s from seed to seed. Around our mean lies a 90 %
interval of that width; each of its ends is a one-sided test at 5 %. The number is a **match** if the whole interval
lies within the margin of the published number, **better** or **worse** if the whole interval lies beyond, and
**inconclusive** otherwise. So processes that differ by the margin are called a match in at most 5 % of all cases, and
better or worse in at most 5 % (Schuirmann 1987). :mod:`benchmarks.verdicts` tries it. Of a document that gives no
recipe, ours is a reading: it may match or **differ**, but is neither better nor worse.

Beside the verdict stands whether their number is a **plausible** draw of our process: within the 95 % interval in which
one more seed of ours would lie. That needs no margin, and alone is no match: a wide interval holds anything.

``s`` is that of the seeds, pooled over similar runs (:mod:`stages.compare.pooled`). One seed without similar runs tells
nothing of it; what is then assumed is that two trainings differ as much as two test sets of this size do, which for an
accuracy means seeds sqrt(e (1 - e) / 2N) apart. The interval so has the shape of the binomial one, and the basis
:data:`ASSUMED`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stages.compare.class_scores import by_class
from stages.compare.intervals import ALPHA, student_quantile
from stages.compare.pooled import Spread, spread_of
from stages.compare.scale import NOT_RUN
from stages.documents.claims import Claim
from stages.results.cell_result import CellResult
from stages.results.metric import Metric
from stages.splits.streams import numpy_stream

MATCH, BETTER, WORSE, INCONCLUSIVE = "match", "better", "worse", "inconclusive"
OURS_HIGHER, OURS_LOWER = "differs (ours higher)", "differs (ours lower)"
VERDICTS = (MATCH, BETTER, WORSE, OURS_HIGHER, OURS_LOWER, INCONCLUSIVE, NOT_RUN)
RESAMPLES = 1000
ASSUMED, EXACT = "assumed", "exact"

Direction = Literal["higher", "lower", "equal"]


@dataclass(frozen=True)
class Interval:
    """A number with the ends of its two one-sided tests, and the interval of one more seed; None where unknown.

    ``low`` and ``high`` allow for the published number's being one draw. ``basis``: where the spread from seed to seed
    is from, one of ``stages.compare.pooled.SEEDS``, ``POOLED``, :data:`ASSUMED` and :data:`EXACT` (a count); empty if
    from nowhere.
    """

    mean: float
    low: float | None
    high: float | None
    seeds: int
    basis: str
    predicted_low: float | None = None
    predicted_high: float | None = None


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


def judge(found: Interval, aim: Target, margin: float, better: Direction, *, reading: bool = False) -> str:
    """The verdict; where a number has to be ``equal``, every mismatch is ``worse``; a ``reading`` only differs."""
    if found.low is None or found.high is None:
        return INCONCLUSIVE
    low, high = aim.low - margin, aim.high + margin
    if low <= found.low and found.high <= high:
        return MATCH
    if low <= found.high and found.low <= high:
        return INCONCLUSIVE
    return _apart(found.low > high, better, reading)


def judge_without_margin(found: Interval, aim: Target, better: Direction, *, reading: bool = False) -> str:
    """The verdict where no margin was declared: only that the numbers are not of one process can be told."""
    if plausible(found, aim) is not False:
        return INCONCLUSIVE
    return _apart(found.mean > aim.high, better, reading)


def _apart(above: bool, better: Direction, reading: bool) -> str:
    if reading:
        return OURS_HIGHER if above else OURS_LOWER
    return BETTER if above == (better == "higher") and better != "equal" else WORSE


def plausible(found: Interval, aim: Target) -> bool | None:
    """Whether the published number may be one more seed of ours, at 5 %; None where their spread is not measured."""
    if found.predicted_low is None or found.predicted_high is None:
        return None
    return found.predicted_low <= aim.high and aim.low <= found.predicted_high


def interval_of(result: CellResult, metric: Metric, others: Iterable[CellResult] = ()) -> Interval:
    """A claim's metric of a run, its spread pooled with that of the similar runs among ``others``.

    Raises KeyError for a label that the data lack or a split that is not tabulated.
    """
    values = result.values(metric)
    if metric.counted:
        return Interval(values[0], values[0], values[0], len(result.cell.recipe.seeds), EXACT)
    spread = spread_of(result, metric, others)
    return _one_seed(result, metric, values[0]) if spread is None else drawn(values, spread)


def drawn(values: Sequence[float], spread: Spread) -> Interval:
    """The mean over seeds with Student's intervals of its difference from one draw of the same process."""
    mean, reach = float(np.mean(values)), spread.sd * math.sqrt(1 + 1 / len(values))
    half = student_quantile(1 - ALPHA, spread.freedom) * reach
    wide = student_quantile(1 - ALPHA / 2, spread.freedom) * reach
    return Interval(mean, mean - half, mean + half, len(values), spread.basis, mean - wide, mean + wide)


def binomial(right: int, images: int) -> Interval:
    """An accuracy of one seed with the exact interval of Clopper and Pearson, see :data:`ASSUMED`.

    Its variance, e (1 - e) / N, is that of the difference of two seeds each of which has half of it.
    """
    from scipy.special import betaincinv  # scipy.stats has this ready, and takes a second to import

    low = float(betaincinv(right, images - right + 1, ALPHA)) if right else 0.0
    high = float(betaincinv(right + 1, images - right, 1 - ALPHA)) if right < images else 1.0
    return Interval(right / images, low, high, 1, ASSUMED)


def _one_seed(result: CellResult, metric: Metric, value: float) -> Interval:
    """The interval under :data:`ASSUMED`; none for what was measured on training images."""
    if metric.part == "train":
        return Interval(value, None, None, 1, "")
    if metric.is_loss:
        return _loss(result, metric, value)
    if metric.is_share:
        return _share(result, metric, value)
    stream = numpy_stream("resampled test set", result.cell.key, str(metric))
    low, high = resampled(result.confusion(), metric, stream)
    return Interval(value, low, high, 1, ASSUMED)


def _loss(result: CellResult, metric: Metric, value: float) -> Interval:
    (scores,) = result.metrics.seeds
    if not math.isclose(scores.loss, scores.nll, rel_tol=1e-4):  # some images do not count: not a mean over them
        return Interval(value, None, None, 1, "")
    scale = value / scores.loss if metric.quantity == "loss_sum" else 1.0
    half = NormalDist().inv_cdf(1 - ALPHA) * scores.nll_error * scale
    return Interval(value, value - half, value + half, 1, ASSUMED)


def _share(result: CellResult, metric: Metric, value: float) -> Interval:
    (right,) = result.correct(metric.labels).values()
    found = binomial(int(right.sum()), len(right))
    if metric.quantity != "error":
        return found
    assert found.low is not None
    assert found.high is not None
    return Interval(value, 1 - found.high, 1 - found.low, 1, ASSUMED)


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
