"""Runs whose every prediction is chosen by hand, and what statements about them come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from stages.compare.claims_in_words import statement_rows
from stages.compare.columns import TableRow
from stages.compare.side_by_side import Beside
from stages.core.layout import Layout
from stages.documents.claims import load_claims
from stages.documents.paper import PAPERS, load_paper
from stages.documents.statement import Statement
from stages.params import Energy, Params, load_params
from stages.results.cell_result import CellResult
from stages.results.read import read_results
from tests.fake_results import write_cells
from tests.small import REPOSITORY

KEYS = [f"cifar10-recurnet1-{depth}" for depth in range(4, 9)]
A, B, C = KEYS[:3]
IMAGES = 1000
PAPER = load_paper(PAPERS / "recurnets")
Right = np.ndarray | Sequence[np.ndarray]  # whether each image is right; a sequence has one per seed
TREND = {"measure": "trend", "first": "cifar10-recurnet1-*", "claimed": "greater"}
SPREAD = {"measure": "spread", "first": "cifar10-recurnet1-*", "claimed": "equal", "margin": 0.02}
EPOCHS = {"measure": "epochs", "column": "train_accuracy", "level": 0.99}


@cache
def made() -> dict[str, CellResult]:
    """Results of one seed at the document's scale."""
    params = load_params(REPOSITORY / "full" / "params.yaml")
    with TemporaryDirectory() as home:
        write_cells(Path(home), params, KEYS)
        return read_results(Layout(Path(home)), params).of("recurnets")


def with_seeds(result: CellResult, seeds: int, **recipe: Any) -> CellResult:
    settings = {"seeds": tuple(range(seeds)), **recipe}
    return replace(
        result, cell=result.cell.model_copy(update={"recipe": result.cell.recipe.model_copy(update=settings)})
    )


def predicting(result: CellResult, right: Right) -> CellResult:
    seeds = [right] if isinstance(right, np.ndarray) else list(right)
    true = np.arange(len(seeds[0])) % 10
    columns = {f"seed-{number}": np.where(hit, true, (true + 1) % 10) for number, hit in enumerate(seeds)}
    return replace(with_seeds(result, len(seeds)), predicted=pd.DataFrame({"true": true, **columns}))


def reaching(result: CellResult, *epochs: int | None) -> CellResult:
    """A run whose training accuracy is 0.99 from each seed's epoch on, counted from 1; never where there is None."""
    rows = [
        {"seed": seed, "epoch": epoch, "train_accuracy": 0.99 if first is not None and epoch + 1 >= first else 0.5}
        for seed, first in enumerate(epochs)
        for epoch in range(result.cell.recipe.epochs)
    ]
    return replace(with_seeds(result, len(epochs)), curves=pd.DataFrame(rows))


def first(count: int, images: int = IMAGES) -> np.ndarray:
    """The first ``count`` images are right; of two such runs all disagreements go one way."""
    return np.arange(images) < count


def beside(paper: str, results: tuple[CellResult, ...]) -> Beside:
    read = load_paper(PAPERS / paper)
    ours = {result.cell.key: result for result in results if result.cell.paper == paper}
    return Beside(read, load_claims(PAPERS / paper / "claims.csv", read), ours, Energy())


def judge(runs: dict[str, Right | CellResult], *statements: dict[str, Any]) -> list[TableRow]:
    """The rows of statements about runs, given by their right images or as results."""
    ours = {key: run if isinstance(run, CellResult) else predicting(made()[key], run) for key, run in runs.items()}
    told = [
        Statement.model_validate({"id": str(n), "where": "Table 1", "text": "", "measure": "accuracy", **fields})
        for n, fields in enumerate(statements)
    ]
    beside = Beside(PAPER.model_copy(update={"statements": tuple(told)}), [], ours, Energy())
    return statement_rows(beside, pd.DataFrame({"run": [], "epoch": []}))


def seeds_of(*counts: int) -> list[np.ndarray]:
    """A seed per count, with so many images right."""
    return [first(count) for count in counts]


def better(one: str, other: str, **fields: Any) -> dict[str, Any]:
    return {"first": one, "second": other, "claimed": "greater", **fields}


def drawn_for(params: Params, subset: str, *seeds: int) -> Params:
    """The parameters with a random split that is drawn for other seeds."""
    split = params.subsets[subset].model_copy(update={"seeds": seeds})
    return params.model_copy(update={"subsets": {**params.subsets, subset: split}})


def asking_for_one_seed(params: Params) -> Params:
    """The parameters as if no run had been trained with further seeds yet."""
    runs = dict(params.runs)
    for key, run in params.runs.items():
        changes = {name: value for name, value in run.changes.items() if name != "seeds"}
        runs[key] = run.model_copy(update={"changes": changes})
    return params.model_copy(update={"runs": runs})
