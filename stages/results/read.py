"""Reading what training and evaluation left in results/: only what belongs to the current parameters counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

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
from stages.results.cell_result import COMPOSITION_COLUMNS, CellResult
from stages.results.cell_tables import cell_tables
from stages.results.records import Environment, Environments, Latency, Metrics, Record, Run, WeightScores

MOST_ROWS = 10_000_000  # of a table of another home, which is read with less trust
TOGETHER = 100  # cells whose tables are read at a time: they are in memory as text, too
Compositions = Callable[[str], pd.DataFrame | None]


class Made(NamedTuple):
    """A cell that was trained and evaluated, as its JSON files say."""

    run: Run
    cell: Cell
    metrics: Metrics


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
    made: list[Made] = []
    stale: list[str] = []
    unevaluated: list[str] = []
    for path in layout.trained():
        key = path.parent.name
        run = _parse(Run, path)
        cell = _current_cell(run.cell, params)
        if cell is None or layout.training(cell) != path.parent:
            stale.append(key)
        elif (metrics := _evaluated(layout, cell)) is None:
            unevaluated.append(key)
        else:
            made.append(Made(run, cell, metrics))
    datasets, architectures = list(params.data), list(params.recurnets.models)
    place = {key: number for number, key in enumerate(params.named)}

    def order(result: CellResult) -> tuple[int, int, int, int]:
        cell = result.cell
        if cell.key in place:
            return len(datasets), 0, 0, place[cell.key]
        return datasets.index(cell.dataset), architectures.index(cell.architecture), int(cell.options["depth"]), 0

    cells = sorted(_read_cells(layout, made, cache(partial(_composition, layout))), key=order)
    return Results(tuple(cells), tuple(stale), tuple(unevaluated), read_author_weights(layout, params))


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
    return _read_cell(layout, run, cell, metrics)


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
    return _read_cell(layout, run, cell, metrics)


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


def _read_cells(layout: Layout, made: Sequence[Made], composition: Compositions) -> Iterator[CellResult]:
    for start in range(0, len(made), TOGETHER):
        some = made[start : start + TOGETHER]
        tables = cell_tables(layout, [(each.cell, each.metrics) for each in some])
        for (run, cell, metrics), table in zip(some, tables, strict=True):
            yield CellResult(
                cell=cell,
                run=run,
                metrics=metrics,
                environments=_environments(layout.training_clock(cell) / "environment.json", cell.recipe.seeds),
                latency=_parse(Latency, layout.evaluation_clock(cell) / "latency.json"),
                composition=composition(cell.dataset),
                **table,
            )


def _read_cell(layout: Layout, run: Run, cell: Cell, metrics: Metrics) -> CellResult:
    return next(_read_cells(layout, [Made(run, cell, metrics)], partial(_composition, layout)))


def _environments(path: Path, seeds: tuple[int, ...]) -> dict[int, Environment]:
    """Where each seed was trained."""
    found = _parse(Environments, path).seeds
    if missing := set(seeds) - set(found):
        raise StageError(f"{path} has no seed {min(missing)}; {REMAKE}.")
    return {seed: found[seed] for seed in seeds}


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
