"""Do two teams' results of one run agree? Welch's test, both ways, of the difference between their means over seeds.

Both teams trained the same recipe on the same data and tested on the same images, so that the choice of test images
moves both alike and does not count. Seeds are taken to be independent draws of each team's process, nearly normal, with
a standard deviation of each team's own: that of its seeds, pooled over its similar runs (:mod:`stages.compare.pooled`).
About the difference, theirs minus ours, lies the 90 % interval of Welch (1947); each of its ends is a one-sided test at
5 %. The teams **agree** if the whole interval lies within the number's margin, are in **conflict** if it lies wholly
beyond, and otherwise one **cannot tell**. So processes that differ by the margin are said to agree in about 5 % of all
cases, and to be in conflict in as many. Without a margin only a conflict can be told: that the difference is not 0,
two-sided at 5 %. :mod:`benchmarks.two_teams` tries it.

A team of one seed without similar runs is taken to vary as the other does (``basis`` :data:`OF_ONE`); if both have only
that, an accuracy's seeds are taken to be sqrt(e (1 - e) / 2N) apart, as in :mod:`stages.compare.verdicts`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.compare.intervals import ALPHA, DECIMALS, UNSEEN, student_quantile
from stages.compare.pooled import Spread
from stages.compare.verdicts import ASSUMED

AGREE, CONFLICT, CANNOT_TELL = "agree", "conflict", "cannot tell"
OF_BOTH, OF_ONE = "spread of both teams", "spread of one team"


@dataclass(frozen=True)
class Side:
    """A number of one team: its value of every seed, and their spread where it is known."""

    values: Sequence[float]
    spread: Spread | None


@dataclass(frozen=True)
class Difference:
    """Theirs minus ours, its standard error with its degrees of freedom; None where there is nothing to tell it from.

    ``basis``: whose spread it rests on, :data:`OF_BOTH`, :data:`OF_ONE`, ``stages.compare.verdicts.ASSUMED`` or none.
    """

    mean: float
    error: float | None = None
    freedom: float = math.inf
    basis: str = ""

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 90 % interval."""
        if self.error is None:
            return None
        half = student_quantile(1 - ALPHA, self.freedom) * self.error
        return self.mean - half, self.mean + half

    def within(self, margin: float) -> float | None:
        """The p-value of the processes' differing by more than ``margin``."""
        return None if self.error is None else self._upper(margin - abs(self.mean))

    def beyond(self, margin: float | None) -> float | None:
        """The p-value of their differing by no more than ``margin``; None: of their not differing, two-sided."""
        if self.error is None:
            return None
        return min(1.0, 2 * self._upper(abs(self.mean))) if margin is None else self._upper(abs(self.mean) - margin)

    def _upper(self, distance: float) -> float:
        from scipy.special import stdtr

        if not self.error:
            return float(distance < 0) if distance else 0.5
        return float(stdtr(self.freedom, -distance / self.error))


def difference(ours: Side, theirs: Side, images: int | None = None) -> Difference:
    """The difference of a number. ``images``: how many it is the share of, where it is one of test images."""
    mean = round(float(np.mean(theirs.values)) - float(np.mean(ours.values)), DECIMALS) + 0.0  # no -0.0
    sizes = len(ours.values), len(theirs.values)
    known = [side.spread for side in (ours, theirs) if side.spread is not None]
    if len(known) == 2:
        variances = [spread.sd**2 / size for spread, size in zip(known, sizes, strict=True)]
        freedom = welch(variances, [spread.freedom for spread in known])
        return Difference(mean, math.sqrt(sum(variances)), freedom, OF_BOTH)
    if known:
        (spread,) = known
        return Difference(mean, spread.sd * math.sqrt(1 / sizes[0] + 1 / sizes[1]), spread.freedom, OF_ONE)
    if images is None:
        return Difference(mean)
    level = (float(np.mean(theirs.values)) + float(np.mean(ours.values))) / 2
    sd = max(math.sqrt(level * (1 - level) / 2 / images), UNSEEN / images)
    return Difference(mean, sd * math.sqrt(1 / sizes[0] + 1 / sizes[1]), math.inf, ASSUMED)


def welch(variances: Sequence[float], freedoms: Sequence[int]) -> float:
    """The degrees of freedom of a sum of independent estimates of variance (Satterthwaite 1946)."""
    if not any(variances):
        return float(min(freedoms))
    terms = [variance**2 / freedom for variance, freedom in zip(variances, freedoms, strict=True)]
    return sum(variances) ** 2 / sum(terms)


def outcome(found: Difference, margin: float | None) -> str:
    """Whether the teams agree, at 5 % each way."""
    apart, alike = found.beyond(margin), None if margin is None else found.within(margin)
    if alike is not None and alike <= ALPHA:
        return AGREE
    return CONFLICT if apart is not None and apart <= ALPHA else CANNOT_TELL
