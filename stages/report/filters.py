"""Numbers as the report's readers see them; the filters of its templates."""

from __future__ import annotations

import re
from collections.abc import Callable

from markupsafe import Markup

from stages.core.text import slug
from stages.report.figures.style import FOREGROUND, GRID, SERIES, SOFT

MISSING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
THIN = "\N{NARROW NO-BREAK SPACE}"
SYMBOLS = {
    "match": "\N{CHECK MARK}", "better": "\N{BLACK UP-POINTING TRIANGLE}", "worse": "\N{BLACK DOWN-POINTING TRIANGLE}",
    "differs (ours higher)": "\N{NOT EQUAL TO}", "differs (ours lower)": "\N{NOT EQUAL TO}",
    "inconclusive": "?", "not run": "\N{WHITE CIRCLE}", "holds": "\N{CHECK MARK}", "seen": "\N{CHECK MARK}",
    "contradicted": "\N{BALLOT X}", "not seen": "\N{BALLOT X}", "undecided": "?", "reduced run": "\N{WHITE CIRCLE}",
    "as printed": "\N{CHECK MARK}", "not as printed": "\N{BALLOT X}", "log agrees": "\N{CHECK MARK}",
    "log contradicts": "\N{BALLOT X}", "cannot tell": "?", "agree": "\N{CHECK MARK}", "conflict": "\N{BALLOT X}",
    "repeat": "\N{IDENTICAL TO}", "not compared": "\N{WHITE CIRCLE}",
}  # fmt: skip


def fraction(value: str) -> str:
    """A fraction to four decimals; a dash where there is none."""
    return f"{float(value):.4f}" if value else MISSING


def measured(value: str, unit: str, printed: str = "") -> str:
    """A number in its unit: fractions to four decimals, counts with thin spaces, losses to four digits.

    A fraction beside one that is ``printed`` in percent is in percent, too.
    """
    if not value:
        return MISSING
    if printed.endswith("%"):
        return f"{100 * float(value):.2f}%"
    if unit == "count":
        return count(round(float(value)))
    return f"{float(value):.4f}" if unit == "fraction" or float(value) < 10 else f"{float(value):.4g}"


def difference(value: str, unit: str) -> str:
    """A difference in its unit: of fractions in percentage points."""
    if not value:
        return MISSING
    if unit == "count":
        return f"{round(float(value)):+,d}".replace("-", MINUS).replace(",", THIN)
    return points(value) if unit == "fraction" else signed(value)


def signed(value: str) -> str:
    """A difference to four decimals, with its sign."""
    return f"{float(value):+.4f}".replace("-", MINUS) if value else MISSING


def points(value: str) -> str:
    """A difference between fractions in percentage points, with its sign."""
    return f"{100 * float(value):+.2f}".replace("-", MINUS) if value else MISSING


def percent(value: str) -> str:
    """A fraction in percent, without more digits than it has."""
    return f"{100 * float(value):g}" if value else MISSING


def share(value: str) -> str:
    """A measured fraction in percent, to one decimal."""
    return f"{100 * float(value):.1f}".replace("-", MINUS) if value else MISSING


def epochs(value: str) -> str:
    """A difference in epochs, with its sign."""
    return f"{float(value):+.3g}".replace("-", MINUS) if value else MISSING


def probability(value: str) -> str:
    """A p-value to two digits."""
    if not value:
        return MISSING
    return f"{float(value):.2g}" if float(value) >= 0.0001 else "< 0.0001"


def count(value: str | int) -> str:
    """A whole number with thin spaces between thousands; one that was printed otherwise, such as 0.136m, as it is."""
    digits = str(value).replace(",", "")
    return f"{int(digits):,}".replace(",", THIN) if digits.isdecimal() else digits or MISSING


def millions(value: str) -> str:
    """A number of operations in millions."""
    return f"{int(value) / 1e6:,.1f}".replace(",", THIN)


def digits(value: str) -> str:
    """Any number to three significant digits, a dash where there is none."""
    return f"{float(value):.3g}" if value else MISSING


def rate(value: str) -> str:
    """Something per second, to three digits."""
    return count(round(float(f"{float(value):.3g}"))) if value else MISSING


def milliseconds(value: str) -> str:
    """How long one of so many per second takes."""
    return f"{1000 / float(value):.3g}{THIN}ms" if value else ""


def elapsed(seconds: float | str) -> str:
    """Seconds in the unit that suits them."""
    number = float(seconds)
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if number >= 2 * size:
            return f"{number / size:.1f}{THIN}{unit}"
    return f"{number:.1f}{THIN}s"


def hours(number: str) -> str:
    """So many hours, about: to two digits, below one hour in minutes."""
    value, unit = (float(number), "h") if float(number) >= 1 else (60 * float(number), "min")
    return f"{float(f'{value:.2g}'):,.10g}{THIN}{unit}".replace(",", THIN)


def energy(watt_hours: float | str) -> str:
    """Watt-hours in the unit that suits them."""
    number = float(watt_hours)
    return f"{number / 1000:.3g}{THIN}kWh" if number >= 1000 else f"{number:.3g}{THIN}Wh"


def symbol(word: str) -> str:
    """The sign beside a verdict or an outcome: it is told by word, sign and colour."""
    return SYMBOLS[word]


def inline(svg: str) -> Markup:
    """A figure's SVG for the page: its fixed colours become the page's, which differ between light and dark."""
    colors = {FOREGROUND: "currentColor", SOFT: "var(--soft)", GRID: "var(--grid)"}
    colors |= {color: f"var(--series-{number})" for number, color in enumerate(SERIES)}
    svg = re.sub("#[0-9a-f]{6}", lambda match: colors.get(match[0], match[0]), svg)
    size = re.search(r' width="([\d.]+)pt" height="[\d.]+pt"', svg)
    assert size is not None
    return Markup(svg.replace(size[0], f' aria-hidden="true" style="--natural: {size[1]}"'))


FILTERS: tuple[Callable[..., object], ...] = (
    fraction, measured, difference, signed, points, percent, epochs, probability, count, millions, digits, rate, share,
    milliseconds, elapsed, hours, energy, symbol, inline, slug,
)  # fmt: skip
