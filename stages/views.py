"""What the report's templates show: tables read back from disk, figures with their captions, the revision."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from stages.compare import FULL, REDUCED
from stages.diagrams import describe_diagram, draw_diagram
from stages.figures import QUANTITIES, collect, describe, draw
from stages.layout import Layout
from stages.papers import Chart, Paper
from stages.results import Results
from stages.tables import read_csv

COMPOSITION_COLUMNS = ("part", "label", "class", "images", "clean", "noisy", "official")
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
class SplitView:
    """A split's sample sheet as a data URI (None where the split was not made) and its composition table."""

    number: str
    caption: str
    dataset: str
    image: str | None
    composition: list[Row]


@dataclass(frozen=True)
class Drawer:
    """Draws the charts of one document and one home."""

    paper: Paper
    results: Results
    author_log: pd.DataFrame

    def charts(self) -> list[FigureView]:
        """The document's charts in its order; one that repeats an earlier one refers to it."""
        earlier: dict[tuple[str, str, str], FigureView] = {}
        views = []
        for chart in self.paper.charts:
            what = (chart.dataset, chart.architecture, chart.metric)
            if what in earlier:
                name, same = figure_name(chart.id), earlier[what]
                views.append(FigureView(name, chart.id, chart.caption, same.svg, same.description, same_as=same.number))
            else:
                earlier[what] = self._chart(chart, figure_name(chart.id))
                views.append(earlier[what])
        return views

    def own_charts(self) -> list[FigureView]:
        """The same charts for every dataset that we have results for and the document does not use."""
        places = dict.fromkeys(result.coordinates[:2] for result in self.results.cells)
        return [
            self._chart(
                Chart(
                    id="", dataset=dataset, architecture=architecture, metric=metric,
                    caption=f"{dataset_title(self.paper, dataset)}: {label} ({self.paper.architectures[architecture]})",
                ),
                f"figure_{dataset}_{architecture}_{metric}",
            )
            for dataset, architecture in places
            if dataset not in self.paper.datasets
            for metric, (label, _) in QUANTITIES.items()
        ]  # fmt: skip

    def _chart(self, chart: Chart, name: str) -> FigureView:
        curves = collect(self.results.cells, self.author_log, chart.dataset, chart.architecture, chart.metric)
        scale = self._scale(chart)
        runs = f"results/runs/{chart.dataset}-{chart.architecture}-*/curves.csv ({chart.metric})"
        sources = [runs] if curves.ours else []
        notes = []
        if chart.dataset in self.paper.datasets:
            sources.append(f"papers/{self.paper.id}/author_log.csv ({QUANTITIES[chart.metric][1]})")
            notes = [
                f"{who} for depth {', '.join(map(str, missing))}."
                for who, there in (("Ours: not run", curves.ours), ("No log", curves.authors))
                if (missing := [depth for depth in self.paper.depths if depth not in there])
            ]
        svg = draw(curves, chart.metric, scale)
        description = describe(curves, chart.metric, scale)
        return FigureView(name, chart.id, chart.caption, svg, description, " ".join(notes), tuple(sources))

    def _scale(self, chart: Chart) -> str:
        """How the runs of a chart are called; a chart that holds both kinds says so."""
        place = (chart.dataset, chart.architecture)
        cells = [result.cell for result in self.results.cells if result.coordinates[:2] == place]
        kinds = {REDUCED if self.paper.differences(cell) else FULL for cell in cells}
        return " and ".join(sorted(kinds))


def diagrams(paper: Paper) -> list[FigureView]:
    """The document's block diagrams."""
    return [
        FigureView(
            figure_name(item.id), item.id, item.caption, draw_diagram(item), describe_diagram(item),
            sources=(f"papers/{paper.id}/paper.yaml",),
        )
        for item in paper.diagrams
    ]  # fmt: skip


def splits(paper: Paper, layout: Layout, datasets: Iterable[str]) -> list[SplitView]:
    """The document's sample figures, then the splits of further ``datasets``."""
    own = [("", f"Sample of {dataset_title(paper, name)}", name) for name in datasets if name not in paper.datasets]
    views = []
    for number, caption, dataset in [*((item.id, item.caption, item.dataset) for item in paper.samples), *own]:
        sheet, table = (layout.composition(dataset) / name for name in ("samples.png", "composition.csv"))
        image = f"data:image/png;base64,{base64.b64encode(sheet.read_bytes()).decode()}" if sheet.is_file() else None
        composition = read_rows(table, COMPOSITION_COLUMNS) if table.is_file() else []
        views.append(SplitView(number, caption, dataset, image, composition))
    return views


def read_rows(path: Path, columns: Iterable[str]) -> list[Row]:
    """The rows of a table as text, exactly as they stand in the file."""
    table = read_csv(path, tuple(columns), text=True)
    return [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False)]


def matrix(rows: Iterable[Row]) -> dict[tuple[str, str], dict[str, Row]]:
    """Rows with dataset, architecture and depth as (dataset, architecture) -> depth -> row."""
    table: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        table.setdefault((row["dataset"], row["architecture"]), {})[row["depth"]] = row
    return table


def dataset_title(paper: Paper, dataset: str) -> str:
    """A dataset's name as the document writes it."""
    return paper.datasets.get(dataset, dataset.capitalize())


def figure_name(number: str) -> str:
    """The file stem of a figure of the document: 5.1 -> figure_5_1."""
    return f"figure_{number.replace('.', '_')}"


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
