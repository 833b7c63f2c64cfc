"""The figures that are drawn from the report's tables: sweeps, grids, iterations, cost, calibration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from stages.compare.columns import (
    CELL_COLUMNS,
    COMPARISON_COLUMNS,
    GRID_COLUMNS,
    ITERATION_COLUMNS,
    RUN_RELIABILITY_COLUMNS,
    SWEEP_COLUMNS,
)
from stages.core.tables import Row, read_rows
from stages.core.text import slug
from stages.documents.exhibits import GridFigure
from stages.documents.paper import Paper
from stages.report.figures.figure import FigureView, figure_name
from stages.report.figures.surveys import (
    SWEPT,
    Mark,
    describe_grid,
    describe_iterations,
    describe_reliability,
    describe_scatter,
    describe_sweep,
    draw_grid,
    draw_iterations,
    draw_reliability,
    draw_scatter,
    draw_sweep,
)
from stages.report.figures.vega_data import Places, lines
from stages.report.foremost import foremost

FEW = 12  # runs that a legend names one by one; more are named by their dataset and architecture
COSTS = {"parameters": "parameters", "macs": "multiply-accumulates per image"}
PER_NETWORK = "energy of one training, Wh"


@dataclass(frozen=True)
class Tabled:
    """Draws figures of one document from ``tables``, the folder of its CSV files."""

    paper: Paper
    tables: Path

    def _rows(self, name: str, columns: Sequence[str]) -> tuple[list[Row], tuple[str, ...]]:
        return read_rows(self.tables / f"{name}.csv", columns), (f"reports/tables/{self.paper.id}/{name}.csv",)

    def _by_dataset(self, rows: Sequence[Row]) -> Iterator[tuple[str, str, list[Row]]]:
        """Each dataset, its name in the document, and its rows."""
        for dataset in dict.fromkeys(row["dataset"] for row in rows):
            title = self.paper.datasets.get(dataset, dataset.capitalize())
            yield dataset, title, [row for row in rows if row["dataset"] == dataset]

    def sweeps(self) -> list[FigureView]:
        """Our own sweeps; none of which fewer than three runs were made."""
        views = []
        for sweep in self.paper.sweeps:
            rows, sources = self._rows(f"sweep_{slug(sweep.id)}", SWEEP_COLUMNS)
            there = [row for row in rows if row["test_accuracy"]]
            if len(there) < 3:
                continue
            missing = [row["run"] for row in rows if not row["test_accuracy"]]
            members = {
                label: [(float(row["point"]), float(row[column])) for row in there] for column, label in SWEPT.items()
            }
            views.append(FigureView(
                name=figure_name(self.paper, sweep.id), caption=sweep.caption,
                draw=partial(draw_sweep, rows, sweep.axis), description=describe_sweep(rows, sweep.axis),
                live=lines([Places(sweep.axis, "share", members)], xlog=True),
                note=f"Not run: {', '.join(missing)}." if missing else "",
                sources=sources, runs=tuple(row["run"] for row in there),
            ))  # fmt: skip
        return views

    def grids(self) -> list[FigureView]:
        """Figures over two options of a study; none of which nothing was made."""
        views = []
        for grid in self.paper.grids:
            rows, sources = self._rows(f"grid_{slug(grid.id)}", GRID_COLUMNS)
            if not rows:
                continue
            accuracies = [float(row["test_accuracy"]) for row in rows]
            low, high = min(accuracies), max(accuracies)
            steep = " and ".join(f"{100 * value:+.2f} points per {unit}" for unit, value in slopes(rows, grid).items())
            note = (
                f"{len(rows)} cells, {_scales(rows)}. Range {100 * (high - low):.2f} points, from {low:.4f} to "
                f"{high:.4f}; slope {steep} (least squares)."
            )
            members: dict[str, list[tuple[float, float]]] = {}
            for row in sorted(rows, key=lambda row: float(row["column"])):
                place = float(row["column"]), float(row["test_accuracy"])
                members.setdefault(f"{row['row']} {grid.rows}", []).append(place)
            views.append(FigureView(
                name=figure_name(self.paper, grid.id), number=grid.id, caption=grid.caption,
                draw=partial(draw_grid, rows, grid.rows, grid.columns),
                description=describe_grid(rows, grid.rows, grid.columns),
                live=lines([Places(grid.columns, "test accuracy", members)], xlog=True), note=note,
                sources=sources, runs=tuple(row["key"] for row in rows),
            ))  # fmt: skip
        return views

    def iterations(self) -> list[FigureView]:
        """Figures over the iterations in evaluation, one per dataset; none of which nothing was made."""
        views = []
        for wanted in self.paper.iterations:
            every, sources = self._rows(f"iterations_{slug(wanted.id)}", ITERATION_COLUMNS)
            for dataset, title, rows in self._by_dataset(every):
                panels = [
                    Places("iterations in evaluation", y, _members(rows, "iterations", column))
                    for y, column in (("test accuracy", "test_accuracy"), ("change of the state", "state_change"))
                ]
                views.append(FigureView(
                    name=figure_name(self.paper, f"{wanted.id} {dataset}"), caption=f"{wanted.caption}: {title}",
                    draw=partial(draw_iterations, rows), description=describe_iterations(rows),
                    live=lines(panels), note=f"Ours, {_scales(rows)}.",
                    sources=sources, runs=tuple(dict.fromkeys(row["key"] for row in rows)),
                ))  # fmt: skip
        return views

    def trade_offs(self) -> list[FigureView]:
        """Accuracy against parameters and multiply-accumulates, of comparisons that have three runs or more."""
        views = []
        for item in self.paper.comparisons:
            every, sources = self._rows(f"comparison_{slug(item.id)}", COMPARISON_COLUMNS)
            rows = [row for row in every if row["test_accuracy"]]
            if not item.drawn or len(rows) < 3:
                continue
            missing = ", ".join(row["title"] for row in every if not row["test_accuracy"])
            note = f"Ours, {_scales(rows)}." + (f" Not run: {missing}." if missing else "")
            marks = [_mark(row, row["title"]) for row in rows]
            views.append(FigureView(
                name=figure_name(self.paper, f"{item.id} trade-off"), caption=f"{item.caption}: accuracy and cost",
                draw=partial(draw_scatter, marks), description=describe_scatter(marks),
                live=_scatter(marks), note=note,
                sources=sources, runs=tuple(row["run"] for row in rows),
            ))  # fmt: skip
        return views

    def costs(self) -> list[FigureView]:
        """Accuracy against parameters and energy of everything that was run, datasets apart."""
        made, sources = self._rows("cells", CELL_COLUMNS)
        every = foremost(self.paper, made)
        some = f" {len(every)} of {len(made)} runs." if len(every) < len(made) else ""
        views = []
        for dataset, title, rows in self._by_dataset(every):
            named = len(rows) <= FEW
            marks = [_cost(row, row["key"] if named else row["architecture"]) for row in rows]
            kinds = " and ".join(dict.fromkeys(row["energy_kind"] for row in rows))
            views.append(FigureView(
                name=figure_name(self.paper, f"cost {dataset}"), caption=f"Accuracy against size and energy: {title}",
                draw=partial(draw_scatter, marks), description=describe_scatter(marks),
                live=_scatter(marks), note=f"Ours, {_scales(rows)}; energy {kinds}, of one seed.{some}",
                sources=sources, runs=tuple(row["key"] for row in rows),
            ))  # fmt: skip
        return views

    def reliability(self) -> list[FigureView]:
        """Reliability diagrams, datasets apart: the document's runs first, as many as can be told apart."""
        every, sources = self._rows("reliability", RUN_RELIABILITY_COLUMNS)
        views = []
        for dataset, title, there in self._by_dataset(every):
            keys = list(dict.fromkeys(row["key"] for row in there))
            shown = sorted(keys, key=lambda key: key not in self.paper.runs)[:FEW]
            rows = [row for key in shown for row in there if row["key"] == key]
            members = _members(rows, "confidence", "accuracy", name="key")
            live = lines(
                [Places("confidence in the predicted class", "accuracy", members)], diagonal="perfect calibration"
            )
            note = f"Ours, {_scales(rows)}." + (f" {len(shown)} of {len(keys)} runs." if len(shown) < len(keys) else "")
            views.append(FigureView(
                name=figure_name(self.paper, f"reliability {dataset}"), caption=f"Reliability: {title}",
                draw=partial(draw_reliability, members), description=describe_reliability(members),
                live=live, note=note, sources=sources, runs=tuple(shown),
            ))  # fmt: skip
        return views


