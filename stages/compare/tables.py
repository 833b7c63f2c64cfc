"""Every table of every document, and the summary."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.compare.author_weights import author_weights_rows, weights_rung
from stages.compare.badge import badge
from stages.compare.begun import begun_rows
from stages.compare.carbon import cost, grams_per_kwh
from stages.compare.claims_in_words import sentence_counts, statement_rows
from stages.compare.columns import (
    AUTHOR_WEIGHTS_COLUMNS,
    BEGUN_COLUMNS,
    CELL_COLUMNS,
    CLAIM_COLUMNS,
    COMPARISON_COLUMNS,
    DIFFERENCE_COLUMNS,
    FINDING_COLUMNS,
    FIRST_EPOCH_COLUMNS,
    GRID_COLUMNS,
    HEADLINE_COLUMNS,
    INTERFACE,
    ITERATION_COLUMNS,
    LADDER_COLUMNS,
    OPEN_COLUMNS,
    RUN_RELIABILITY_COLUMNS,
    SIZE_COLUMNS,
    STATEMENT_COLUMNS,
    SWEEP_COLUMNS,
    VERDICT_COLUMNS,
    TableRow,
)
from stages.compare.contradictions import Found
from stages.compare.deciding import open_rows
from stages.compare.findings import by_rule, finding_rows, parameters
from stages.compare.first_epochs import FirstEpochs, answers, of_claims, summed_up
from stages.compare.ladder import ladder_counts, ladder_rows
from stages.compare.outcomes import OUTCOMES
from stages.compare.pace import Pace
from stages.compare.parameter_counts import size_rows
from stages.compare.run_tables import comparison_rows, grid_rows, iteration_rows, reliability_rows, sweep_rows
from stages.compare.scale import REDUCED, SCALES
from stages.compare.scores import write_scores
from stages.compare.side_by_side import Beside
from stages.compare.teams import write_team_tables
from stages.compare.verdicts import VERDICTS
from stages.core.errors import StageError
from stages.core.files import atomic_folder, write_json
from stages.core.layout import Layout
from stages.core.tables import write_csv
from stages.core.text import slug
from stages.documents.author_log import load_author_log
from stages.documents.claims import load_claims
from stages.documents.paper import PAPERS, Paper, load_papers
from stages.params import Cells, Energy
from stages.results.read import Results, split_images
from stages.results.started import read_started
from stages.results.teams import read_teams
from stages.results.timed import read_timed


@dataclass(frozen=True)
class Document:
    """A document beside our results, and what follows from both."""

    beside: Beside
    sizes: list[TableRow]
    contradictions: list[Found]
    first_epochs: dict[str, FirstEpochs]
    ladder: list[TableRow]
    statements: list[TableRow]

    @property
    def paper(self) -> Paper:
        """The document."""
        return self.beside.paper


def judged(beside: Beside) -> Document:
    """Ask every rule of a document."""
    sizes = size_rows(beside.paper.sizes, beside.claims)
    log = load_author_log(PAPERS / beside.paper.id)
    contradictions, first_epochs = by_rule(beside, log, sizes), answers(beside, log)
    more = [weights_rung(beside), of_claims(first_epochs, beside.claims)]
    ladder = ladder_rows(beside, contradictions, parameters(beside, sizes), more)
    return Document(beside, sizes, contradictions, first_epochs, ladder, statement_rows(beside, log))


def document_summary(document: Document) -> dict[str, Any]:
    """How much of the document was run, and how its claims in words came out."""
    beside = document.beside
    scales = Counter(beside.scale(run) for run in beside.paper.runs)
    verdicts = Counter(str(row["verdict"]) for row in beside.claim_rows)
    sentences = (row for row in document.statements if row["whose"] == "document")
    outcomes = Counter(str(row["outcome"]) for row in sentences)
    return {
        "title": beside.paper.title,
        "runs": {scale: scales[scale] for scale in SCALES},
        "cells": Counter(beside.scale(key) for key in beside.ours),
        "verdicts": {word: verdicts[word] for word in VERDICTS},
        "statements": {word: outcomes[word] for word in (*OUTCOMES, REDUCED)},
        "first_epochs": summed_up(document.first_epochs),
        "seconds": sum(result.seconds() for result in beside.ours.values()),
    }


def write_tables(document: Document, folder: Path) -> None:
    """Write the document's tables as CSV into ``folder``."""
    beside = document.beside
    tables: dict[str, tuple[Sequence[TableRow], Sequence[str]]] = {
        "ladder": (document.ladder, LADDER_COLUMNS),
        "claims": (beside.claim_rows, CLAIM_COLUMNS),
        "headline": (beside.headline(), HEADLINE_COLUMNS),
        "statements": (document.statements, STATEMENT_COLUMNS),
        "cells": (beside.cells(), CELL_COLUMNS),
        "begun": (begun_rows(beside), BEGUN_COLUMNS),
        "reliability": (reliability_rows(beside), RUN_RELIABILITY_COLUMNS),
        "recipe_differences": (beside.recipe_differences(), DIFFERENCE_COLUMNS),
        "findings": (finding_rows(beside, document.contradictions), FINDING_COLUMNS),
    }
    if beside.paper.first_epochs is not None:
        told = [row for each in document.first_epochs.values() for row in each.rows]
        tables["first_epochs"] = told, FIRST_EPOCH_COLUMNS
    if document.sizes:
        tables["sizes"] = document.sizes, SIZE_COLUMNS
    for comparison in beside.paper.comparisons:
        tables[f"comparison_{slug(comparison.id)}"] = comparison_rows(beside, comparison), COMPARISON_COLUMNS
    for sweep in beside.paper.sweeps:
        tables[f"sweep_{slug(sweep.id)}"] = sweep_rows(beside, sweep), SWEEP_COLUMNS
    for grid in beside.paper.grids:
        tables[f"grid_{slug(grid.id)}"] = grid_rows(beside, grid), GRID_COLUMNS
    for wanted in beside.paper.iterations:
        tables[f"iterations_{slug(wanted.id)}"] = iteration_rows(beside, wanted), ITERATION_COLUMNS
    if beside.paper.author_weights:
        tables["author_weights"] = author_weights_rows(beside), AUTHOR_WEIGHTS_COLUMNS
    for name, (rows, columns) in tables.items():
        write_csv(folder / f"{name}.csv", [{key: row.get(key) for key in columns} for row in rows], columns)


