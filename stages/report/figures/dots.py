"""A table of the document as a chart: printed value, log and ours on one axis, a panel per column, a line per row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from stages.compare.scale import COMPARED
from stages.core.tables import Row
from stages.documents.paper import Paper
from stages.report.figures.curves import LEGEND
from stages.report.figures.figure import FigureView, figure_name
from stages.report.figures.style import FOREGROUND, GRID, SERIES, SOFT, STYLE, Drawing, finish, new_figure
from stages.report.views import PublishedTable

WIDTH, NAMES, LINE, BELOW, ABOVE = 8.8, 1.75, 0.2, 0.62, 0.28  # inches: of all, of the rows' names, per row, around
OURS, LOG = SERIES[0], SERIES[1]
LANES = {"printed": -0.24, "log": 0.0, "ours": 0.24}  # where in its row a mark lies, of a row's height, downwards
MARGIN, ROUNDED, INTERVAL = 0.88, 0.22, 0.1  # of a row's height: how thick a span is
MARKS: Mapping[str, Mapping[str, Any]] = {
    "printed": {"color": FOREGROUND, "marker": "|", "markersize": 5.5, "markeredgewidth": 1.3},
    "log": {"color": LOG, "marker": "D", "markersize": 3.2},
    "ours": {"color": OURS, "marker": "o", "markersize": 4},
}
Printed = Mapping[str, tuple[float, float]]
Span = tuple[float, float]


@dataclass(frozen=True)
class Dot:
    """One number, in the axis' unit: what was printed and what rounds to it, the log, ours and its interval."""

    printed: float
    rounds: Span
    log: float | None
    ours: float | None
    interval: Span | None
    accepted: Span | None

    @property
    def values(self) -> int:
        """How many there are to compare."""
        return 1 + (self.log is not None) + (self.ours is not None)


@dataclass(frozen=True)
class Panel:
    """A column of the table; ``dots`` by the position of their row."""

    title: str
    dots: Mapping[int, Dot]


def dot_plots(paper: Paper, tables: Sequence[PublishedTable], printed: Printed) -> dict[str, FigureView]:
    """The charts of a document's tables, by table; none of which no number has a second value beside it.

    ``printed``: what rounds to each printed number, by claim.
    """
    charts = {}
    for table in tables:
        names, panels = _panels(table, printed)
        if panels:
            charts[table.id] = FigureView(
                name=figure_name(paper, f"table {table.id}"), caption=table.heading.removesuffix("."),
                note=_units(table),
                draw=partial(draw_dots, names, panels), description=describe_dots(table.heading, panels),
                sources=(f"reports/tables/{paper.id}/claims.csv", f"papers/{paper.id}/claims.csv"),
            )  # fmt: skip
    return charts


def _panels(table: PublishedTable, printed: Printed) -> tuple[list[str], list[Panel]]:
    """The names of the rows that have anything to compare, and the columns that do."""
    rows = [(f"{group}, {name}" if group else name, cells) for group, block in table.blocks for name, cells in block]
    dots = [
        {column: dot for column, cell in cells.items() if (dot := _dot(cell, printed[cell["id"]])) is not None}
        for _, cells in rows
    ]
    kept = [number for number, line in enumerate(dots) if any(dot.values > 1 for dot in line.values())]
    panels = []
    for column in table.columns:
        there = {place: dots[number][column] for place, number in enumerate(kept) if column in dots[number]}
        if any(dot.values > 1 for dot in there.values()):
            panels.append(Panel(column, there))
    return [rows[number][0] for number in kept], panels


def _units(table: PublishedTable) -> str:
    units = {cell["unit"] for _, block in table.blocks for _, cells in block for cell in cells.values()}
    return "Losses in nats, all else in percent." if "nats" in units else "In percent."


def _dot(cell: Row, rounds: Span) -> Dot | None:
    """A number of the table; none of a count, or of a model that was cited only. Fractions become percent."""
    if cell["unit"] == "count" or not cell["run"]:
        return None
    factor = 100 if cell["unit"] == "fraction" else 1

    def number(column: str) -> float | None:
        return factor * float(cell[column]) if cell[column] else None

    full, margin = cell["scale"] in COMPARED, number("margin")
    low, high, ours = ((number(name) if full else None) for name in ("low", "high", "ours"))
    low_end, high_end = factor * float(cell["target_low"]), factor * float(cell["target_high"])
    top = 100.0 if cell["unit"] == "fraction" else math.inf
    return Dot(
        printed=factor * float(cell["value"]), rounds=(factor * rounds[0], factor * rounds[1]),
        log=number("log"), ours=ours, interval=None if low is None or high is None else (low, high),
        accepted=None if margin is None else (max(low_end - margin, 0.0), min(high_end + margin, top)),
    )  # fmt: skip


