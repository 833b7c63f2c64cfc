"""What a sentence is held against where nothing has to be run: the printed numbers, and the authors' own log.

Both give a run's numbers by their names; what a ground does not have is None.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from stages.compare.intervals import DECIMALS
from stages.core.errors import StageError
from stages.documents.claims import Claim
from stages.documents.statement import Statement
from stages.results.metric import Metric

Images = Mapping[str, Mapping[int, int]]  # of a run's test set, by run and label


@dataclass(frozen=True)
class Span:
    """A value, and from where to where the exact one may lie, the ends left out unless they are the value itself."""

    low: float
    value: float
    high: float

    @classmethod
    def exact(cls, value: float) -> Span:
        """A value that is known to all its digits."""
        return cls(value, value, value)


def weighted(terms: Iterable[tuple[float, Span]]) -> Span:
    """The sum of spans, each times its weight."""
    listed = list(terms)
    low = sum(weight * (span.low if weight > 0 else span.high) for weight, span in listed)
    high = sum(weight * (span.high if weight > 0 else span.low) for weight, span in listed)
    value = sum(weight * span.value for weight, span in listed)
    return Span(*(round(number, DECIMALS) + 0.0 for number in (low, value, high)))  # + 0.0: no -0.0


def as_claimed(statement: Statement, span: Span) -> bool | None:
    """Whether a difference is as the sentence has it: True or False wherever in the span it lies, else None."""
    low, high = span.low, span.high
    if statement.claimed == "equal":
        assert statement.margin is not None
        least, most = (round(statement.amount + side * statement.margin, DECIMALS) for side in (-1, 1))
        return True if least <= low and high <= most else False if high <= least or most <= low else None
    if statement.claimed == "smaller":
        low, high = -high, -low
    return True if low >= 0 and high > 0 else False if high <= 0 and low < 0 else None


class Ground(ABC):
    """Where numbers of the document's runs stand; ``images``: its test images, as far as they are printed."""

    def __init__(self, images: Images) -> None:
        self._images = images

    @abstractmethod
    def number(self, run: str, metric: Metric) -> Span | None:
        """A metric of a run."""

    @abstractmethod
    def epochs(self, run: str, column: str, level: float) -> Span | None:
        """The first epoch, from 1, after which a column of the curves is at least ``level``."""

    @abstractmethod
    def level(self, statement: Statement) -> Span:
        """The level that a sentence compares an accuracy with. Raises StageError for an unknown claim."""

    def accuracy(self, run: str, labels: Sequence[int] | None) -> Span | None:
        """The accuracy on the test images of ``labels``, all by default."""
        if labels is None:
            return self.number(run, Metric("accuracy", "test"))
        counts = [self._images.get(run, {}).get(label, 0) for label in labels]
        recalls = [self.number(run, Metric("recall", "test", label=label)) for label in labels]
        terms = [(n / sum(counts), recall) for n, recall in zip(counts, recalls, strict=True) if n and recall]
        return weighted(terms) if len(terms) == len(labels) else None


class Printed(Ground):
    """The numbers of claims.csv, each from where to where its digits allow."""

    def __init__(self, claims: Sequence[Claim], images: Images) -> None:
        super().__init__(images)
        self._claims = {(claim.run, claim.metric): claim for claim in reversed(claims)}
        self._by_id = {claim.id: claim for claim in claims}

    def number(self, run: str, metric: Metric) -> Span | None:
        """A metric as printed; an accuracy may have been printed as an error."""
        claim = self._claims.get((run, metric))
        if claim is not None:
            return _span(claim)
        error = self._claims.get((run, Metric("error", metric.part))) if metric.quantity == "accuracy" else None
        return None if error is None else weighted([(1.0, Span.exact(1.0)), (-1.0, _span(error))])

    def epochs(self, run: str, column: str, level: float) -> None:
        """None: tables have no curves."""

    def level(self, statement: Statement) -> Span:
        """The cited number as the document printed it, else the sentence's own."""
        assert statement.level is not None
        if not statement.cited:
            return Span.exact(statement.level)
        if statement.cited not in self._by_id:
            raise StageError(
                f"paper.yaml, statement '{statement.id}': unknown claim '{statement.cited}'; "
                "expected an id of claims.csv."
            )
        return _span(self._by_id[statement.cited])


class Logged(Ground):
    """The authors' log, one training of each run, to the digits that were logged."""

    def __init__(self, log: pd.DataFrame, images: Images) -> None:
        super().__init__(images)
        self._curves = {str(run): curves.sort_values("epoch") for run, curves in log.groupby("run")}

    def number(self, run: str, metric: Metric) -> Span | None:
        """A metric after the last epoch that was logged."""
        curves = self._curves.get(run)
        if curves is None or str(metric) not in curves or pd.isna(curves[str(metric)].iloc[-1]):
            return None
        return Span.exact(float(curves[str(metric)].iloc[-1]))

    def epochs(self, run: str, column: str, level: float) -> Span | None:
        """None also if the level is never reached."""
        curves = self._curves.get(run)
        reached = [] if curves is None else curves.loc[curves[column] >= level, "epoch"].tolist()
        return Span.exact(float(reached[0] + 1)) if reached else None

    def level(self, statement: Statement) -> Span:
        """The sentence's own."""
        assert statement.level is not None
        return Span.exact(statement.level)


def _span(claim: Claim) -> Span:
    low, high = claim.printed_range()
    return Span(low, claim.value, high)
