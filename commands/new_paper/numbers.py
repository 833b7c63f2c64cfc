"""A printed number, read digit for digit: what a cell of a table can mean, and nothing that it does not say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Convention = Literal["thousands", "decimal"]  # what a comma separates
CONVENTIONS: tuple[Convention, ...] = ("thousands", "decimal")
SCALES = {"": Decimal(1), "%": Decimal("0.01"), "k": Decimal(1000), "m": Decimal(1_000_000)}
MISSING = {"", "-", "--", "---", "?", "/", "n/a", "na", "n.a.", "nan", "none", "..."}

_DIGITS = r"\d{1,3}(?: \d{3})+(?:[.,]\d+)?|\d[\d.,]*|\.\d+"
_CELL = re.compile(
    rf"(?P<digits>{_DIGITS}) ?(?P<mark>[%km])?(?: ?± ?(?P<spread>{_DIGITS}) ?(?P<late>[%km])?)?"
    r"(?P<aside> ?\([^()]*\))? ?(?P<last>[%km])?",
    re.IGNORECASE,
)
_SPACES = re.compile(r"[\s\u00a0\u2007\u2009\u202f]+")
_EMPHASIS = re.compile(r"\\(?:textbf|textit|emph|underline|mathbf|bf)\s*\{([^{}]*)\}|(\*\*|__|\*|_|`)(\S(?:.*\S)?)\2")
# 10² may be a hundred, so that this is no number with a footnote.
_FOOTNOTE = re.compile(
    r"(?:(?<!10)[\u00b9\u00b2\u00b3\u2070-\u2079]|[\u1d43-\u1d5b†‡§¶*#]|\^\{?\w\}?|\s?\[[\d, ]+\])+$"
)


@dataclass(frozen=True)
class Number:
    """``digits``: a plain decimal, no thousands separated. ``mark``: a key of :data:`SCALES`.

    ``aside``: what stands beside it, a spread or a remark in brackets, as printed.
    """

    digits: str
    mark: str = ""
    aside: str = ""

    @property
    def value(self) -> Decimal:
        """The number itself, its mark applied: 91.3% is 0.913."""
        return Decimal(self.digits) * SCALES[self.mark]

    @property
    def step(self) -> Decimal:
        """One unit of the last printed digit."""
        return Decimal(1).scaleb(-len(self.digits.partition(".")[2])) * SCALES[self.mark]

    def __str__(self) -> str:
        return self.digits + self.mark


def readings(cell: str) -> dict[Convention, Number]:
    """What a cell says, by what its commas may be; empty if it is no number at all."""
    found = _CELL.fullmatch(plain(cell))
    if found is None:
        return {}
    marks = {mark.lower() for mark in found.group("mark", "late", "last") if mark}
    if len(marks) > 1:
        return {}
    spread = f"± {found['spread']}{found['late'] or ''}" if found["spread"] else ""
    aside = " ".join(filter(None, (spread, (found["aside"] or "").strip())))
    read = {convention: _decimal(found["digits"].replace(" ", ""), convention) for convention in CONVENTIONS}
    mark = next(iter(marks), "")
    return {how: Number(digits, mark, aside) for how, digits in read.items() if digits is not None}


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no number: a dash, n/a, or nothing."""
    return plain(cell).lower() in MISSING


def plain(cell: str) -> str:
    """A cell without emphasis, footnote marks and typographic spaces, dashes and signs."""
    text = _SPACES.sub(" ", re.sub("[\u2212\u2013\u2014]", "-", cell)).strip()
    text = re.sub(r"\\pm|\+/-|\+-", "±", text.replace("$", "").replace("\\%", "%"))
    while (lighter := _FOOTNOTE.sub("", unmarked(text)).strip()) != text:
        text = lighter
    return text


def unmarked(text: str) -> str:
    """A text without bold, italics and code marks, of Markdown or LaTeX, around it."""
    return _EMPHASIS.sub(r"\1\3", text)


def commas(cells: Iterable[str]) -> tuple[Convention | None, str]:
    """What the commas of a table separate, as far as its own cells settle it; and a cell that shows it, or is unclear.

    ``91,3`` or ``1.234.567`` show decimal commas, ``91.3`` or ``1,234,567`` that commas are none; ``1,234`` may be
    either. Where nothing shows it and no comma asks for it, points are decimal.
    """
    shown: dict[Convention, str] = {}
    open_cell = ""
    for cell in cells:
        read = readings(cell)
        if len(read) == 1:
            shown.setdefault(next(iter(read)), cell)
        elif len(set(read.values())) > 1 and (not open_cell or "," in cell):
            open_cell = cell
    if len(shown) == 1:
        return next(iter(shown.items()))
    return ("thousands", "") if not open_cell or ("," not in open_cell and not shown) else (None, open_cell)


def _decimal(digits: str, comma: Convention) -> str | None:
    """``digits`` with a decimal point and nothing between thousands; None if this is not how they are written."""
    point, separator = (".", ",") if comma == "thousands" else (",", ".")
    whole, _, rest = digits.partition(point)
    if (point in digits and not rest.isdecimal()) or (separator in whole and not _grouped(whole, separator)):
        return None
    joined = (whole.replace(separator, "") or "0") + ("." + rest if rest else "")
    return joined if joined.replace(".", "", 1).isdecimal() else None


def _grouped(whole: str, separator: str) -> bool:
    """Whether thousands are separated as they are where they are: 1,234 but neither 12,34 nor 0,123."""
    first, *groups = whole.split(separator)
    return bool(re.fullmatch(r"[1-9]\d{0,2}", first)) and all(re.fullmatch(r"\d{3}", group) for group in groups)