def draw_dots(names: Sequence[str], panels: Sequence[Panel]) -> Drawing:
    """The chart: a row has its margin as a band, and in it the printed value, the log, and ours with its interval."""
    with mpl.rc_context(STYLE):
        height = BELOW + ABOVE + LINE * len(names)
        figure = new_figure(WIDTH, height)
        each = (WIDTH - NAMES) / len(panels)
        for position, panel in enumerate(panels):
            left = (NAMES + position * each) / WIDTH
            axes = figure.add_axes((left, BELOW / height, (each - 0.16) / WIDTH, LINE * len(names) / height))
            _draw_panel(axes, panel, len(names))
            axes.set_yticks(range(len(names)), names if position == 0 else [""] * len(names), fontsize=8.5)
        figure.legend(handles=_keys(panels), loc="lower center", bbox_to_anchor=(0.5, 0.0), **LEGEND)
        return finish(figure)


def _draw_panel(axes: Axes, panel: Panel, rows: int) -> None:
    _draw_spans(axes, {row: dot.accepted for row, dot in panel.dots.items()}, GRID, MARGIN, alpha=0.55)
    _draw_spans(axes, {row + LANES["printed"]: dot.rounds for row, dot in panel.dots.items()}, SOFT, ROUNDED)
    _draw_spans(axes, {row + LANES["ours"]: dot.interval for row, dot in panel.dots.items()}, OURS, INTERVAL)
    for name, style in MARKS.items():
        there = [(getattr(dot, name), row + LANES[name]) for row, dot in panel.dots.items()]
        axes.plot([x for x, _ in there if x is not None], [y for x, y in there if x is not None], linewidth=0, **style)
    ends = [end for dot in panel.dots.values() for end in _extent(dot)]
    room = 0.04 * (max(ends) - min(ends)) or 1.0
    axes.set_xlim(min(ends) - room, max(ends) + room)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3, min_n_ticks=2))
    axes.grid(True, axis="x")
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=8.5, pad=2)
    axes.spines[:].set_visible(False)
    axes.set_title(panel.title, fontsize=9, loc="left", pad=4)


def _draw_spans(axes: Axes, spans: Mapping[float, Span | None], color: str, thick: float, alpha: float = 1.0) -> None:
    """Those that exist as bars across their heights, one artist for all: a picture's time goes with its artists."""
    there = {height: span for height, span in spans.items() if span is not None}
    low, high = [span[0] for span in there.values()], [span[1] for span in there.values()]
    widths = [end - start for start, end in zip(low, high, strict=True)]
    axes.barh(list(there), widths, thick, low, color=color, alpha=alpha, linewidth=0)


def _extent(dot: Dot) -> list[float]:
    spans = [*dot.rounds, *(dot.interval or ()), *(dot.accepted or ())]
    return [*spans, *(value for value in (dot.log, dot.ours) if value is not None)]


def _keys(panels: Sequence[Panel]) -> list[Line2D | Patch]:
    dots = [dot for panel in panels for dot in panel.dots.values()]
    keys: list[Line2D | Patch] = [
        Line2D([], [], color=SOFT, linewidth=3.2, marker="|", markeredgecolor=FOREGROUND, markersize=5.5,
               label="printed, and what rounds to it"),
    ]  # fmt: skip
    if any(dot.log is not None for dot in dots):
        keys.append(Line2D([], [], color=LOG, marker="D", markersize=3.2, linewidth=0, label="authors' log"))
    if any(dot.ours is not None for dot in dots):
        keys.append(Line2D([], [], color=OURS, marker="o", markersize=4, linewidth=1.5, label="ours, 90 % interval"))
    if any(dot.accepted is not None for dot in dots):
        keys.append(Patch(facecolor=GRID, alpha=0.55, label="within the margin"))
    return keys


def describe_dots(heading: str, panels: Sequence[Panel]) -> str:
    """The chart in words; the table beside it has the numbers."""
    dots = [dot for panel in panels for dot in panel.dots.values()]
    ours = [(dot, dot.ours) for dot in dots if dot.ours is not None]
    logged = sum(dot.log is not None for dot in dots)
    said = [f"{len(dots)} printed numbers in {', '.join(panel.title for panel in panels)}"]
    if logged:
        same = sum(dot.log is not None and dot.rounds[0] <= dot.log <= dot.rounds[1] for dot in dots)
        said.append(f"{logged} with the authors' log, {same} of which are printed as they are logged")
    if ours:
        inside = [dot.accepted[0] <= ours <= dot.accepted[1] for dot, ours in ours if dot.accepted is not None]
        said.append(f"{len(ours)} with ours; of {len(inside)} that have a margin {sum(inside)} lie within it")
    return f"Dot plot of {heading} {'; '.join(said)}. The table has the same numbers."
