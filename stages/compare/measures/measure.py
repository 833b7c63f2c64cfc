"""What every measure of a sentence is: a difference of a ground's numbers, and one of our runs, with its test."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from stages.compare.grounds import Ground, Span, as_claimed, weighted
from stages.compare.intervals import DECIMALS, Estimate, over_seeds
from stages.compare.margins import beyond, within
from stages.documents.statement import Statement
from stages.results.cell_result import CellResult

Runs = Sequence[CellResult]
SEEDS, IMAGES, ONE_SEED = "seeds", "test images, 1 seed", "1 seed"


@dataclass(frozen=True)
class Difference:
    """What a measure gives of our runs; ``first`` and ``second`` are what is compared, where two values are.

    ``estimate.p``: how likely a difference as clear as this is, were it on the other side of what is claimed; None for
    one seed. ``basis``: what the interval is over. ``as_claimed``: whether the difference is so, as it came out.
    """

    estimate: Estimate
    basis: str
    as_claimed: bool
    first: float | None = None
    second: float | None = None


@dataclass(frozen=True)
class Measure(ABC):
    """What is measured of a sentence's first and second runs."""

    beside_level: ClassVar[bool] = False  # whether the first runs may be compared with the statement's level
    statement: Statement

    @abstractmethod
    def value(self, ground: Ground, run: str) -> Span | None:
        """What a ground has of a run."""

    def level(self, ground: Ground) -> list[Span]:
        """The level that stands in place of second runs, where one does."""
        return [ground.level(self.statement)] if self.beside_level and self.statement.level is not None else []

    @abstractmethod
    def of_values(self, sides: Sequence[Sequence[Span]]) -> Span:
        """The difference of such values, of the first runs and, where there are, the second."""

    @abstractmethod
    def of_runs(self, first: Runs, second: Runs) -> Difference | None:
        """The difference of our runs; None if there is nothing to measure."""

    @property
    def margin(self) -> float:
        """How far from its amount an equality may be."""
        assert self.statement.margin is not None
        return self.statement.margin

    def says(self, difference: float) -> bool:
        """Whether a difference that is known to all its digits is as claimed."""
        return bool(as_claimed(self.statement, Span.exact(round(difference, DECIMALS))))

    def over(self, values: Sequence[float], step: float, *compared: float) -> Difference:
        """The difference from its value under each seed; ``compared``: the two that it is of."""
        found = over_seeds(values, step=step)
        said = self.says(found.mean)
        if self.statement.claimed == "equal" and found.seeds > 1:
            test = within if said else beyond
            found = replace(found, p=test(values, self.statement.amount, self.margin, step))
        return Difference(found, SEEDS if found.seeds > 1 else ONE_SEED, said, *compared)


def mean_difference(sides: Sequence[Sequence[Span]]) -> Span:
    """The mean of the first side, minus that of the second where there is one."""
    return weighted((sign / len(side), span) for sign, side in zip((1, -1), sides, strict=False) for span in side)
