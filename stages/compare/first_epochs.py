"""Do the first epochs of our runs, under their full recipe, go as the authors' log says?

Losses are compared as logarithms and accuracies as logits, since there the spread from seed to seed is about the same
everywhere. The log is one training, so the difference of its curve from the mean of our n has the standard deviation
s sqrt(1 + 1/n); s is pooled over the epochs and over the runs of a document, and is never less than a run's own. The
degrees of freedom are those of the seeds alone: epochs of one training depend on each other.

A run **follows** its log if, at every epoch and in every column, the 90 % interval of that difference lies within the
margin that was declared beforehand (each of its ends is a one-sided test at 5 %), and the curves of the named rivals,
in the place of the log, fail the same test. It **departs** if the largest |T|, the difference over its standard
deviation, has a p-value of at most 5 %, corrected for epochs and columns (Bonferroni) and for the runs of the document
(Holm), and exceeds that of every seed of ours against the other seeds of its run. Otherwise it **cannot be told**.
:mod:`benchmarks.first_epochs` tries it. Nothing here feeds a verdict on a full run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.compare.intervals import holm, student_quantile
from stages.documents.exhibits import FirstEpochsRule

FOLLOWS, DEPARTS, CANNOT_TELL = "follows", "departs", "cannot tell"
ANSWERS = (FOLLOWS, DEPARTS, CANNOT_TELL)
LEVEL = 0.05
LEAST_SPREAD = 0.001  # what rounding the log to four digits leaves of a spread
_EDGE = 5e-5  # an accuracy of 0 or 1 counts as half an image of 10,000 from there

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
        reach = _reach(case.log, case.ours, sds[run], pooled.freedom)
        departs = p <= LEVEL and largest[run] > max(own)
        answer, why = _answer(case, sds[run], pooled.freedom, np.asarray(margins), departs)
        together = left_out(np.concatenate([case.log[None], case.ours]), sds[run])
        rank = int((together >= together[0]).sum()) if len(case.ours) > 1 else None
        t = departure(case.log, case.ours, sds[run])
        decisions[run] = Decision(answer, why, t, reach, largest[run], p, rank)
    return decisions


def _answer(case: Case, sd: Curves, freedom: int, margins: Curves, departs: bool) -> tuple[str, str]:
    """The answer and what decided it."""
    passes = {name: any(_within(curve, case.ours, sd, freedom, margins) for curve in curves)
              for name, curves in case.rivals.items()}  # fmt: skip
    if not _within(case.log, case.ours, sd, freedom, margins):
        return (DEPARTS, "beyond chance") if departs else (CANNOT_TELL, "the interval is not within the margin")
    if not passes:
        return CANNOT_TELL, "within the margin, but there is no rival to fail"
    if too := [name for name, passed in passes.items() if passed]:
        return CANNOT_TELL, f"within the margin, but so would be {', '.join(too)}"
    return FOLLOWS, f"within the margin, as {', '.join(passes)} would not be"


def departure(curve: Curves, ours: Curves, sd: Curves) -> Curves:
    """T: how far ``curve`` lies from the mean of ``ours``, over the standard deviation of that difference."""
    difference: Curves = curve - ours.mean(axis=0)
    return difference / (sd * np.sqrt(1 + 1 / len(ours)))


def left_out(curves: Curves, sd: Curves) -> Curves:
    """For each of several curves, (curves, epochs, columns), the largest |T| against all others."""
    return np.array([np.abs(departure(curves[i], np.delete(curves, i, axis=0), sd)).max() for i in range(len(curves))])


def most_outlying(decisions: Iterable[Decision], seeds: Mapping[int, int] | Sequence[int]) -> tuple[int, float, float]:
    """In how many runs the log is further from our seeds than each of them is from the rest, and how many by chance.

    Were the log one more seed of ours, each run would be such a one with probability 1 / (n + 1). Also the p-value:
    that chance gives at least as many. ``seeds``: of every run.
    """
    chances, count = [], 0
    for decision, n in zip(decisions, seeds, strict=True):
        if decision.rank is not None:
            chances.append(1 / (n + 1))
            count += decision.rank == 1
    distribution = np.ones(1)
    for chance in chances:
        distribution = np.convolve(distribution, [1 - chance, chance])
    return count, sum(chances), float(min(1.0, distribution[count:].sum()))


def _spread_of(ours: Curves, pooled: Spread) -> Curves:
    own = Spread.of([ours])
    return pooled.sd if own is None else np.maximum(own.sd, pooled.sd)


def _p(largest: float, freedom: int, comparisons: int) -> float:
    from scipy.special import stdtr

    return min(1.0, 2 * comparisons * float(stdtr(freedom, -largest)))


def _reach(curve: Curves, ours: Curves, sd: Curves, freedom: int) -> Curves:
    """The end of the 90 % interval of the difference that is further from 0."""
    half = student_quantile(1 - LEVEL, freedom) * sd * np.sqrt(1 + 1 / len(ours))
    reach: Curves = np.abs(curve - ours.mean(axis=0)) + half
    return reach


def _within(curve: Curves, ours: Curves, sd: Curves, freedom: int, margins: Curves) -> bool:
    return bool((_reach(curve, ours, sd, freedom) <= margins).all())


def on_scale(table: pd.DataFrame, rule: FirstEpochsRule) -> Curves | None:
    """The first epochs of one training, (epochs, columns), as log losses and logit accuracies; None if some are missing.

    ``table``: a row per epoch (from 0), named as in curves.csv.
    """
    rows = table[table["epoch"] < rule.epochs].sort_values("epoch")
    if rows["epoch"].tolist() != list(range(rule.epochs)) or rows[list(rule.margins)].isna().any(axis=None):
        return None
    columns = []
    for name in rule.margins:
        values = rows[name].to_numpy(np.float64)
        share = np.clip(values, _EDGE, 1 - _EDGE)
        columns.append(np.log(values) if "loss" in name else np.log(share / (1 - share)))
    return np.stack(columns, axis=1)


def curves_of(table: pd.DataFrame, rule: FirstEpochsRule) -> Curves | None:
    """Those of all seeds of a curves.csv that have them, (seeds, epochs, columns); None if no seed has."""
    found = [curve for _, rows in table.groupby("seed") if (curve := on_scale(rows, rule)) is not None]
    return np.stack(found) if found else None
