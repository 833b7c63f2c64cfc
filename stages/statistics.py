"""How sure a difference between two runs is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval; both ends None where there is nothing to estimate it from. ``seeds``: how many."""

    mean: float
    low: float | None
    high: float | None
    seeds: int


def paired_difference(first: Mapping[int, NDArray[np.bool_]], second: Mapping[int, NDArray[np.bool_]]) -> Estimate:
    """The difference in accuracy, first minus second, of runs with the same seeds on the same test images.

    Per seed and image, whether the prediction is right. With several seeds the interval is Student's over the seeds'
    differences, each pair sharing its training subset. With one seed it is the normal one over the images' differences:
    it covers the choice of test images, not that of the seed. Raises ValueError if seeds or images do not match.
    """
    if first.keys() != second.keys():
        raise ValueError("the runs have different seeds")
    per_image = {seed: first[seed].astype(float) - second[seed].astype(float) for seed in first}
    if len(per_image) > 1:
        return over_seeds([float(difference.mean()) for difference in per_image.values()])
    (difference,) = per_image.values()
    mean, count = float(difference.mean()), len(difference)
    if count < 2:
        return Estimate(mean, None, None, 1)
    half = NormalDist().inv_cdf(0.5 + LEVEL / 2) * float(difference.std(ddof=1)) / math.sqrt(count)
    return Estimate(mean, mean - half, mean + half, 1)


def over_seeds(values: Sequence[float]) -> Estimate:
    """The mean of a value that every seed has, with Student's interval; without one for a single seed."""
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return Estimate(mean, None, None, count)
    from scipy.stats import t

    half = float(t.ppf(0.5 + LEVEL / 2, count - 1)) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return Estimate(mean, mean - half, mean + half, count)
