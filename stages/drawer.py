"""The figures of one document: curves, sweeps, grids, iterations and diagrams, each with what stands beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from stages.beside import FULL, REDUCED
from stages.diagrams import describe_diagram, draw_diagram
from stages.exhibits import Chart, Grid
from stages.figures import collect, describe, draw, runs_of
from stages.papers import Paper, slug
from stages.plots import (
    describe_grid,
    describe_iterations,
    describe_sweep,
    describe_trade_off,
    draw_grid,
    draw_iterations,
    draw_sweep,
    draw_trade_off,
)
from stages.relations import COMPARISON_COLUMNS, GRID_COLUMNS, ITERATION_COLUMNS, SWEEP_COLUMNS
from stages.results import CellResult
from stages.tables import read_csv

Row = dict[str, str]


@dataclass(frozen=True)
class FigureView:
    """A figure of the report. ``number`` is the document's, empty for our own; ``same_as`` an earlier figure's number.

    ``name`` is the stem of the file; ``note`` says what is missing; ``sources`` are the files behind it, from the home.
    """

    name: str
    number: str
    caption: str
    svg: str
    description: str
    note: str = ""
    sources: tuple[str, ...] = ()
    same_as: str = ""


@dataclass(frozen=True)
class Drawer:
    """Draws the figures of one document and one home."""

    paper: Paper
    ours: dict[str, CellResult]
    author_log: pd.DataFrame

    def charts(self) -> list[list[FigureView]]:
        """The document's charts, group by group; one that repeats an earlier one refers to it."""
        earlier: dict[tuple[object, object], FigureView] = {}
        groups = []
        for group in self.paper.charts:
            views = []
            for chart in group.charts:
                view = earlier.get((chart.runs, chart.panels))
                if view is None:
                    view = earlier[chart.runs, chart.panels] = self._chart(chart, figure_name(self.paper, chart.id))
                else:
                    view = replace(view, name=figure_name(self.paper, chart.id), number=chart.id, same_as=view.number,
                                   caption=chart.caption)  # fmt: skip
                views.append(view)
            groups.append(views)
        return groups

    def own_charts(self) -> list[FigureView]:
        """The same charts for every dataset that we have results for and the document does not use."""
        views = []
        datasets = dict.fromkeys(
            r.cell.dataset for r in self.ours.values() if r.cell.dataset not in self.paper.datasets
        )
        for dataset in datasets:
            ours = {key: result for key, result in self.ours.items() if result.cell.dataset == dataset}
            drawer = replace(self, ours=ours, author_log=self.author_log.iloc[:0])
            for chart in self.paper.own_charts:
                title = chart.caption.format(dataset=dataset.capitalize())
                named = chart.model_copy(update={"id": "", "caption": title})
                views.append(drawer._chart(named, figure_name(self.paper, title), own=True))
        return views

    def _chart(self, chart: Chart, name: str, *, own: bool = False) -> FigureView:
        own_titles = {key: self.paper.run_title(result.cell) for key, result in self.ours.items()}
        titles = own_titles if own else {**self.paper.runs, **self.paper.variants}
        panels = collect(chart, self.ours, self.author_log, titles)
        shown = {run: self.ours.get(run) for run in runs_of(chart, titles)}
        there = [result for result in shown.values() if result is not None]
        kinds = {REDUCED if self.paper.differences(result.cell, result.images) else FULL for result in there}
        scale = " and ".join(sorted(kinds))
        columns = ", ".join(dict.fromkeys(column for panel in chart.panels for column in panel))
        sources = list(dict.fromkeys(f"{_curves(result)} ({columns})" for result in there))
        notes = []
        if not own:
            sources += [f"papers/{self.paper.id}/author_log.csv"] if len(self.author_log) else []
            logged = set(self.author_log["run"])
            missing = [titles[run] for run, result in shown.items() if result is None]
            unlogged = [titles[run] for run in shown if run not in logged]
            notes += [f"Ours not run: {', '.join(missing)}."] if missing and there else []
            notes += [f"No log: {', '.join(unlogged)}."] if unlogged and len(unlogged) < len(shown) else []
        if REDUCED in kinds:
            notes.append(f"Ours on {', '.join(dict.fromkeys(result.cell.dataset for result in there))}.")
        svg, text = draw(panels, scale), describe(panels, scale)
        return FigureView(
            name, "" if chart.own else chart.id, chart.caption, svg, text, " ".join(notes), tuple(sources)
        )

    def sweeps(self, tables: Path) -> list[FigureView]:
        """Our own sweeps, from their tables; none of which fewer than three runs were made."""
        views = []
        for sweep in self.paper.sweeps:
            path = tables / f"sweep_{slug(sweep.id)}.csv"
            rows = read_rows(path, SWEEP_COLUMNS)
            if sum(row["test_accuracy"] != "" for row in rows) > 2:
                missing = [row["run"] for row in rows if not row["test_accuracy"]]
                views.append(FigureView(
                    figure_name(self.paper, sweep.id), "", sweep.caption, draw_sweep(rows, sweep.axis),
                    describe_sweep(rows, sweep.axis), f"Not run: {', '.join(missing)}." if missing else "",
                    (f"reports/tables/{self.paper.id}/{path.name}",),
                ))  # fmt: skip
        return views

    def diagrams(self) -> list[FigureView]:
        """The document's block diagrams."""
        return [
            FigureView(
                figure_name(self.paper, item.id), item.id, item.caption, draw_diagram(item), describe_diagram(item),
                sources=(f"papers/{self.paper.id}/paper.yaml",),
            )
            for item in self.paper.diagrams
        ]  # fmt: skip

    def grids(self, tables: Path) -> list[FigureView]:
        """Figures over two options of a study, from their tables; none of which nothing was made."""
        views = []
        for grid in self.paper.grids:
            path = tables / f"grid_{slug(grid.id)}.csv"
            rows = read_rows(path, GRID_COLUMNS)
            if not rows:
                continue
            accuracies = [float(row["test_accuracy"]) for row in rows]
            low, high = min(accuracies), max(accuracies)
            scales = " and ".join(dict.fromkeys(row["scale"] for row in rows))
            steep = " and ".join(f"{100 * value:+.2f} points per {unit}" for unit, value in slopes(rows, grid).items())
            note = (
                f"{len(rows)} cells, {scales}. Range {100 * (high - low):.2f} points, from {low:.4f} to {high:.4f}; "
                f"slope {steep} (least squares)."
            )
            views.append(FigureView(
                figure_name(self.paper, grid.id), grid.id, grid.caption, draw_grid(rows, grid.rows, grid.columns),
                describe_grid(rows, grid.rows, grid.columns), note, (f"reports/tables/{self.paper.id}/{path.name}",),
            ))  # fmt: skip
        return views

    def trade_offs(self, tables: Path) -> list[FigureView]:
        """Accuracy against parameters and multiply-accumulates, of comparisons that have three runs or more."""
        views = []
        for item in self.paper.comparisons:
            path = tables / f"comparison_{slug(item.id)}.csv"
            every = read_rows(path, COMPARISON_COLUMNS) if item.drawn else []
            rows = [row for row in every if row["test_accuracy"]]
            if len(rows) < 3:
                continue
            missing = ", ".join(row["title"] for row in every if not row["test_accuracy"])
            scales = " and ".join(dict.fromkeys(row["scale"] for row in rows))
            note = f"Ours, {scales}." + (f" Not run: {missing}." if missing else "")
            views.append(FigureView(
                figure_name(self.paper, f"{item.id} trade-off"), "", f"{item.caption}: accuracy and cost",
                draw_trade_off(rows), describe_trade_off(rows), note, (f"reports/tables/{self.paper.id}/{path.name}",),
            ))  # fmt: skip
        return views

    def iterations(self, tables: Path) -> list[FigureView]:
        """Figures over the iterations in evaluation, one per dataset; none of which nothing was made."""
        views = []
        for wanted in self.paper.iterations:
            path = tables / f"iterations_{slug(wanted.id)}.csv"
            rows = read_rows(path, ITERATION_COLUMNS)
            for dataset in dict.fromkeys(row["dataset"] for row in rows):
                own = [row for row in rows if row["dataset"] == dataset]
                scales = " and ".join(dict.fromkeys(row["scale"] for row in own))
                title = self.paper.datasets.get(dataset, dataset.capitalize())
                views.append(FigureView(
                    figure_name(self.paper, f"{wanted.id} {dataset}"), "", f"{wanted.caption}: {title}",
                    draw_iterations(own), describe_iterations(own), f"Ours, {scales}.",
                    (f"reports/tables/{self.paper.id}/{path.name}",),
                ))  # fmt: skip
        return views