def _scales(rows: Sequence[Row]) -> str:
    return " and ".join(dict.fromkeys(row["scale"] for row in rows))


def _members(rows: Sequence[Row], x: str, y: str, name: str = "title") -> dict[str, list[tuple[float, float]]]:
    members: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if row[y]:
            members.setdefault(row[name], []).append((float(row[x]), float(row[y])))
    return members


def _mark(row: Row, label: str) -> Mark:
    return Mark(label, float(row["test_accuracy"]), {name: float(row[column]) for column, name in COSTS.items()})


def _cost(row: Row, label: str) -> Mark:
    """A run by its size and its energy; a run of several seeds is no costlier than one of a single seed."""
    places = {"parameters": float(row["parameters"]), PER_NETWORK: float(row["energy_wh"]) / int(row["seeds"])}
    return Mark(label, float(row["test_accuracy"]), places)


def _scatter(marks: Sequence[Mark]) -> str:
    panels = []
    for name in marks[0].places:
        members: dict[str, list[tuple[float, float]]] = {}
        for mark in marks:
            members.setdefault(mark.label, []).append((mark.places[name], mark.accuracy))
        panels.append(Places(name, "test accuracy", members))
    return lines(panels, xlog=True, points=True)


def slopes(rows: Sequence[Row], grid: GridFigure) -> dict[str, float]:
    """Least squares of the accuracy on both options, the columns by their doublings: unit -> slope."""
    down = np.array([float(row["row"]) for row in rows])
    across = np.log2([float(row["column"]) for row in rows])
    accuracy = np.array([float(row["test_accuracy"]) for row in rows])
    design = np.stack([np.ones(len(rows)), down, across], axis=1)
    solved = np.linalg.lstsq(design, accuracy, rcond=None)[0]
    return {f"one more of {grid.rows}": float(solved[1]), f"doubling of {grid.columns}": float(solved[2])}
