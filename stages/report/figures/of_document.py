"""The document's own figures, curves and diagrams, each with what stands beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import pandas as pd

from stages.compare.scale import REDUCED, scale_of
from stages.documents.exhibits import Chart
from stages.documents.paper import Paper
from stages.report.figures.curves import collect, describe, draw, runs_of
from stages.report.figures.diagrams import describe_diagram, draw_diagram
from stages.report.figures.figure import FigureView, figure_name
from stages.report.figures.vega_data import curves
from stages.results.cell_result import CellResult


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
        kinds = {scale_of(self.paper, result) for result in there}
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
        return FigureView(
            name=name,
            number="" if chart.own else chart.id,
            caption=chart.caption,
            draw=partial(draw, panels, scale),
            description=describe(panels, scale),
            live=curves(panels),
            note=" ".join(notes),
            sources=tuple(sources),
            runs=tuple(result.cell.key for result in there),
        )

    def diagrams(self) -> list[FigureView]:
        """The document's block diagrams."""
        return [
            FigureView(
                name=figure_name(self.paper, item.id),
                number=item.id,
                caption=item.caption,
                draw=partial(draw_diagram, item),
                description=describe_diagram(item),
                sources=(f"papers/{self.paper.id}/paper.yaml",),
            )
            for item in self.paper.diagrams
        ]


def _curves(result: CellResult) -> str:
    """Where a run's curves lie, from the home; the depths of a grid, which share a chart, as one pattern."""
    cell = result.cell
    address = f"{cell.dataset}-{cell.architecture}-*" if "depth" in cell.options else cell.address
    return f"results/training/{address}/curves.csv"
