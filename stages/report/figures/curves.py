"""Curves over the epochs: ours, and the authors' own log behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from stages.documents.exhibits import Chart
from stages.report.figures.style import SERIES, SOFT, STYLE, Drawing, finish, label_powers, new_figure
from stages.results.cell_result import CellResult

LEGEND_COLUMNS = 6
LEGEND: dict[str, Any] = {
    "ncols": LEGEND_COLUMNS, "frameon": False, "fontsize": 8.5, "handlelength": 1.5, "columnspacing": 1.1,
    "borderaxespad": 0.2, "borderpad": 0.2,
}  # fmt: skip
AUTHORS: dict[str, Any] = {"linewidth": 0.8, "linestyle": (0, (4, 2))}
WIDE_RANGE = 100  # a quantity that falls by more than this factor is drawn on a logarithmic axis


@dataclass(frozen=True)
class Curve:
    """One quantity of one run over the epochs from 1: ``ours`` a column per seed, ``authors`` their log."""

    label: str
    color: str
    ours: pd.DataFrame | None
    authors: pd.Series[float] | None


@dataclass(frozen=True)
class Panel:
    """Curves over one axis of values, called ``quantity``."""

    quantity: str
    curves: tuple[Curve, ...]


def quantity(column: str) -> str:
    """What a reader calls a column of curves.csv: test_f1_weighted -> test F1, weighted."""
    if column.endswith("_loss_sum"):
        return f"{column.removesuffix('_loss_sum')} loss, sum over batches"
    name, _, average = column.replace("_f1_", "_F1_").replace("_", " ").partition(" weighted")
    return f"{name}, weighted" if column.endswith("_weighted") else name + average


def collect(
    chart: Chart, results: Mapping[str, CellResult], author_log: pd.DataFrame, titles: Mapping[str, str]
) -> list[Panel]:
    """The panels of a chart. ``titles``: the runs that may be in it, in order, and what they are called."""
    runs = runs_of(chart, titles)
    logs = dict(list(author_log.groupby("run")))
    panels = []
    for columns in chart.panels:
        places = [(run, column) for run in runs for column in columns]
        curves = [_curve(results.get(run), logs.get(run), column, _label(run, column, runs, columns, titles), position)
                 for position, (run, column) in enumerate(places)]  # fmt: skip
        panels.append(Panel(_axis(columns), tuple(curve for curve in curves if not _empty(curve))))
    return panels


def runs_of(chart: Chart, titles: Mapping[str, str]) -> list[str]:
    """Which of the runs in ``titles`` a chart shows."""
    return [run for run in titles if any(fnmatchcase(run, pattern) for pattern in chart.runs)]


def _curve(result: CellResult | None, log: pd.DataFrame | None, column: str, label: str, position: int) -> Curve:
    ours = authors = None
    if result is not None:
        table = result.curves
        for part in ("train", "test"):
            table = table.assign(**{f"{part}_error": 1 - table[f"{part}_accuracy"]})
        ours = table.pivot_table(index="epoch", columns="seed", values=column)
        ours = ours.set_axis(ours.index + 1)
    if log is not None and column in log:
        authors = log.set_index(log["epoch"] + 1)[column].dropna()
    return Curve(label, SERIES[position % len(SERIES)], ours, authors)


def _empty(curve: Curve) -> bool:
    return curve.ours is None and curve.authors is None


def _label(run: str, column: str, runs: Sequence[str], columns: Sequence[str], titles: Mapping[str, str]) -> str:
    part = column.partition("_")[0]
    if len(columns) == 1:
        return titles[run]
    return part if len(runs) == 1 else f"{titles[run]}, {part}"


def _axis(columns: Sequence[str]) -> str:
    if len(columns) == 1:
        return quantity(columns[0])
    return quantity(columns[0]).partition(" ")[2]


def draw(panels: Sequence[Panel], scale: str) -> Drawing:
    """The chart, panels below each other: ours bold (mean over the seeds, their range shaded), the authors' dashed.

    ``scale`` names the kind of our runs in the legend. Where ours are much shorter than the authors', the epochs are on
    a logarithmic axis, so that both can be read.
    """
    with mpl.rc_context(STYLE):
        curves = {curve.label: curve for panel in panels for curve in panel.curves}
        legend_rows = math.ceil(len(curves) / LEGEND_COLUMNS)
        below = 0.75 + 0.19 * legend_rows  # inches under the lowest axes
        each = 2.65 if len(panels) == 1 else 2.0
        height = below + each * len(panels) + 0.15 * (len(panels) - 1) + 0.1
        figure = new_figure(5, height)
        for position, panel in enumerate(reversed(panels)):
            bottom = below + position * (each + 0.15)
            axes = figure.add_axes((0.13, bottom / height, 0.85, each / height))
            _draw_panel(axes, panel)
            if position == 0:
                axes.set_xlabel("epoch", labelpad=2)
            else:
                axes.tick_params(labelbottom=False)
        keys = [Line2D([], [], color=curve.color, linewidth=1.9, label=label) for label, curve in curves.items()]
        for handles, bottom in ((keys, 0.21), (_kind_handles(panels, scale), 0.0)):
            figure.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, bottom / height), **LEGEND)
        return finish(figure)


def _draw_panel(axes: Axes, panel: Panel) -> None:
    for curve in panel.curves:
        if curve.authors is not None:
            axes.plot(curve.authors.index, curve.authors, color=curve.color, alpha=0.8, **AUTHORS)
        if curve.ours is not None:
            if curve.ours.shape[1] > 1:
                low, high = curve.ours.min(axis="columns"), curve.ours.max(axis="columns")
                axes.fill_between(curve.ours.index, low, high, color=curve.color, linewidth=0, alpha=0.2)
            axes.plot(curve.ours.index, curve.ours.mean(axis="columns"), color=curve.color, linewidth=1.9)
    axes.set_ylabel(panel.quantity)
    axes.grid(True)
    axes.tick_params(length=0)
    axes.spines[["top", "right"]].set_visible(False)
    if logarithmic_values(list(axes.dataLim.intervaly)):
        axes.set_yscale("log")
        label_powers(axes.yaxis)
        axes.yaxis.set_minor_locator(NullLocator())
    _scale_epochs(axes, panel)


def logarithmic_values(values: Sequence[float]) -> bool:
    """Whether a quantity has so wide a range that its axis is logarithmic."""
    return bool(values) and 0 < min(values) < max(values) / WIDE_RANGE


def logarithmic_epochs(panel: Panel) -> bool:
    """Whether our runs are so much shorter than the authors' that only a logarithmic axis shows both."""
    ours, authors = _lengths(panel)
    return 0 < ours < authors / 2


