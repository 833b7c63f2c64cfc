"""What the report's templates show: tables read back from disk, figures with their captions, the revision."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from stages.beside import FULL, REDUCED
from stages.diagrams import describe_diagram, draw_diagram
from stages.figures import collect, describe, describe_sweep, draw, draw_sweep, runs_of
from stages.layout import Layout
from stages.papers import Chart, Paper, slug
from stages.relations import SWEEP_COLUMNS
from stages.results import COMPOSITION_COLUMNS, CellResult
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
class SampleView:
    """A split's sheet as a data URI (None where the split was not made) and its composition table."""

    number: str
    caption: str
    split: str
    image: str | None
    composition: list[Row]


@dataclass(frozen=True)
class PublishedTable:
    """A table of the document, laid out as there: ``blocks`` of (group, rows), a row its name and cells by column."""

    id: str
    heading: str
    columns: list[str]
    with_log: dict[str, bool]
    blocks: list[tuple[str, list[tuple[str, dict[str, Row]]]]]
    notes: list[str]


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
        kinds = {REDUCED if self.paper.differences(result.cell) else FULL for result in there}
        scale = " and ".join(sorted(kinds))
        columns = ", ".join(dict.fromkeys(column for panel in chart.panels for column in panel))
        sources = [f"results/runs/{run}/curves.csv ({columns})" for run in chart.runs] if there else []
        notes = []
        if not own:
            sources.append(f"papers/{self.paper.id}/author_log.csv")
            logged = set(self.author_log["run"])
            missing = [titles[run] for run, result in shown.items() if result is None]
            unlogged = [titles[run] for run in shown if run not in logged]
            notes += [f"Ours not run: {', '.join(missing)}."] if missing and there else []
            notes += [f"No log: {', '.join(unlogged)}."] if unlogged and len(unlogged) < len(shown) else []
        if REDUCED in kinds:
            notes.append(f"Ours on {', '.join(dict.fromkeys(result.cell.dataset for result in there))}.")
        svg, text = draw(panels, scale), describe(panels, scale)
        return FigureView(name, chart.id, chart.caption, svg, text, " ".join(notes), tuple(sources))

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


def samples(paper: Paper, layout: Layout, own: Iterable[str]) -> list[SampleView]:
    """The document's sheets of samples, then the splits of further datasets."""
    wanted = [(item.id, item.caption, item.split, item.sheet) for item in paper.samples]
    wanted += [("", f"Sample of {name}", name, "samples") for name in own if name not in paper.datasets]
    views = []
    for number, caption, split, sheet in wanted:
        picture, table = (layout.composition(split) / name for name in (f"{sheet}.png", "composition.csv"))
        image = (
            f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}" if picture.is_file() else None
        )
        rows = read_rows(table, COMPOSITION_COLUMNS) if table.is_file() else []
        views.append(SampleView(number, caption, split, image, rows))
    return views


def published_tables(paper: Paper, claims: list[Row]) -> list[PublishedTable]:
    """The document's tables from the rows of claims.csv among the reports."""
    tables = []
    for table in paper.tables:
        rows = [row for row in claims if row["table"] == table.id]
        columns = list(dict.fromkeys(row["column"] for row in rows))
        with_log = {column: any(row["log"] for row in rows if row["column"] == column) for column in columns}
        blocks: dict[str, dict[str, dict[str, Row]]] = {}
        for row in rows:
            blocks.setdefault(row["group"], {}).setdefault(row["row"], {})[row["column"]] = row
        listed = [(group, list(members.items())) for group, members in blocks.items()]
        notes = list(dict.fromkeys(row["note"] for row in rows if row["note"]))
        tables.append(PublishedTable(table.id, table.heading, columns, with_log, listed, notes))
    return tables


def read_rows(path: Path, columns: Iterable[str]) -> list[Row]:
    """The rows of a table as text, exactly as they stand in the file."""
    table = read_csv(path, tuple(columns), text=True)
    return [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False)]


def matrix(rows: Iterable[Row]) -> dict[str, dict[str, Row]]:
    """The rows of a headline as row -> column -> entry."""
    table: dict[str, dict[str, Row]] = {}
    for row in rows:
        table.setdefault(row["row"], {})[row["column"]] = row
    return table


def figure_name(paper: Paper, name: str) -> str:
    """The file stem of a figure, which is also its anchor: recurnets, 5.1 -> recurnets_figure_5_1."""
    return f"{slug(paper.id)}_figure_{slug(name)}"


def revision() -> tuple[str, str]:
    """The git revision and the date of its commit, with a remark when code or parameters differ from it.

    ("unknown", "") where there is no git or no repository. Generated files are not considered: they may change.
    """
    root = Path(__file__).resolve().parents[1]
    git = ["git", "-C", str(root)]
    code = ["stages", "models", "papers", "params.yaml", "full/params.yaml", "dvc.yaml"]
    if not (root / ".git").exists():  # an unpacked archive may lie in another project's repository
        return "unknown", ""
    try:
        short, date = _output([*git, "log", "-1", "--format=%h %cs"]).split()
        changed = _output([*git, "status", "--porcelain", "--", *code])
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "unknown", ""
    return short, f"{date}, with uncommitted changes" if changed else date


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
