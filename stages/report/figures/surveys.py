"""Figures of our own: sweeps, grids of two options, iterations beyond training, accuracy and cost, reliability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from stages.core.tables import Row
from stages.report.figures.curves import LEGEND, ticks
from stages.report.figures.style import SERIES, SOFT, STYLE, Drawing, finish, label_powers, new_figure


def plain(axes: Axes) -> None:
    """A grid, no tick marks, only the axes that carry numbers."""
    axes.grid(True)
    axes.tick_params(length=0)
    axes.spines[["top", "right"]].set_visible(False)


SWEPT = {"labels_accuracy": "accuracy on the labels", "test_accuracy": "test accuracy", "test_f1_macro": "macro F1"}


def draw_sweep(rows: Sequence[Row], axis: str) -> Drawing:
    """A sweep as SVG, from the rows of its table, over a logarithmic axis."""
    with mpl.rc_context(STYLE):
        figure = new_figure(5, 3.5)
        axes = figure.add_axes((0.13, 0.27, 0.85, 0.7))
        there = [row for row in rows if row["test_accuracy"]]
        points = [float(row["point"]) for row in there]
        for (column, label), color in zip(SWEPT.items(), SERIES, strict=False):
            axes.plot(points, [float(row[column]) for row in there], color=color, label=label, linewidth=1.9)
        axes.set_xscale("log")
        ticks(axes, [float(row["point"]) for row in rows])
        axes.set_xlabel(axis, labelpad=3)
        plain(axes)
        figure.legend(loc="lower center", bbox_to_anchor=(0.5, 0.0), **LEGEND)
        return finish(figure)


def describe_sweep(rows: Sequence[Row], axis: str) -> str:
    """A sweep in words."""
    values = (
        f"{float(row['point']):g}: {', '.join(f'{label} {float(row[column]):.4f}' for column, label in SWEPT.items())}"
        for row in rows
        if row["test_accuracy"]
    )
    return f"Line chart over {axis}. {'; '.join(values)}."


def _values(rows: Sequence[Row]) -> tuple[list[float], list[float], np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    """The values of both options and the accuracies between them, NaN where a cell is missing."""
    down, across = (sorted({float(row[name]) for row in rows}) for name in ("row", "column"))
    table = np.full((len(down), len(across)), np.nan)
    for row in rows:
        table[down.index(float(row["row"])), across.index(float(row["column"]))] = float(row["test_accuracy"])
    return down, across, table


def draw_grid(rows: Sequence[Row], down_name: str, across_name: str) -> Drawing:
    """Test accuracy over a grid as SVG: as lines, one per value of the first option, and as a heat map."""
    down, across, table = _values(rows)
    with mpl.rc_context(STYLE):
        figure = new_figure(7.4, 3.3)
        axes = figure.add_axes((0.09, 0.27, 0.4, 0.69))
        for values, value, color in zip(table, down, SERIES, strict=False):
            axes.plot(across, values, color=color, marker="o", markersize=3, label=f"{value:g} {down_name}")
        axes.set_xscale("log", base=2)
        ticks(axes, across)
        axes.set_xlabel(across_name, labelpad=3)
        axes.set_ylabel("test accuracy")
        plain(axes)
        figure.legend(loc="lower left", bbox_to_anchor=(0.02, 0.0), **{**LEGEND, "ncols": 2})
        _heat_map(figure.add_axes((0.62, 0.27, 0.36, 0.69)), down, across, table, down_name, across_name)
        return finish(figure)


def _heat_map(
    axes: Axes, down: Sequence[float], across: Sequence[float],
    table: np.ndarray[tuple[int, int], np.dtype[np.float64]], down_name: str, across_name: str,
) -> None:  # fmt: skip
    """Squares whose size goes with the accuracy's place in the range, the number beside: read without colour, too."""
    low, high = np.nanmin(table), np.nanmax(table)
    for (row, column), value in np.ndenumerate(table):
        if np.isnan(value):
            continue
        share = (value - low) / (high - low) if high > low else 1.0
        axes.add_patch(
            mpl.patches.Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=SERIES[0], alpha=0.08 + 0.5 * share)
        )
        axes.text(column, row, f"{100 * value:.1f}", ha="center", va="center", fontsize=9)
    axes.set_xlim(-0.5, len(across) - 0.5)
    axes.set_ylim(-0.5, len(down) - 0.5)
    axes.set_xticks(range(len(across)), [f"{value:g}" for value in across])
    axes.set_yticks(range(len(down)), [f"{value:g}" for value in down])
    axes.set_xlabel(f"{across_name} (test accuracy, %)", labelpad=3)
    axes.set_ylabel(down_name)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def describe_grid(rows: Sequence[Row], down_name: str, across_name: str) -> str:
    """A grid in words."""
    listed = (f"{row['row']} and {row['column']}: {float(row['test_accuracy']):.4f}" for row in rows)
    return f"Lines and heat map of test accuracy over {down_name} and {across_name}. {'; '.join(listed)}."


def draw_iterations(rows: Sequence[Row]) -> Drawing:
    """Accuracy, and change of the state, over the number of iterations; a dot where training stopped."""
    runs = list(dict.fromkeys(row["title"] for row in rows))
    with mpl.rc_context(STYLE):
        height = 4.6 + 0.19 * ((len(runs) + 1) // 2)
        below = height - 4.05
        figure = new_figure(5, height)
        panels = (("test_accuracy", "test accuracy", 2.15), ("state_change", "change of the state", 0.0))
        for column, label, bottom in panels:
            axes = figure.add_axes((0.13, (below + bottom) / height, 0.85, 1.85 / height))
            _iterations_panel(axes, rows, runs, column)
            axes.set_ylabel(label)
            if bottom:
                axes.tick_params(labelbottom=False)
            else:
                axes.set_xlabel("iterations in evaluation", labelpad=2)
        handles = [Line2D([], [], color=_color(i), linestyle=_dash(i), label=run) for i, run in enumerate(runs)]
        handles.append(Line2D([], [], color=SOFT, marker="o", linewidth=0, markersize=4, label="as in training"))
        figure.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 0.0), **{**LEGEND, "ncols": 2})
        return finish(figure)