def _lengths(panel: Panel) -> tuple[int, int]:
    ours = max((len(curve.ours) for curve in panel.curves if curve.ours is not None), default=0)
    return ours, max((len(curve.authors) for curve in panel.curves if curve.authors is not None), default=0)


def _scale_epochs(axes: Axes, panel: Panel) -> None:
    longest = max(_lengths(panel))
    if logarithmic_epochs(panel):
        axes.set_xscale("log")
        ticks(axes, [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if tick <= longest])
        axes.set_xlim(0.93, longest * 1.07)
    else:
        axes.set_xlim(1 - longest * 0.015, longest * 1.015)


def ticks(axes: Axes, places: Sequence[float]) -> None:
    """Put ticks at exactly these places of the horizontal axis."""
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{tick:g}" for tick in places])


def _kind_handles(panels: Sequence[Panel], scale: str) -> list[Line2D]:
    curves = [curve for panel in panels for curve in panel.curves]
    there = any(curve.ours is not None for curve in curves)
    label = f"ours, {scale}" if there else "ours: not run"
    handles = [Line2D([], [], color=SOFT, linewidth=1.9 if there else 0, label=label)]
    if any(curve.authors is not None for curve in curves):
        handles.append(Line2D([], [], color=SOFT, label="authors' log", **AUTHORS))
    return handles


def describe(panels: Sequence[Panel], scale: str) -> str:
    """What the chart shows, in words, for those who cannot see it."""
    parts = ["Line chart over the epochs."]
    for panel in panels:
        ours = {each.label: each.ours.mean(axis="columns").iloc[-1] for each in panel.curves if each.ours is not None}
        authors = {each.label: each.authors.iloc[-1] for each in panel.curves if each.authors is not None}
        parts.append(f"{panel.quantity[0].upper()}{panel.quantity[1:]}.")
        parts.append(f"Ours ({scale}) after the last epoch: {_listed(ours)}." if ours else "Ours: not run.")
        if authors:
            parts.append(f"Authors' log after its last epoch: {_listed(authors)}.")
    return " ".join(parts)


def _listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{label} {value:.4f}" for label, value in values.items())
