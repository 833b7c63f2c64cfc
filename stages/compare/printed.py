"""What a printed number can stand for: the exact values that round, or were floored, to its digits."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from stages.documents.claims import Claim


@dataclass(frozen=True)
class Span:
    """The exact numbers between ``low`` and ``high``, and these two where ``closed`` says so."""

    low: Fraction
    high: Fraction
    closed: tuple[bool, bool]

    def has(self, number: Fraction) -> bool:
        """Whether it is one of them."""
        ends = (number == self.low and self.closed[0]) or (number == self.high and self.closed[1])
        return ends or self.low < number < self.high

    def meets(self, other: Span) -> bool:
        """Whether a number is in both."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return low < high or (low == high and self.has(low) and other.has(low))


def span(claim: Claim) -> Span:
    """Every exact number that could have been printed as the claim was."""
    value, unit = exact(claim.value), exact(claim.precision)
    if claim.rounding == "floored":
        return Span(value, value + unit, (True, False))
    if claim.rounding == "rounded":
        return Span(value - unit / 2, value + unit / 2, (True, True))
    return Span(value - unit, value + unit, (False, False))


def exact(number: float) -> Fraction:
    """The decimal that stands in claims.csv, or in a log."""
    return Fraction(str(number))


def agrees(claim: Claim, value: float) -> bool:
    """Whether an exact value could have been printed as the claim was."""
    return span(claim).has(exact(value))
