"""Reading what training and evaluation left in results/: only what belongs to the current parameters counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from pydantic import ValidationError

from stages.cell import Cell
from stages.core.errors import StageError
from stages.core.files import read_json
from stages.core.layout import Layout
from stages.core.tables import REMAKE, numeric, read_csv
from stages.core.validation import first_mistake
from stages.params import Cells
from stages.params.mistakes import check_name
from stages.results.cell_result import (
    CLASS_CURVE_COLUMNS,
    COMPOSITION_COLUMNS,
    CURVE_COLUMNS,
    ITERATION_COLUMNS,
    RELIABILITY_COLUMNS,
    TIMING_COLUMNS,
    CellResult,
)
from stages.results.records import Environment, Environments, Latency, Metrics, Record, Run, WeightScores

MOST_ROWS = 10_000_000  # of a table of another home, which is read with less trust


@dataclass(frozen=True)
class Results:
    """The results of a home in the order of its parameters; ``stale`` and ``unevaluated`` are keys not to be shown.

    ``author_weights``: what weights that the documents' authors published give here.
    """

    cells: tuple[CellResult, ...]
    stale: tuple[str, ...]
    unevaluated: tuple[str, ...]
    author_weights: tuple[WeightScores, ...] = ()

    def of(self, paper: str) -> dict[str, CellResult]:
        """The results of a paper, by key."""
        return {result.cell.key: result for result in self.cells if result.cell.paper == paper}

    def weights_of(self, paper: str) -> tuple[WeightScores, ...]:
        """The scores of the weights that the authors of a paper published."""
        return tuple(scores for scores in self.author_weights if scores.cell["paper"] == paper)


def read_results(layout: Layout, params: Cells) -> Results:
    """Read every cell of a home; a :class:`StageError` names a damaged file."""
    cells: list[CellResult] = []
    stale: list[str] = []
    unevaluated: list[str] = []
    composition = cache(partial(_composition, layout))
    for path in layout.trained():
        key = path.parent.name
        run = _parse(Run, path)
        cell = _current_cell(run.cell, params)
        if cell is None or layout.training(cell) != path.parent:
            stale.append(key)
        elif (metrics := _evaluated(layout, cell)) is None:
            unevaluated.append(key)
        else:
            cells.append(_read_cell(layout, run, cell, metrics, composition(cell.dataset)))
    datasets, architectures = list(params.data), list(params.recurnets.models)
    place = {key: number for number, key in enumerate(params.named)}

    def order(result: CellResult) -> tuple[int, int, int, int]:
        cell = result.cell
        if cell.key in place:
            return len(datasets), 0, 0, place[cell.key]
        return datasets.index(cell.dataset), architectures.index(cell.architecture), int(cell.options["depth"]), 0

    return Results(
        tuple(sorted(cells, key=order)), tuple(stale), tuple(unevaluated), read_author_weights(layout, params)
    )


def read_author_weights(layout: Layout, params: Cells) -> tuple[WeightScores, ...]:
    """The scores of the authors' weights that the parameters ask for, where these are still those of the evaluation.

    A :class:`StageError` names a damaged file.
    """
    paths = [layout.author_weights(key) / "scores.json" for key in params.author_weights]
    found = [_parse(WeightScores, path) for path in paths if path.is_file()]
    return tuple(scores for scores in found if _current_cell(scores.cell, params) is not None)


def read_cell(layout: Layout, params: Cells, cell: Cell) -> CellResult:
    """Read one cell and nothing else; a :class:`StageError` if it is missing, stale, not evaluated or damaged."""
    folder = layout.training(cell)
    run = _parse(Run, folder / "run.json")
    if _current_cell(run.cell, params) != cell:
        raise StageError(f"{folder / 'run.json'} is of a run with other parameters; run `dvc repro` to train it anew.")
    if (metrics := _evaluated(layout, cell)) is None:
        raise StageError(
            f"{layout.evaluation(cell) / 'metrics.json'} is missing or of other seeds; "
            "run `dvc repro` to evaluate the cell."
        )
    return _read_cell(layout, run, cell, metrics, _composition(layout, cell.dataset))


def read_recorded(layout: Layout, path: Path) -> CellResult:
    """Read the cell of a run.json as it is described there, whatever the parameters are: results of another home.

    A :class:`StageError` says what is missing, not evaluated or damaged, or that it would not lie where it does.
    """
    run = _parse(Run, path)
    try:
        cell = Cell.model_validate(run.cell)
        for name in (cell.key, cell.study or cell.key, cell.dataset):
            check_name("key 'cell'", name)
    except ValidationError as error:
        key, mistake = first_mistake(error)
        raise StageError(f"{path}: key 'cell.{key}': {mistake}.") from None
    except ValueError as error:
        raise StageError(f"{path}: {error}.") from None
    if layout.training(cell) != path.parent:
        raise StageError(f"{path} is of {cell.address}, which it does not lie in.")
    if (metrics := _evaluated(layout, cell)) is None:
        raise StageError(f"{layout.evaluation(cell) / 'metrics.json'} is missing or of other seeds.")
    if (rows := len(cell.recipe.seeds) * cell.recipe.epochs * metrics.classes) > MOST_ROWS:
        raise StageError(f"{path}: seeds, epochs and classes ask for tables of {rows} rows; {MOST_ROWS} are the most.")
    return _read_cell(layout, run, cell, metrics, _composition(layout, cell.dataset))


def complete_seeds(layout: Layout, params: Cells) -> set[tuple[str, int]]:
    """Keys and seeds of what :func:`read_results` reads, without reading it."""
    runs = (_parse(Run, path).cell for path in layout.trained())
    cells = [cell for run in runs if (cell := _current_cell(run, params)) is not None]
    return {(cell.key, seed) for cell in cells if _evaluated(layout, cell) is not None for seed in cell.recipe.seeds}


def split_images(layout: Layout, params: Cells) -> dict[str, tuple[int, int]]:
    """How many training and test images every split has that was made here, by its name."""
    counts = {}
    for name in params.splits:
        table = _composition(layout, name)
        if table is not None:
            images = table.groupby("part")["images"].sum()
            counts[name] = int(images["train"]), int(images["test"])
    return counts


def _current_cell(recorded: Mapping[str, Any], params: Cells) -> Cell | None:
    """The cell that the parameters give for the key of a recorded one, if that was made with exactly these."""
    try:
        cell = params.cell(str(recorded.get("key")))
    except StageError:
        return None
    try:
        return cell if Cell.model_validate(recorded) == cell else None  # a key that is new since then has its default
    except ValidationError:
        return None


def _evaluated(layout: Layout, cell: Cell) -> Metrics | None:
    """The metrics of exactly the cell's seeds (a run that gained a seed still has its old ones), None without."""
    path = layout.evaluation(cell) / "metrics.json"
    metrics = _parse(Metrics, path) if path.is_file() else None
    return metrics if metrics and tuple(seed.seed for seed in metrics.seeds) == cell.recipe.seeds else None


