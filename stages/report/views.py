"""What the report's templates show: tables read back from disk, figures with their captions, the revision."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stages.compare.class_scores import by_class
from stages.core.layout import Layout
from stages.core.tables import Row, read_csv, read_rows
from stages.documents.paper import Paper
from stages.results.cell_result import COMPOSITION_COLUMNS, CellResult
from stages.results.read import Results

MOST_CLASSES = 20  # of a confusion matrix in the page
AREAS = ("deletion", "random_deletion", "insertion", "random_insertion")


@dataclass(frozen=True)
class SampleView:
    """A split's sheet as a data URI (None where the split was not made) and its composition table."""

    number: str
    caption: str
    split: str
    image: str | None
    composition: list[Row]


@dataclass(frozen=True)
class MapsView:
    """Saliency maps: the sheet as a data URI, how many images were scored, mean areas, correlations by layer."""

    caption: str
    run: str
    image: str
    images: int
    areas: dict[str, float]
    layers: list[Row]
    sources: tuple[str, ...]


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
class RunView:
    """One run: how it was made, its confusion matrix (rows true; None for many classes), and its scores per class.

    ``command`` makes it; ``params`` are the keys of params.yaml that it depends on; ``classes`` the labels' names.
    """

    result: CellResult
    title: str
    command: str
    params: str
    classes: list[str]
    confusion: list[list[int]] | None
    per_class: list[dict[str, float]]


def run_views(paper: Paper, results: Results, layout: Layout) -> list[RunView]:
    """Every run of a document that was made."""
    return [_run_view(paper, result, layout) for result in results.of(paper.id).values()]


def _run_view(paper: Paper, result: CellResult, layout: Layout) -> RunView:
    cell, few = result.cell, result.metrics.classes <= MOST_CLASSES
    stage = cell.stage("evaluate")
    sections = {"evaluate": f"recurnets, data.{cell.dataset}", "evaluate-run": "runs", "evaluate-study": "studies"}
    section = sections[stage.partition("@")[0]]
    params = section if "," in section else f"{section}.{cell.group}"
    home = "" if layout.home == Path() else f"{layout.home.name}/dvc.yaml:"
    return RunView(
        result=result,
        title=paper.run_title(cell),
        command=f"dvc repro {home}{stage}",
        params=params,
        classes=result.class_names(),
        confusion=result.confusion().tolist() if few else None,
        per_class=_per_class(result) if few else [],
    )


def _per_class(result: CellResult) -> list[dict[str, float]]:
    """Test images of every label, and its scores, means over the seeds."""
    confusions = result.confusions()
    scores = {name: by_class(confusions, name).mean(axis=0) for name in ("precision", "recall", "f1")}
    columns = {"support": confusions[0].sum(axis=1), **scores}
    return [{name: float(values[label]) for name, values in columns.items()} for label in range(result.metrics.classes)]


def maps(paper: Paper, layout: Layout) -> list[MapsView]:
    """The saliency maps that were made."""
    views = []
    for item in paper.maps:
        folder = layout.explanation(item.run)
        if not (folder / "maps.png").is_file():
            continue
        scores = read_csv(folder / "scores.csv", AREAS)
        areas = {name: float(scores[name].mean()) for name in AREAS}
        layers = read_rows(folder / "randomised.csv", ("layer", "rank_correlation"))
        sources = tuple(f"results/explanations/{item.run}/{name}" for name in ("scores.csv", "randomised.csv"))
        image = data_uri(folder / "maps.png")
        views.append(MapsView(item.caption, item.run, image, len(scores), areas, layers, sources))
    return views


def data_uri(picture: Path) -> str:
    """A PNG file as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"


def samples(paper: Paper, layout: Layout, own: Iterable[str]) -> list[SampleView]:
    """The document's sheets of samples, then the splits of further datasets."""
    wanted = [(item.id, item.caption, item.split, item.sheet) for item in paper.samples]
    wanted += [("", f"Sample of {name}", name, "samples") for name in own if name not in paper.datasets]
    views = []
    for number, caption, split, sheet in wanted:
        picture, table = (layout.composition(split) / name for name in (f"{sheet}.png", "composition.csv"))
        image = data_uri(picture) if picture.is_file() else None
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


def matrix(rows: Iterable[Row]) -> dict[str, dict[str, Row]]:
    """The rows of a headline as row -> column -> entry."""
    table: dict[str, dict[str, Row]] = {}
    for row in rows:
        table.setdefault(row["row"], {})[row["column"]] = row
    return table
