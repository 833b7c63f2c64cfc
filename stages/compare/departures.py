"""Do the first epochs of our runs, under their full recipe, go as the authors' log says?

Losses are compared as logarithms and accuracies as logits, since there the spread from seed to seed is about the same
everywhere. The log is one training, so the difference of its curve from the mean of our n has the standard deviation
s sqrt(1 + 1/n); s is pooled over the epochs and over the runs of a document, and is never less than a run's own. The
degrees of freedom are those of the seeds alone: epochs of one training depend on each other.

A run **follows** its log if, at every epoch and in every column, the 90 % interval of that difference lies within the
margin that was declared beforehand (each of its ends is a one-sided test at 5 %), and every curve of the named rivals,
in the place of the log, fails that clearly: somewhere its interval lies wholly beyond the margin. (To fail by width
alone proves nothing: a curve of our own process does so more often than not with two seeds.) It **departs** if it lies
beyond the margin somewhere, and the largest |T|, the difference over its standard deviation, has a p-value of at most
5 %, corrected for epochs and columns (Bonferroni) and for the runs of the document (Holm), and exceeds that of every
seed of ours against the other seeds of its run. Otherwise it **cannot be told**. :mod:`benchmarks.first_epochs` tries
it. Nothing here feeds a verdict on a full run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stages.compare.intervals import holm, student_quantile

FOLLOWS, DEPARTS, CANNOT_TELL = "follows", "departs", "cannot tell"
ANSWERS = (FOLLOWS, DEPARTS, CANNOT_TELL)
LEVEL = 0.05
MOST_FREEDOM = 8  # of a p-value: spreads of runs and epochs are not quite alike, so that large |T| are less rare
LEAST_SPREAD = 0.001  # what rounding the log to four digits leaves of a spread

Curves = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A run on the scale of comparison. ``log``: (epochs, columns); ``ours``: (seeds, epochs, columns).

    ``rivals``: curves that must not pass for the log, by their names, (curves, epochs, columns).
    """

    log: Curves
    ours: Curves
    rivals: Mapping[str, Curves] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """The answer on a run. ``t``: the departure, and ``reach``: the far end of the interval, both (epochs, columns).

    ``largest``: max |t|; ``p``: after both corrections; ``rank``: that of the log among itself and our seeds, each set
    against the others, 1 if it is the furthest. None where there is no spread. ``why``: what decided, or did not.
    """

    answer: str
    why: str
    t: Curves | None = None
    reach: Curves | None = None
    largest: float | None = None
    p: float | None = None
    rank: int | None = None


@dataclass(frozen=True)
class Spread:
    """The standard deviation from seed to seed by column, pooled over epochs and runs, and its degrees of freedom."""

    sd: Curves
    freedom: int

    @classmethod
    def of(cls, runs: Iterable[Curves]) -> Spread | None:
        """That of ``runs``, each (seeds, epochs, columns); None if none has two seeds."""
        several = [run for run in runs if len(run) > 1]
        if not several:
            return None
        freedom = sum(len(run) - 1 for run in several)
        squares = sum(((run - run.mean(axis=0)) ** 2).sum(axis=(0, 1)) for run in several)
        sd = np.sqrt(squares / (freedom * several[0].shape[1]))
        return cls(np.maximum(sd, LEAST_SPREAD), freedom)


def decide(cases: Mapping[str, Case], margins: Sequence[float]) -> dict[str, Decision]:
    """The answers on the runs of a document; ``margins`` by column."""
    pooled = Spread.of(case.ours for case in cases.values())
    if pooled is None:
        return {run: Decision(CANNOT_TELL, "no run has two seeds, so their spread is not known") for run in cases}
    sds = {run: _spread_of(case.ours, pooled) for run, case in cases.items()}
    largest = {run: float(np.abs(departure(case.log, case.ours, sds[run])).max()) for run, case in cases.items()}
    own = [left_out(case.ours, sds[run]).max() for run, case in cases.items() if len(case.ours) > 1]
    adjusted = holm([_p(largest[run], pooled.freedom, case.log.size) for run, case in cases.items()])
    decisions = {}
    for (run, case), p in zip(cases.items(), adjusted, strict=True):
        half = student_quantile(1 - LEVEL, pooled.freedom) * sds[run] * np.sqrt(1 + 1 / len(case.ours))
        reach = np.abs(case.log - case.ours.mean(axis=0)) + half
        unlikely = p <= LEVEL and largest[run] > max(own)
        answer, why = _answer(case, half, np.asarray(margins), unlikely=unlikely)
        together = left_out(np.concatenate([case.log[None], case.ours]), sds[run])
        rank = int((together >= together[0]).sum()) if len(case.ours) > 1 else None
        t = departure(case.log, case.ours, sds[run])
        decisions[run] = Decision(answer, why, t, reach, largest[run], p, rank)
    return decisions


def _answer(case: Case, half: Curves, margins: Curves, *, unlikely: bool) -> tuple[str, str]:
    """The answer and what decided it.

    ``half``: half the width of the interval, by column. ``unlikely``: chance does not explain the departure.
    """
    mean = case.ours.mean(axis=0)
    distance = np.abs(case.log - mean)
    if unlikely and (distance > margins).any():
        return DEPARTS, "beyond the margin and beyond chance"
    if not (distance + half <= margins).all():
        return CANNOT_TELL, "the interval is not within the margin"
    beyond = {
        name: all((np.abs(curve - mean) - half > margins).any() for curve in curves)
        for name, curves in case.rivals.items()
    }
    if not beyond:
        return CANNOT_TELL, "within the margin, but no rival is there to be beyond it"
    if near := [name for name, far in beyond.items() if not far]:
        return CANNOT_TELL, f"within the margin, but so may be {', '.join(near)}"
    return FOLLOWS, f"within the margin, and {', '.join(beyond)} beyond"


def departure(curve: Curves, ours: Curves, sd: Curves) -> Curves:
    """T: how far ``curve`` lies from the mean of ``ours``, over the standard deviation of that difference."""
    difference: Curves = curve - ours.mean(axis=0)
    return difference / (sd * np.sqrt(1 + 1 / len(ours)))


def left_out(curves: Curves, sd: Curves) -> Curves:
    """For each of several curves, (curves, epochs, columns), the largest |T| against all others."""
    return np.array([np.abs(departure(curves[i], np.delete(curves, i, axis=0), sd)).max() for i in range(len(curves))])


def as_many_first(firsts: int, seeds: Sequence[int]) -> float:
    """The probability that the log has rank 1 in at least ``firsts`` runs, were it one more seed of ours.

    ``seeds``: n of every run; each has it first with probability 1 / (n + 1).
    """
    distribution = np.ones(1)
    for n in seeds:
        distribution = np.convolve(distribution, [n / (n + 1), 1 / (n + 1)])
    return float(min(1.0, distribution[firsts:].sum()))


def _spread_of(ours: Curves, pooled: Spread) -> Curves:
    own = Spread.of([ours])
    return pooled.sd if own is None else np.maximum(own.sd, pooled.sd)


def _p(largest: float, freedom: int, comparisons: int) -> float:
    from scipy.special import stdtr

    return min(1.0, 2 * comparisons * float(stdtr(min(freedom, MOST_FREEDOM), -largest)))
