"""The tables of cells, checked; those of many cells are read together: by itself, a file takes pandas a millisecond."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from stages.cell import Cell
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.core.tables import REMAKE, numeric, read_csv
from stages.results.cell_result import (
    CLASS_CURVE_COLUMNS,
    CURVE_COLUMNS,
    ITERATION_COLUMNS,
    RELIABILITY_COLUMNS,
    TIMING_COLUMNS,
)
from stages.results.records import Metrics

Wanted = tuple[Path, tuple[str, ...]]  # a table, and the columns that must hold a number in every row
Tables = dict[str, pd.DataFrame]  # of a cell, by the names of the fields of its CellResult


def cell_tables(layout: Layout, evaluated: Sequence[tuple[Cell, Metrics]]) -> list[Tables]:
    """The tables of each cell, complete and as its metrics say; a :class:`StageError` names a damaged file."""
    kinds: dict[str, list[Wanted]] = {}
    for cell, _ in evaluated:
        for name, wanted in _files(layout, cell).items():
            kinds.setdefault(name, []).append(wanted)
    tables = {name: iter(read_tables(wanted)) for name, wanted in kinds.items()}
    found = []
    for cell, metrics in evaluated:
        files = _files(layout, cell)
        of_cell = {name: next(tables[name]) for name in files}
        _check(of_cell, {name: path for name, (path, _) in files.items()}, cell, metrics)
        found.append({"iterations": pd.DataFrame(columns=ITERATION_COLUMNS), **of_cell})
    return found


def _files(layout: Layout, cell: Cell) -> dict[str, Wanted]:
    """The tables of a cell; a network that applies no block again and again has none of iterations."""
    trained, evaluated, clock = layout.training(cell), layout.evaluation(cell), layout.training_clock(cell)
    files: dict[str, Wanted] = {
        "curves": (trained / "curves.csv", CURVE_COLUMNS),
        "class_curves": (trained / "class_curves.csv", CLASS_CURVE_COLUMNS),
        "timing": (clock / "timing.csv", TIMING_COLUMNS),
        "reliability": (evaluated / "calibration.csv", RELIABILITY_COLUMNS),
        "predicted": (evaluated / "predicted.csv", ("true", *(f"seed-{seed}" for seed in cell.recipe.seeds))),
    }
    if (iterations := evaluated / "iterations.csv").is_file():
        files["iterations"] = iterations, ITERATION_COLUMNS[:3]  # the first state has no change
    return files


def _check(tables: Tables, paths: dict[str, Path], cell: Cell, metrics: Metrics) -> None:
    epochs = [cell.recipe.seeds, range(cell.recipe.epochs)]
    _complete(tables["curves"], paths["curves"], CURVE_COLUMNS, epochs)
    _complete(tables["class_curves"], paths["class_curves"], CLASS_CURVE_COLUMNS, [*epochs, range(metrics.classes)])
    _complete(tables["timing"], paths["timing"], TIMING_COLUMNS, epochs)
    predicted, path = tables["predicted"], paths["predicted"]
    if len(predicted) != metrics.test_images:
        raise StageError(
            f"{path} has {len(predicted)} rows where {metrics.test_images} test images were expected; {REMAKE}."
        )
    for name in ("true", *(f"seed-{seed}" for seed in cell.recipe.seeds)):
        if not np.isin(predicted[name].to_numpy(), np.arange(metrics.classes)).all():
            raise StageError(f"{path} has something else than the labels 0 to {metrics.classes - 1}; {REMAKE}.")


def _complete(table: pd.DataFrame, path: Path, columns: Sequence[str], ranges: Sequence[Iterable[int]]) -> None:
    """One row for each combination of ``ranges`` in the first ``columns``."""
    names = columns[: len(ranges)]
    expected = list(product(*ranges))
    found = list(zip(*(table[name].tolist() for name in names), strict=True))
    if found != expected and sorted(found) != sorted(expected):
        raise StageError(
            f"{path} has {len(found)} rows where one was expected for each {', '.join(names)}, {len(expected)} in all; "
            f"{REMAKE}."
        )


def read_tables(wanted: Sequence[Wanted]) -> list[pd.DataFrame]:
    """Many tables, exactly as each by itself would be read; a :class:`StageError` names one that is damaged."""
    texts = [path.read_bytes() if path.is_file() else b"" for path, _ in wanted]
    alike: dict[tuple[bytes, tuple[str, ...]], list[int]] = {}
    for place, (_, columns) in enumerate(wanted):
        alike.setdefault((texts[place].partition(b"\n")[0], columns), []).append(place)
    tables: dict[int, pd.DataFrame] = {}
    for (header, columns), places in alike.items():
        if len(places) > 1:
            tables |= _together(header, {place: texts[place] for place in places}, columns)
    return [tables[place] if place in tables else _alone(*each) for place, each in enumerate(wanted)]


def _alone(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    return numeric(read_csv(path, columns), path, columns)


def _together(header: bytes, texts: dict[int, bytes], columns: Sequence[str]) -> Iterator[tuple[int, pd.DataFrame]]:
    """Tables that have one header, by their places, but for those that might be others if read by themselves."""
    bodies = {place: text[len(header) + 1 :] for place, text in texts.items() if _row_by_row(text)}
    try:
        every = pd.read_csv(io.BytesIO(b"\n".join([header, b"".join(bodies.values())])), low_memory=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError):
        return
    rows = {place: body.count(b"\n") for place, body in bodies.items()}
    as_written = isinstance(every.index, pd.RangeIndex) and len(every) == sum(rows.values())
    numbers = all(kind.kind in "if" for kind in every.dtypes)
    if not as_written or not numbers or not set(columns) <= set(every.columns):
        return
    if every[list(columns)].isna().any(axis=None):
        return
    fractions = [number for number, kind in enumerate(every.dtypes) if kind.kind == "f"]
    end = 0
    for place, count in rows.items():
        start, end = end, end + count
        first = bodies[place].partition(b"\n")[0].split(b",")
        if count and not any(first[number].strip().isdigit() for number in fractions):  # else maybe all are integers
            yield place, every.iloc[start:end].reset_index(drop=True)


def _row_by_row(text: bytes) -> bool:
    """Whether each line is a row, as in what this project writes."""
    return text.endswith(b"\n") and not any(odd in text for odd in (b'"', b"\r", b"\n\n"))
