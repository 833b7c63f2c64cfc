"""Matplotlib figures as small SVG and as PDF files: the same bytes for the same drawing, no background."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import matplotlib as mpl
from matplotlib.axis import Axis
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

FOREGROUND, SOFT, GRID = "#20242a", "#6f757d", "#d9d9d4"
# By position: the depths of a chart, or the kinds of a diagram's blocks. After Okabe and Ito, who chose colours that
# stay apart in every common form of colour blindness; darkened where they would be faint on white.
SERIES = ("#0072b2", "#d55e00", "#00805f", "#a8508c", "#2b2b2b", "#8a6d00")
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.color": FOREGROUND,
    "axes.labelcolor": FOREGROUND,
    "xtick.color": FOREGROUND,
    "ytick.color": FOREGROUND,
    "axes.edgecolor": FOREGROUND,
    "axes.linewidth": 0.6,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "pdf.fonttype": 3,  # taking TrueType fonts apart takes longer than all the drawing
    "svg.fonttype": "none",
    "svg.hashsalt": "recurnets",
}
FONT = "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif"
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, ``width`` x ``height`` in inches, to be drawn under :data:`STYLE`."""
    figure = Figure(figsize=(width, height))
    FigureCanvasSVG(figure)
    return figure


class Powers(LogFormatter):
    """Powers of ten in raised digits: having Matplotlib typeset them takes a third of the time that a chart does."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """The label of ``x``, 10⁵ say, or none."""
        if not super().__call__(x, pos):
            return ""
        factor, _, exponent = f"{x:.0e}".partition("e")
        power = f"10{str(int(exponent)).translate(RAISED)}"
        return power if factor == "1" else f"{factor}\N{MULTIPLICATION SIGN}{power}"


def label_powers(axis: Axis) -> None:
    """Label a logarithmic axis by :class:`Powers`."""
    axis.set_major_formatter(Powers())
    axis.set_minor_formatter(Powers())


@dataclass(frozen=True)
class Drawing:
    """A figure as SVG text for the page and as a PDF file for print."""

    svg: str
    pdf: bytes


def finish(figure: Figure) -> Drawing:
    """The figure in both forms, without date or program name: the same bytes for the same drawing.

    The SVG also lacks ids, clip paths, and digits that nobody can see; the PDF carries the fonts that it uses.
    """
    svg, pdf = io.StringIO(), io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(svg, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        figure.savefig(pdf, format="pdf", transparent=True, metadata={"CreationDate": None, "Creator": None})
    return Drawing(compact(svg.getvalue()), pdf.getvalue())


def compact(svg: str) -> str:
    """Shrink Matplotlib's SVG: coordinates to a tenth of a point (1/720 inch), only what is drawn.

    Ids go because several figures share one HTML page; nothing refers to them once clip paths are gone (every curve
    lies within its axes).
    """
    svg = _without_references(svg[svg.index("<svg") :])
    svg = re.sub(r"<metadata>.*?</metadata>|<defs>.*?</defs>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<path [^>]*style="fill: none"/>', "", svg)
    svg = re.sub(r' (id|clip-path|xmlns:xlink|version)="[^"]*"', "", svg)
    svg = re.sub(r'(?<= d=")[^"]*', lambda match: _short_path(match[0]), svg)
    svg = re.sub(r"-?\d+\.\d{2,}", lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), svg)
    svg = re.sub(r" font-family: [^;\"]*;?| transform=\"rotate\(-?0 [^\"]*\"", "", svg)
    svg = svg.replace("<svg", f'<svg font-family="{FONT}"', 1)
    while (fewer := re.sub(r"<g>\s*</g>|<g/>", "", svg)) != svg:
        svg = fewer
    if "<g " not in svg:  # groups without a style of their own
        svg = re.sub(r"</?g>", "", svg)
    return re.sub(r"\s*\n\s*", "\n", svg).strip() + "\n"


def _without_references(svg: str) -> str:
    """Markers, which Matplotlib defines once and refers to, drawn where they stand."""
    shapes = dict(re.findall(r'<path id="([^"]+)" d="([^"]*)"', svg))

    def drawn(match: re.Match[str]) -> str:
        return f'<path d="{shapes[match[1]]}" transform="translate({match[2]} {match[3]})"{match[4]}/>'

    return re.sub(r'<use xlink:href="#([^"]+)" x="([^"]+)" y="([^"]+)"([^>]*)/>', drawn, svg)


def _short_path(path: str) -> str:
    """A path to a tenth of a point; one of straight lines as steps from point to point: M x y L x y -> Mx yldx dy."""
    if re.search("[A-KN-Ya-y]", path):
        path = re.sub(r"-?\d+(?:\.\d+)?", lambda match: f"{float(match[0]):.1f}".removesuffix(".0"), path)
        return re.sub(r"\s+", " ", path).strip()
    return "".join(_steps(part) for part in re.findall("M[^M]*", path))


def _steps(part: str) -> str:
    places = [(round(10 * float(x)), round(10 * float(y))) for x, y in re.findall(r"(-?[\d.]+)\s+(-?[\d.]+)", part)]
    steps = [b - a for before, after in pairwise(places) for a, b in zip(before, after, strict=True)]
    start, rest = (" ".join(map(_tenths, numbers)).replace(" -", "-") for numbers in (places[0], steps))
    return f"M{start}{f'l{rest}' if rest else ''}{'z' if 'z' in part.lower() else ''}"


def _tenths(number: int) -> str:
    """A number of tenths without what a path does not need: 13 -> 1.3, 5 -> .5."""
    return f"{number / 10:g}".replace("0.", ".", 1) if 0 < abs(number) < 10 else f"{number / 10:g}"
