"""How sure a difference between runs is: intervals, paired tests, and Holm's correction.

Every test is two-sided. Values per image are of one seed and compared on the same test images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.05  # of a two-sided test or a family of them, and of each of two one-sided tests
CONFIDENCE = 1 - ALPHA
DECIMALS = 12  # of accuracies and their sums: what lies beyond is the rounding of the arithmetic, not a difference
PerSeed = Mapping[int, NDArray[np.generic]]
UNSEEN = 1 / math.sqrt(12)  # standard deviation of what rounding to whole steps takes away, in steps


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval, and the p-value of its being 0; None where there is nothing to tell it from."""

    mean: float
    low: float | None
    high: float | None
    seeds: int
    p: float | None = None


def accuracy_of(right: PerSeed) -> float:
    """The accuracy of a run, mean over its seeds; 0..1."""
    return sum(float(images.mean()) for images in right.values()) / len(right)


def contrast(sides: Sequence[tuple[float, PerSeed]]) -> dict[int, NDArray[np.float64]]:
    """Per seed and image, the sum of each side times its weight. Raises ValueError if seeds or images do not match."""
    seeds = sides[0][1].keys()
    if any(side.keys() != seeds for _, side in sides):
        raise ValueError("the runs have different seeds")
    weights = [weight for weight, _ in sides]
    return {seed: np.round(np.tensordot(weights, np.stack([side[seed].astype(np.float64) for _, side in sides]), 1),
                           DECIMALS) for seed in seeds}  # fmt: skip


def paired_difference(first: PerSeed, second: PerSeed, level: float = CONFIDENCE) -> Estimate:
    """The difference in accuracy, first minus second, of runs with the same seeds on the same test images.

    Per seed and image, whether the prediction is right. Raises ValueError if seeds or images do not match.
    """
    return estimate(contrast([(1.0, first), (-1.0, second)]), level)


def estimate(per_image: Mapping[int, NDArray[np.float64]], level: float = CONFIDENCE) -> Estimate:
    """The mean of a value that every test image has under every seed, with its ``level`` interval.

    With several seeds Student's interval and test over the seeds' means; pairs share their training subset. With one
    seed over the images: the normal interval, and McNemar's exact test where the values are -1, 0 and 1, else the
    normal one. That covers the choice of test images, not that of the seed.
    """
    if len(per_image) > 1:
        images = len(next(iter(per_image.values())))
        return over_seeds([float(values.mean()) for values in per_image.values()], level, step=1 / images)
    (values,) = per_image.values()
    mean, count = float(values.mean()), len(values)
    if count < 2:
        return Estimate(mean, None, None, 1)
    error = float(values.std(ddof=1)) / math.sqrt(count)
    half = NormalDist().inv_cdf(0.5 + level / 2) * error
    if np.isin(values, (-1, 0, 1)).all():
        p = mcnemar(int((values > 0).sum()), int((values < 0).sum()))
    else:
        p = 2 * NormalDist().cdf(-abs(mean) / error) if error else float(mean == 0)
    return Estimate(mean, mean - half, mean + half, 1, p)


def over_seeds(values: Sequence[float], level: float = CONFIDENCE, *, step: float = 0.0) -> Estimate:
    """The mean of a value that every seed has, with Student's interval and test; without them for a single seed.

    ``step``: how far apart two values are at least that differ, 1 / images for an accuracy. Seeds that agree may differ
    by less, so their spread counts as that of values rounded to such steps, not as 0.
    """
    values = np.round(values, DECIMALS).tolist()
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return Estimate(mean, None, None, count)
    from scipy.special import stdtr

    error = max(float(np.std(values, ddof=1)), step * UNSEEN) / math.sqrt(count)
    half = student_quantile(0.5 + level / 2, count - 1) * error
    p = 2 * float(stdtr(count - 1, -abs(mean) / error)) if error else float(mean == 0)
    return Estimate(mean, mean - half, mean + half, count, p)


@cache
def student_quantile(probability: float, freedom: float) -> float:
    """The quantile of Student's distribution; the normal one for infinite ``freedom``."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability))


def mcnemar(only_first: int, only_second: int) -> float:
    """McNemar's exact test: how many images only the first run has right, and how many only the second."""
    if only_first + only_second == 0:
        return 1.0
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(only_first, only_second), only_first + only_second, 0.5)))


def equality(runs: Sequence[PerSeed]) -> float:
    """The p-value of several runs' accuracies being the same, on the same images under the same seeds.

    With one seed Cochran's Q over the images, with several the F test of a repeated-measures analysis of variance over
    the seeds.
    """
    from scipy.special import chdtrc, fdtrc

    if len(runs[0]) == 1:
        table = np.stack([next(iter(run.values())).astype(np.float64) for run in runs], axis=1)
        columns, rows, count = table.sum(axis=0), table.sum(axis=1), len(runs)
        spread = float((rows * (count - rows)).sum())
        q = (count - 1) * count * float(((columns - columns.mean()) ** 2).sum()) / spread if spread else 0.0
        return float(chdtrc(count - 1, q))
    means = np.round([[float(run[seed].mean()) for run in runs] for seed in runs[0]], DECIMALS)
    seeds, count = means.shape
    effects = means.mean(axis=0) - means.mean()
    rest = np.round(means - means.mean(axis=1, keepdims=True) - effects, DECIMALS)
    effects = np.round(effects, DECIMALS)
    freedom = (seeds - 1) * (count - 1)
    between, within = seeds * float((effects**2).sum()) / (count - 1), float((rest**2).sum()) / freedom
    step = 1 / len(next(iter(runs[0].values())))
    return float(fdtrc(count - 1, freedom, between / max(within, (step * UNSEEN) ** 2)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment: each at most its level while all of them together are (Holm 1979)."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
