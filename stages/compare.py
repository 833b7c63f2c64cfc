"""Put every published number beside the authors' log and beside ours: tables as CSV, and a summary as JSON."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.errors import run_stage
from stages.files import write_json
from stages.layout import Layout
from stages.papers import METRICS, PAPERS, Claim, Paper, load_claims, load_paper
from stages.params import load_params
from stages.results import CellResult, Results, read_results
from stages.tables import write_csv

FULL, REDUCED, NOT_RUN = "full run", "reduced run", "not run"
PUBLISHED_COLUMNS = (
    "row", "architecture", "depth", "scale", "seeds", "epochs", "log_epochs", "parameters_published", "parameters_ours",
    *(f"{metric}_{kind}" for metric in METRICS for kind in ("published", "log", "ours", "difference")), "note",
)  # fmt: skip
CELL_COLUMNS = (
    "key", "dataset", "architecture", "depth", "scale", "seeds", "epochs", "parameters", "macs", "training_macs",
    "test_accuracy", "test_f1", "test_precision", "test_recall", "test_loss", "train_accuracy",
    "seconds_per_epoch", "seconds", "test_images", "device_name", "data_sha256", "code_sha256",
)  # fmt: skip
HEADLINE_COLUMNS = ("dataset", "architecture", "depth", "published", "log", "ours", "scale", "seeds")
DIFFERENCE_COLUMNS = ("parameter", "paper", "this_run", "cells")

Coordinates = tuple[str, str, int]
Row = dict[str, object]


@dataclass(frozen=True)
class Comparison:
    """A document and what this home has to set beside it. ``ours`` is by dataset, architecture and depth."""

    paper: Paper
    claims: list[Claim]
    results: Results

    @property
    def ours(self) -> dict[Coordinates, CellResult]:
        """Our results by their coordinates."""
        return {result.coordinates: result for result in self.results.cells}

    def scale(self, result: CellResult | None) -> str:
        """Whether a result was made at the document's own scale."""
        if result is None:
            return NOT_RUN
        return REDUCED if self.paper.differences(result.cell) else FULL

    def published_table(self, table: str) -> list[Row]:
        """A table of the document, row by row, in its order; columns :data:`PUBLISHED_COLUMNS`."""
        rows: dict[tuple[str, int | None], list[Claim]] = {}
        for claim in self.claims:
            if claim.table == table:
                rows.setdefault((claim.row, claim.depth), []).append(claim)
        return [self._published_row(claims) for claims in rows.values()]

    def _published_row(self, claims: Sequence[Claim]) -> Row:
        first = claims[0]
        trained = first.architecture is not None and first.depth is not None
        result = self.ours.get((first.dataset, first.architecture or "", first.depth or 0))
        scale = self.scale(result) if trained else ""
        row: Row = {
            "row": first.row,
            "architecture": first.architecture,
            "depth": first.depth,
            "scale": scale,
            "log_epochs": next((claim.author_log_epochs for claim in claims if claim.author_log_epochs), None),
            "note": " ".join(dict.fromkeys(claim.note for claim in claims if claim.note)),
        }
        if result is not None:
            row |= {"seeds": len(result.metrics.seeds), "epochs": result.cell.recipe.epochs}
        for claim in claims:
            row |= _compared(claim, result, scale)
        return row

    def headline(self) -> list[Row]:
        """Test accuracy of every cell, the document's and ours; columns :data:`HEADLINE_COLUMNS`."""
        published = {
            (claim.dataset, claim.architecture, claim.depth): claim
            for claim in self.claims
            if claim.metric == "accuracy" and claim.architecture and claim.depth
        }
        ours = self.ours
        rows: list[Row] = []
        for place in dict.fromkeys([*(place for place in ours if place not in published), *published, *ours]):
            claim, result = published.get(place), ours.get(place)
            rows.append({
                **dict(zip(("dataset", "architecture", "depth"), place, strict=True)),
                "published": claim and claim.published,
                "log": claim and claim.author_log,
                "ours": result and result.mean("accuracy"),
                "scale": self.scale(result),
                "seeds": result and len(result.metrics.seeds),
            })  # fmt: skip
        return rows

    def cells(self) -> list[Row]:
        """Every cell of this home; columns :data:`CELL_COLUMNS`."""
        return [_cell_row(result, self.scale(result)) for result in self.results.cells]

    def recipe_differences(self) -> list[Row]:
        """Where our cells depart from the document's recipe; values as JSON; columns :data:`DIFFERENCE_COLUMNS`."""
        cells: dict[tuple[str, str, str], list[str]] = {}
        for result in self.results.cells:
            for key, pair in self.paper.differences(result.cell).items():
                paper, this_run = (value if isinstance(value, str) else json.dumps(value) for value in pair)
                cells.setdefault((key, paper, this_run), []).append(result.cell.key)
        return [
            dict(zip(DIFFERENCE_COLUMNS, (*difference, " ".join(keys)), strict=True))
            for difference, keys in cells.items()
        ]

    def summary(self) -> dict[str, Any]:
        """What was run, on what, at what cost; counts are of the document's own cells unless named otherwise."""
        paper, ours = self.paper, self.ours
        grid = [(d, a, depth) for d in paper.datasets for a in paper.architectures for depth in paper.depths]
        scales = Counter(self.scale(ours.get(place)) for place in grid)
        environments = Counter(result.environment.model_dump_json() for result in self.results.cells)
        digests = {(result.cell.dataset, result.run.data_sha256) for result in self.results.cells}
        return {
            "paper": paper.id,
            "paper_cells": {scale: scales[scale] for scale in (FULL, REDUCED, NOT_RUN)},
            "cells": len(self.results.cells),
            "cells_by_dataset": Counter(result.cell.dataset for result in self.results.cells),
            "scales": Counter(self.scale(result) for result in self.results.cells),
            "stale": self.results.stale,
            "not_evaluated": self.results.unevaluated,
            "environments": [{**json.loads(text), "cells": count} for text, count in sorted(environments.items())],
            "data": [{"dataset": dataset, "sha256": digest} for dataset, digest in sorted(digests)],
            "code_sha256": sorted({result.run.code_sha256 for result in self.results.cells}),
            "seconds": sum(result.seconds() for result in self.results.cells),
        }