def _read_cell(layout: Layout, run: Run, cell: Cell, metrics: Metrics, composition: pd.DataFrame | None) -> CellResult:
    trained, evaluated = layout.training(cell), layout.evaluation(cell)
    clock = layout.training_clock(cell)
    seeds, epochs = cell.recipe.seeds, range(cell.recipe.epochs)
    labels = range(metrics.classes)
    return CellResult(
        cell=cell,
        run=run,
        metrics=metrics,
        environments=_environments(clock / "environment.json", seeds),
        curves=_complete(trained / "curves.csv", CURVE_COLUMNS, seeds, epochs),
        class_curves=_complete(trained / "class_curves.csv", CLASS_CURVE_COLUMNS, seeds, epochs, labels),
        timing=_complete(clock / "timing.csv", TIMING_COLUMNS, seeds, epochs),
        reliability=_numbers(evaluated / "calibration.csv", RELIABILITY_COLUMNS),
        iterations=_iterated(evaluated / "iterations.csv"),
        latency=_parse(Latency, layout.evaluation_clock(cell) / "latency.json"),
        predicted=_predicted(evaluated / "predicted.csv", cell, metrics),
        composition=composition,
    )


def _complete(path: Path, columns: tuple[str, ...], *ranges: Iterable[int]) -> pd.DataFrame:
    """A table of numbers with one row for each combination of ``ranges`` in its first columns."""
    table = numeric(read_csv(path, columns), path, columns)
    names = list(columns[: len(ranges)])
    expected = list(product(*ranges))
    found = [tuple(row) for row in table[names].to_numpy().tolist()]
    if found != expected and sorted(found) != sorted(expected):
        raise StageError(
            f"{path} has {len(found)} rows where one was expected for each {', '.join(names)}, {len(expected)} in all; "
            f"{REMAKE}."
        )
    return table


def _numbers(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    return numeric(read_csv(path, columns), path, columns)


def _environments(path: Path, seeds: tuple[int, ...]) -> dict[int, Environment]:
    """Where each seed was trained."""
    found = _parse(Environments, path).seeds
    if missing := set(seeds) - set(found):
        raise StageError(f"{path} has no seed {min(missing)}; {REMAKE}.")
    return {seed: found[seed] for seed in seeds}


def _iterated(path: Path) -> pd.DataFrame:
    """The table of iterations; empty for a network that applies no block again and again."""
    table = read_csv(path, ITERATION_COLUMNS) if path.is_file() else pd.DataFrame(columns=ITERATION_COLUMNS)
    return table if table.empty else numeric(table, path, ITERATION_COLUMNS[:3])


def _predicted(path: Path, cell: Cell, metrics: Metrics) -> pd.DataFrame:
    columns = ("true", *(f"seed-{seed}" for seed in cell.recipe.seeds))
    table, images = numeric(read_csv(path, columns), path, columns), metrics.test_images
    if len(table) != images:
        raise StageError(f"{path} has {len(table)} rows where {images} test images were expected; {REMAKE}.")
    if not table[list(columns)].isin(range(metrics.classes)).all(axis=None):
        raise StageError(f"{path} has something else than the labels 0 to {metrics.classes - 1}; {REMAKE}.")
    return table


def _composition(layout: Layout, dataset: str) -> pd.DataFrame | None:
    """The table of a split; None where it is missing. Names of classes are text, also those that look like numbers."""
    path = layout.composition(dataset) / "composition.csv"
    if not path.is_file():
        return None
    table = read_csv(path, COMPOSITION_COLUMNS, text=True)
    counted = [name for name in COMPOSITION_COLUMNS if name not in ("part", "class")]
    table[counted] = table[counted].apply(pd.to_numeric, errors="coerce")
    return numeric(table, path, counted)


RecordType = TypeVar("RecordType", bound=Record)


def _parse(kind: type[RecordType], path: Path) -> RecordType:
    try:
        return kind.model_validate(read_json(path))
    except ValidationError as error:
        key, mistake = first_mistake(error)
        raise StageError(f"{path}: key '{key}': {mistake}; {REMAKE}.") from None
