"""Curves over the epochs: one chart per dataset, architecture and metric, a colour per depth."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from stages.results import CellResult
from stages.svg import SERIES, SOFT, STYLE, new_figure, to_svg

# Column of a cell's curves.csv -> what a reader calls it, and the column of author_log.csv with the same quantity.
# The authors' weighted recall is not stored twice: it equals their exact test accuracy.
QUANTITIES = {
    "test_accuracy": ("test accuracy", "test_accuracy"),
    "train_accuracy": ("train accuracy", "train_accuracy"),
    "train_loss": ("train loss", "train_loss"),
    "test_f1_weighted": ("test F1, weighted", "f1"),
    "test_precision_weighted": ("test precision, weighted", "precision"),
    "test_recall_weighted": ("test recall, weighted", "test_accuracy"),
}
LEGEND_COLUMNS = 6
LEGEND: dict[str, Any] = {
    "ncols": LEGEND_COLUMNS, "frameon": False, "fontsize": 8.5, "handlelength": 1.5, "columnspacing": 1.1,
    "borderaxespad": 0.2, "borderpad": 0.2,
}  # fmt: skip


@dataclass(frozen=True)
class Curves:
    """The curves of one chart by depth: ``ours`` one column per seed, ``authors`` one; rows are epochs from 1."""

    ours: dict[int, pd.DataFrame]
    authors: dict[int, pd.Series[float]]

    @property
    def depths(self) -> list[int]:
        """All depths with a curve."""
        return sorted({*self.ours, *self.authors})


def collect(
    results: Iterable[CellResult], author_log: pd.DataFrame, dataset: str, architecture: str, metric: str
) -> Curves:
    """The curves of one chart; ``metric`` is a key of :data:`QUANTITIES`."""
    ours = {}
    for result in results:
        if result.coordinates[:2] == (dataset, architecture):
            table = result.curves.pivot_table(index="epoch", columns="seed", values=metric)
            ours[result.coordinates[2]] = table.set_axis(table.index + 1)
    log = author_log[(author_log["dataset"] == dataset) & (author_log["architecture"] == architecture)]
    column = QUANTITIES[metric][1]
    authors = {int(str(depth)): rows.set_index(rows["epoch"] + 1)[column] for depth, rows in log.groupby("depth")}
    return Curves(ours, authors)


def draw(curves: Curves, metric: str, scale: str) -> str:
    """The chart as SVG: ours bold (mean over seeds; single seeds faint), the authors' log dashed in the same colour.

    ``scale`` names the kind of our runs in the legend. Where ours are much shorter than the authors', the epochs are on
    a logarithmic axis, so that both can be read.
    """
    with mpl.rc_context(STYLE):
        figure = new_figure(5, 3.5)
        legend_rows = math.ceil(len(curves.depths) / LEGEND_COLUMNS)
        bottom = 0.215 + 0.055 * legend_rows
        axes = figure.add_axes((0.115, bottom, 0.865, 0.975 - bottom))
        for depth in curves.depths:
            _draw_depth(axes, curves, depth, color(depth))
        axes.set_xlabel("epoch", labelpad=2)
        axes.set_ylabel(QUANTITIES[metric][0])
        axes.grid(True)
        axes.tick_params(length=0)
        axes.spines[["top", "right"]].set_visible(False)
        _scale_epochs(axes, curves)
        for handles, bottom in ((_depth_handles(curves), 0.06), (_kind_handles(curves, scale), 0.0)):
            figure.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, bottom), **LEGEND)
        return to_svg(figure)


def color(depth: int) -> str:
    """The colour of a depth, the same in every chart."""
    return SERIES[(depth - 4) % len(SERIES)]


def _draw_depth(axes: Axes, curves: Curves, depth: int, stroke: str) -> None:
    if (authors := curves.authors.get(depth)) is not None:
        axes.plot(authors.index, authors, color=stroke, linewidth=0.8, linestyle=(0, (4, 2)), alpha=0.8)
    if (ours := curves.ours.get(depth)) is not None:
        if ours.shape[1] > 1:
            axes.plot(ours.index, ours, color=stroke, linewidth=0.6, alpha=0.3)
        axes.plot(ours.index, ours.mean(axis="columns"), color=stroke, linewidth=1.9)


def _scale_epochs(axes: Axes, curves: Curves) -> None:
    ours = max((len(table) for table in curves.ours.values()), default=0)
    authors = max((len(series) for series in curves.authors.values()), default=0)
    longest = max(ours, authors)
    if 0 < ours < authors / 2:
        axes.set_xscale("log")
        ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if tick <= longest]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticklabels([str(tick) for tick in ticks])
        axes.set_xlim(0.93, longest * 1.07)
    else:
        axes.set_xlim(1 - longest * 0.015, longest * 1.015)


def _depth_handles(curves: Curves) -> list[Line2D]:
    return [Line2D([], [], color=color(depth), linewidth=1.9, label=f"depth {depth}") for depth in curves.depths]


def _kind_handles(curves: Curves, scale: str) -> list[Line2D]:
    ours = f"ours, {scale}" if curves.ours else "ours: not run"
    handles = [Line2D([], [], color=SOFT, linewidth=1.9 if curves.ours else 0, label=ours)]
    if curves.authors:
        dashed = Line2D([], [], color=SOFT, linewidth=0.8, linestyle=(0, (4, 2)), label="authors' log")
        handles.append(dashed)
    return handles


def describe(curves: Curves, metric: str, scale: str) -> str:
    """What the chart shows, in words, for those who cannot see it."""
    parts = [f"Line chart over the epochs: {QUANTITIES[metric][0]}."]
    if curves.ours:
        means = {depth: table.mean(axis="columns") for depth, table in sorted(curves.ours.items())}
        last = (f"depth {depth} {mean.iloc[-1]:.4f}" for depth, mean in means.items())
        parts.append(f"Ours ({scale}) after the last epoch: {', '.join(last)}.")
    else:
        parts.append("Ours: not run.")
    if curves.authors:
        last = (f"depth {depth} {series.iloc[-1]:.4f}" for depth, series in sorted(curves.authors.items()))
        parts.append(f"Authors' log after its last epoch: {', '.join(last)}.")
    return " ".join(parts)