def _compared(claim: Claim, result: CellResult | None, scale: str) -> Row:
    """One claim's columns. A difference exists for full runs only: a reduced run says nothing about the document."""
    if claim.metric == "parameters":
        return {"parameters_published": claim.published, "parameters_ours": result and result.metrics.parameters}
    ours = None if result is None else result.mean(claim.metric)
    return {
        f"{claim.metric}_published": claim.published,
        f"{claim.metric}_log": claim.author_log,
        f"{claim.metric}_ours": ours,
        f"{claim.metric}_difference": ours - claim.value if ours is not None and scale == FULL else None,
    }


def _cell_row(result: CellResult, scale: str) -> Row:
    dataset, architecture, depth = result.coordinates
    recipe, metrics = result.cell.recipe, result.metrics
    return {
        "key": result.cell.key,
        "dataset": dataset,
        "architecture": architecture,
        "depth": depth,
        "scale": scale,
        "seeds": len(recipe.seeds),
        "epochs": recipe.epochs,
        "parameters": metrics.parameters,
        "macs": metrics.macs,
        "training_macs": metrics.training_macs,
        "test_accuracy": result.mean("accuracy"),
        "test_f1": result.mean("f1_weighted"),
        "test_precision": result.mean("precision_weighted"),
        "test_recall": result.mean("recall_weighted"),
        "test_loss": result.mean("loss"),
        "train_accuracy": result.final("train_accuracy"),
        "seconds_per_epoch": result.seconds() / len(result.timing),
        "seconds": result.seconds(),
        "test_images": metrics.test_images,
        "device_name": result.environment.device_name,
        "data_sha256": result.run.data_sha256,
        "code_sha256": result.run.code_sha256,
    }


def table_name(table: str) -> str:
    """The file name of a table of the document: 5.1 -> table_5_1.csv."""
    return f"table_{table.replace('.', '_')}.csv"


def write_comparison(comparison: Comparison, reports: Path) -> None:
    """Write <reports>/tables/*.csv and <reports>/summary.json."""
    folder = reports / "tables"
    for table in comparison.paper.tables:
        write_csv(folder / table_name(table.id), comparison.published_table(table.id), PUBLISHED_COLUMNS)
    write_csv(folder / "headline.csv", comparison.headline(), HEADLINE_COLUMNS)
    write_csv(folder / "cells.csv", comparison.cells(), CELL_COLUMNS)
    write_csv(folder / "recipe_differences.csv", comparison.recipe_differences(), DIFFERENCE_COLUMNS)
    write_json(reports / "summary.json", comparison.summary())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="Writes HOME/reports/tables and HOME/reports/summary.json."
    )
    parser.add_argument("home", nargs="?", default=Path(), type=Path, help="folder with params.yaml (default: here)")
    layout = Layout(parser.parse_args().home)
    params = load_params(layout.params)
    folder = PAPERS / "recurnets"
    paper = load_paper(folder)
    claims = load_claims(folder / "claims.csv", paper)
    write_comparison(Comparison(paper, claims, read_results(layout, params)), layout.reports)


if __name__ == "__main__":
    run_stage(main)