def _curves(result: CellResult) -> str:
    """Where a run's curves lie, from the home; the depths of a grid, which share a chart, as one pattern."""
    cell = result.cell
    if cell.study is not None:
        return f"results/studies/{cell.study}/training/{cell.key}/curves.csv"
    key = f"{cell.dataset}-{cell.architecture}-*" if "depth" in cell.options else cell.key
    return f"results/runs/{key}/curves.csv"


def slopes(rows: Sequence[Row], grid: Grid) -> dict[str, float]:
    """Least squares of the accuracy on both options, the columns by their doublings: unit -> slope."""
    down = np.array([float(row["row"]) for row in rows])
    across = np.log2([float(row["column"]) for row in rows])
    accuracy = np.array([float(row["test_accuracy"]) for row in rows])
    design = np.stack([np.ones(len(rows)), down, across], axis=1)
    solved = np.linalg.lstsq(design, accuracy, rcond=None)[0]
    return {f"one more of {grid.rows}": float(solved[1]), f"doubling of {grid.columns}": float(solved[2])}


def figure_name(paper: Paper, name: str) -> str:
    """The file stem of a figure, which is also its anchor: recurnets, 5.1 -> recurnets_figure_5_1."""
    return f"{slug(paper.id)}_figure_{slug(name)}"


def read_rows(path: Path, columns: Iterable[str]) -> list[Row]:
    """The rows of a table as text, exactly as they stand in the file."""
    table = read_csv(path, tuple(columns), text=True)
    return [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False)]
