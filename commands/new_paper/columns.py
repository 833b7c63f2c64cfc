"""What a column of a table is of, as far as its heading says so in words that mean nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from stages.results.metric import Metric

Unit = Literal["", "percent", "fraction", "thousands", "millions"]
MARKS: dict[Unit, str] = {"": "", "percent": "%", "fraction": "", "thousands": "k", "millions": "m"}

_UNITS: tuple[tuple[str, Unit], ...] = (
    (r"[(\[]?(?:in )?(?:%|percent)[)\]]?", "percent"),
    (r"[(\[](?:k|thousands?|in 1000|in thousands)[)\]]", "thousands"),
    (r"[(\[](?:m|millions?|in 10\^6|in millions)[)\]]", "millions"),
)
_QUANTITIES = (
    (r"param(?:eter)?s?\.?", "parameters"),
    (r"acc(?:uracy|uracies|\.)?", "accuracy"),
    (r"err(?:ors?|\.)?", "error"),
    (r"loss", "loss"),
)
_PARTS = ((r"test(?:ing)?", "test"), (r"train(?:ing)?", "train"))
_DATA = (
    (r"mnist", "mnist"),
    (r"svhn", "svhn"),
    (r"cifar-?10", "cifar10"),
    (r"(?:sklearn |scikit-learn )?digits", "digits"),
)
_FILLERS = r"(?:on|the|of|number|no\.|num\.?|#|set|rates?|classification|top-1|trainable|dataset|data)"
TITLES = {"mnist": "MNIST", "svhn": "SVHN", "cifar10": "CIFAR-10", "digits": "Digits"}


@dataclass(frozen=True)
class Meaning:
    """``metric``: what is measured, None where the heading does not say; ``data``: on which dataset, empty likewise.

    ``unit``: what its numbers are printed in, empty where the heading does not say.
    """

    metric: Metric | None = None
    data: str = ""
    unit: Unit = ""

    @property
    def recognised(self) -> bool:
        """Whether the heading says anything."""
        return self.metric is not None or bool(self.data)


def understood(heading: str) -> Meaning:
    """The meaning of a heading; nothing of one with a word that is not known, since that may change what it means.

    Accuracy and error without a part are those of the test set; a loss needs its part.
    """
    spaced = re.sub(r"([(\[][^)\]]*[)\]])|#", lambda unit: f" {unit[0]} ", heading.lower())
    left = f" {re.sub('[↑↓:,_]', ' ', spaced)} "
    unit, left = _first(left, _UNITS)
    found: list[str] = []
    for words in (_QUANTITIES, _PARTS, _DATA):
        one, left = _first(left, words)
        found.append(one)
    quantity, part, data = found
    if re.sub(rf"(?<!\S){_FILLERS}(?!\S)", " ", left).strip():
        return Meaning()
    if quantity in ("accuracy", "error"):
        part = part or "test"
    name = quantity if quantity == "parameters" else f"{part}_{quantity}"
    if (quantity == "parameters" and part) or (quantity and quantity != "parameters" and not part):
        return Meaning()
    return Meaning(Metric.parse(name) if quantity else None, data, unit)  # type: ignore[arg-type]


def _first(text: str, words: tuple[tuple[str, str], ...] | tuple[tuple[str, Unit], ...]) -> tuple[str, str]:
    """What the first of ``words`` that occurs stands for, and the text without it."""
    for pattern, meaning in words:
        if match := re.search(rf"(?<!\S){pattern}(?!\S)", text):
            return meaning, text[: match.start()] + " " + text[match.end() :]
    return "", text