def verdict_rows(documents: Sequence[Document]) -> list[TableRow]:
    """How many published numbers of each document have each verdict; columns :data:`VERDICT_COLUMNS`."""
    return [
        {"paper": document.paper.id, "verdict": f"{document.paper.id}: {word}", "claims": count}
        for document in documents
        for word, count in document_summary(document)["verdicts"].items()
        if count
    ]


def summary(documents: Sequence[Document], results: Results, energy: Energy) -> dict[str, Any]:
    """What was run, on what, at what cost; flat counts over all documents, and each document's own."""
    environments = Counter(
        text
        for result in results.cells
        for text in {machine.model_dump_json() for machine in result.environments.values()}
    )
    digests = {(result.cell.dataset, result.run.data_sha256) for result in results.cells}
    trained_by: dict[str, set[str]] = {}
    for result in results.cells:
        trained_by.setdefault(result.run.code_sha256, set()).add(result.cell.architecture)
    papers = {document.paper.id: document_summary(document) for document in documents}
    total = {scale: sum(paper["runs"][scale] for paper in papers.values()) for scale in SCALES}
    return {
        "interface": INTERFACE,
        "runs": total,
        "cells": len(results.cells),
        "papers": papers,
        "ladder": {
            each.paper.id: ladder_counts(each.ladder, each.beside.claims)
            | {"sentences": sentence_counts(each.statements)}
            for each in documents
        },
        "stale": results.stale,
        "not_evaluated": results.unevaluated,
        "environments": [{**json.loads(text), "cells": count} for text, count in sorted(environments.items())],
        "data": [{"dataset": dataset, "sha256": digest} for dataset, digest in sorted(digests)],
        "code": [{"architectures": sorted(names), "sha256": digest} for digest, names in sorted(trained_by.items())],
        "seconds": sum(result.seconds() for result in results.cells),
        **energy_summary(results, energy),
    }


def energy_summary(results: Results, energy: Energy) -> dict[str, Any]:
    """What all runs took together, and what it was reckoned with."""
    costs, grams = [cost(result, energy) for result in results.cells], grams_per_kwh(energy.country)
    watt_hours = sum(each.joules for each in costs) / 3600
    return {
        "energy": energy.model_dump(),
        "energy_wh": watt_hours,
        "energy_kinds": sorted({each.kind for each in costs}),
        "grams_per_kwh": grams,
        "co2_g": watt_hours * grams / 1000,
    }


def documents_of(results: Results, layout: Layout, cells: Cells) -> list[Document]:
    """Every document beside our results, judged.

    A :class:`StageError` names a run of a document that has no folder: it would stand nowhere.
    """
    started = read_started(layout, cells)
    documents = [
        judged(
            Beside(
                paper,
                load_claims(PAPERS / paper.id / "claims.csv", paper),
                results.of(paper.id),
                cells.energy,
                {key: begun for key, begun in started.items() if begun.cell.paper == paper.id},
                results.weights_of(paper.id),
            )
        )
        for paper in load_papers()
    ]
    for cell in (result.cell for result in results.cells):
        if cell.paper not in {document.paper.id for document in documents}:
            missing = PAPERS / cell.paper / "paper.yaml"
            raise StageError(
                f"{missing} is missing, and {cell.key} is a run of that paper; write it (docs/own-paper.md shows how)."
            )
    return documents


def compare(results: Results, layout: Layout, cells: Cells) -> None:
    """Write reports/tables/<paper>/*.csv for every document, reports/summary.json, reports/badge.json and scores.csv.

    Where there are results of other teams, teams.csv among the tables, and two more of each document that they are
    about. Raises :class:`StageError` as :func:`documents_of` does.
    """
    documents = documents_of(results, layout, cells)
    pace = Pace(results.cells, tuple(read_timed(layout)), tabulated=split_images(layout, cells))
    teams = read_teams(layout)
    with atomic_folder(layout.reports / "tables") as folder:
        for document in documents:
            (folder / document.paper.id).mkdir()
            write_tables(document, folder / document.paper.id)
            undecided = open_rows(document.beside, cells, pace, layout)
            write_csv(folder / document.paper.id / "open.csv", undecided, OPEN_COLUMNS)
        write_team_tables([document.beside for document in documents], teams, cells, folder)
        write_csv(folder / "verdicts.csv", verdict_rows(documents), VERDICT_COLUMNS)
    told = summary(documents, results, cells.energy)
    write_json(layout.reports / "summary.json", told)
    write_json(layout.reports / "badge.json", badge(told["ladder"]))
    write_scores(
        (
            (result, document.beside.scale(key))
            for document in documents
            for key, result in document.beside.ours.items()
        ),
        layout,
    )