def _iterations_panel(axes: Axes, rows: Sequence[Row], runs: Sequence[str], column: str) -> None:
    for number, run in enumerate(runs):
        own = [row for row in rows if row["title"] == run]
        points = [(int(row["iterations"]), float(row[column]), int(row["trained"])) for row in own if row[column]]
        axes.plot(*zip(*[point[:2] for point in points], strict=True), color=_color(number), linestyle=_dash(number))
        trained = [point[:2] for point in points if point[0] == point[2]]
        axes.plot(*zip(*trained, strict=True), color=_color(number), marker="o", markersize=4, linewidth=0)
    values = [float(row[column]) for row in rows if row[column]]
    if column == "state_change" and min(values) > 0 and max(values) > 100 * min(values):
        axes.set_yscale("log")
        label_powers(axes.yaxis)
    ticks(axes, [1, 5, 10, 15, 20, 25, 30])
    plain(axes)


def _color(number: int) -> str:
    return SERIES[number % len(SERIES)]


def _dash(number: int) -> Literal["-", "--"]:
    return "-" if number < len(SERIES) else "--"


def describe_iterations(rows: Sequence[Row]) -> str:
    """Iterations in words: as in training, and at the end."""
    parts = []
    for title in dict.fromkeys(row["title"] for row in rows):
        own = [row for row in rows if row["title"] == title]
        trained = [row for row in own if row["iterations"] == row["trained"]]
        said = [f"{row['iterations']} iterations {float(row['test_accuracy']):.4f}" for row in (*trained, own[-1])]
        parts.append(f"{title}: {', '.join(said)}")
    return f"Line charts of test accuracy and change of the state over 1 to 30 iterations. {'; '.join(parts)}."


@dataclass(frozen=True)
class Mark:
    """A run in a scatter: what it is called in the legend, its accuracy, and its place on each of the axes."""

    label: str
    accuracy: float
    places: Mapping[str, float]


def draw_scatter(marks: Sequence[Mark]) -> Drawing:
    """Test accuracy against each of the marks' axes, logarithmic, side by side."""
    labels = list(dict.fromkeys(mark.label for mark in marks))
    names = list(marks[0].places)
    with mpl.rc_context(STYLE):
        height = 3.2 + 0.19 * ((len(labels) + 1) // 2)
        figure = new_figure(7.4, height)
        each = 0.91 / len(names)
        for position, name in enumerate(names):
            axes = figure.add_axes((0.09 + position * each, (height - 2.75) / height, each - 0.05, 2.65 / height))
            for mark in marks:
                number = labels.index(mark.label)
                place = mark.places[name], mark.accuracy
                axes.plot(*place, marker=_marker(number), color=_color(number), markersize=7, linewidth=0)
            axes.set_xscale("log")
            label_powers(axes.xaxis)
            axes.set_xlabel(name, labelpad=3)
            axes.tick_params(labelleft=position == 0)
            plain(axes)
        figure.axes[0].set_ylabel("test accuracy")
        handles = [
            Line2D([], [], color=_color(i), marker=_marker(i), linewidth=0, label=label)
            for i, label in enumerate(labels)
        ]
        figure.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 0.0), **{**LEGEND, "ncols": 2})
        return finish(figure)


def _marker(number: int) -> str:
    return "osD^v<>"[number % 7]


def describe_scatter(marks: Sequence[Mark]) -> str:
    """A scatter in words."""
    places = [", ".join(f"{place:.4g} {name}" for name, place in mark.places.items()) for mark in marks]
    listed = (f"{mark.label}: {mark.accuracy:.4f} with {costs}" for mark, costs in zip(marks, places, strict=True))
    return f"Test accuracy against {' and '.join(marks[0].places)}. {'; '.join(listed)}."


Points = Mapping[str, Sequence[tuple[float, float]]]


def draw_reliability(lines: Points) -> Drawing:
    """Accuracy over confidence, a line per run; the diagonal is perfect calibration."""
    with mpl.rc_context(STYLE):
        height = 4.0 + 0.19 * ((len(lines) + 1) // 2)
        figure = new_figure(5, height)
        axes = figure.add_axes((0.13, (height - 3.4) / height, 0.85, 3.3 / height))
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle=":")
        for number, (label, points) in enumerate(lines.items()):
            axes.plot(*zip(*points, strict=True), color=_color(number), linestyle=_dash(number), marker="o",
                      markersize=3, label=label)  # fmt: skip
        axes.set_xlabel("confidence in the predicted class", labelpad=2)
        axes.set_ylabel("accuracy")
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        plain(axes)
        figure.legend(loc="lower center", bbox_to_anchor=(0.5, 0.0), **{**LEGEND, "ncols": 2})
        return finish(figure)


def describe_reliability(lines: Points) -> str:
    """A reliability diagram in words: its highest bin."""
    listed = (
        f"{label}: accuracy {points[-1][1]:.4f} at confidence {points[-1][0]:.4f}" for label, points in lines.items()
    )
    return f"Reliability diagram, accuracy over confidence. {'; '.join(listed)}."
