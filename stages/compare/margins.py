"""Do runs differ by less than a margin, or by more? Tests over seeds; every p-value may be put among those of Holm.

``step``: how far apart two values are at least that differ, as for :func:`stages.compare.intervals.over_seeds`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stages.compare.intervals import DECIMALS, UNSEEN


def within(values: Sequence[float], amount: float, margin: float, step: float) -> float:
    """The p-value of the mean lying farther than ``margin`` from ``amount``: two one-sided tests; 2 seeds at least."""
    off = np.array(values)[:, None] - amount
    return float(max(_positive(margin + off, step), _positive(margin - off, step)).item())


def beyond(values: Sequence[float], amount: float, margin: float, step: float) -> float:
    """The p-value of the mean lying no farther than ``margin`` from ``amount``, two-sided; 2 seeds at least."""
    off = np.array(values)[:, None] - amount
    return min(1.0, 2 * float(min(_positive(off - margin, step), _positive(-off - margin, step)).item()))


def all_within(values: NDArray[np.float64], margin: float, step: float) -> float:
    """The p-value of some pair of runs being farther apart than ``margin``; ``values``: (seeds, runs), 2 of each.

    That of the least certain pair: to be wrong about all of them one has to be wrong about that one.
    """
    one, other = np.triu_indices(values.shape[1], 1)
    pairs = values[:, one] - values[:, other]
    return float(np.maximum(_positive(margin + pairs, step), _positive(margin - pairs, step)).max())


def a_pair_beyond(values: NDArray[np.float64], margin: float, step: float) -> float:
    """The p-value of no pair of runs being farther apart than ``margin``; ``values``: (seeds, runs), 2 of each.

    Student's test, two-sided, of the pair that is farthest apart, times the number of pairs (Bonferroni). Its variance
    is what remains of the values without the means of runs and of seeds, taken to be the same for all runs.
    :mod:`benchmarks.sentences` tries it, also where they are not.
    """
    from scipy.special import stdtr

    seeds, runs = values.shape
    means = values.mean(axis=0)
    rest = values - means - values.mean(axis=1, keepdims=True) + values.mean()
    freedom = (seeds - 1) * (runs - 1)
    variance = max(float((rest**2).sum()) / freedom, (step * UNSEEN) ** 2)
    t = (float(np.ptp(means)) - margin) / (2 * variance / seeds) ** 0.5
    return min(1.0, runs * (runs - 1) * float(stdtr(freedom, -t)))


def _positive(values: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """The one-sided p-value of each column's mean not being positive, by Student over the rows."""
    from scipy.special import stdtr

    values = np.round(values, DECIMALS)
    seeds, means = len(values), values.mean(axis=0)
    error = np.maximum(values.std(axis=0, ddof=1), step * UNSEEN) / np.sqrt(seeds)
    t = np.divide(means, error, out=np.where(means > 0, np.inf, -np.inf), where=error > 0)
    p_values: NDArray[np.float64] = stdtr(seeds - 1, -t)
    return p_values
