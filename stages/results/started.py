"""The first epochs of trainings that are not complete: HOME/started.csv.

`python -m commands begin` writes it, and a training that is stopped leaves its whole epochs there.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import pandas as pd

from stages.cell import Cell
from stages.core.errors import StageError
from stages.core.files import sha256_of
from stages.core.layout import Layout
from stages.core.tables import Row, numeric, read_csv, read_rows, write_csv
from stages.params import Cells
from stages.results.cell_result import CURVE_COLUMNS

# A row per key, seed and epoch (from 0). `epochs`: those of the recipe. `fingerprint`: of all that decides the seed's
# numbers; `cell_sha256`: of what the parameters say of it. Then the machine.
MACHINE_COLUMNS = ("device_name", "threads", "platform", "instructions", "precision", "torch")
STARTED_COLUMNS = (
    "key", "seed", "epoch", "epochs", *CURVE_COLUMNS[2:], "fingerprint", "cell_sha256", *MACHINE_COLUMNS,
)  # fmt: skip
_REMEDY = "restore it with `git checkout`"


def cell_sha256(cell: Cell) -> str:
    """SHA-256 of how a cell is trained, whatever it is called and with which seeds; an entry's default is left out."""
    about = cell.model_dump(
        mode="json", include={"architecture", "options", "split", "transform"}, exclude_defaults=True
    )
    return sha256_of({**about, "recipe": cell.recipe.model_dump(mode="json", exclude={"seeds"}, exclude_defaults=True)})


def started_rows(layout: Layout) -> list[Row]:
    """The rows of HOME/started.csv as text; none if there is no such file."""
    return read_rows(layout.started, STARTED_COLUMNS, remedy=_REMEDY) if layout.started.is_file() else []


@dataclass(frozen=True)
class Begun:
    """The first epochs of a cell; ``curves``: a row per seed and epoch (from 0), named as in curves.csv.

    ``machines``: by seed, in words, what trained it; with the epochs of each where there were several.
    """

    cell: Cell
    curves: pd.DataFrame
    machines: Mapping[int, str] = field(default_factory=dict)


def read_started(layout: Layout, params: Cells) -> dict[str, Begun]:
    """By key, the recorded first epochs of today's cells.

    What was begun with other parameters is left out; nothing is recorded where the file is missing. A
    :class:`StageError` names what is damaged: each seed must have its epochs from 0 on, without a gap.
    """
    path = layout.started
    if not path.is_file():
        return {}
    table = read_csv(path, STARTED_COLUMNS, remedy=_REMEDY)
    if table.empty:
        return {}
    numeric(table, path, ["epochs", *CURVE_COLUMNS], remedy=_REMEDY)
    for (key, seed), rows in table.groupby(["key", "seed"]):
        if rows["epoch"].tolist() != list(range(len(rows))):
            raise StageError(f"{path}: the epochs of {key}, seed {seed}, are not 0, 1, 2 and so on; {_REMEDY}.")
    return {
        str(key): Begun(cell, rows[list(CURVE_COLUMNS)].reset_index(drop=True), _machines(rows))
        for key, rows in table.groupby("key", sort=False)
        if (cell := _cell_of_today(str(key), rows, params)) is not None
    }


def _machines(rows: pd.DataFrame) -> dict[int, str]:
    """What trained the epochs of every seed."""
    told = {}
    for seed, epochs in rows.groupby("seed"):
        names = [f"{name}, torch {torch}" for name, torch in zip(epochs["device_name"], epochs["torch"], strict=True)]
        parts, first = [], 1
        for name, same in groupby(names):
            count = len(list(same))
            parts.append(f"{name} (epochs {first} to {first + count - 1})")
            first += count
        told[int(str(seed))] = names[0] if len(parts) == 1 else ", then ".join(parts)
    return told


def _cell_of_today(key: str, rows: pd.DataFrame, params: Cells) -> Cell | None:
    """The cell that the parameters give for a key, if its rows were made with exactly these."""
    try:
        cell = params.cell(key)
    except StageError:
        return None
    return cell if set(rows["cell_sha256"]) == {cell_sha256(cell)} else None


def started_row(
    cell: Cell, fingerprint: str, curve: Mapping[str, float], machine: Mapping[str, object]
) -> dict[str, object]:
    """A row of :data:`STARTED_COLUMNS`; ``curve``: one of curves.csv."""
    about = {
        "key": cell.key,
        "epochs": cell.recipe.epochs,
        "fingerprint": fingerprint,
        "cell_sha256": cell_sha256(cell),
    }
    return {**about, **curve, **{name: machine[name] for name in MACHINE_COLUMNS}}


def replace_started(
    layout: Layout, rows: Sequence[Mapping[str, object]], gone: Collection[tuple[str, int]] = ()
) -> None:
    """Put ``rows`` in the place of those of their seeds, sorted, and leave out the keys and seeds that are ``gone``.

    Of the same training (the same fingerprint) the longer record stays. Nothing is written where nothing changes.
    """
    with _alone(layout.home):
        there = started_rows(layout)
        before = {seed: list(each) for seed, each in groupby(sorted(there, key=_seed), _seed)}
        after = dict(before)
        for seed, each in groupby(sorted(rows, key=_seed), _seed):
            new, held = list(each), before.get(seed, [])
            if not held or held[0]["fingerprint"] != new[0]["fingerprint"] or len(held) <= len(new):
                after[seed] = [{name: str(value) for name, value in row.items()} for row in new]
        kept = [row for seed in sorted(after.keys() - set(gone)) for row in sorted(after[seed], key=_epoch)]
        if kept != there:
            write_csv(layout.started, kept, STARTED_COLUMNS)


def _seed(row: Mapping[str, object]) -> tuple[str, int]:
    return str(row["key"]), int(str(row["seed"]))


def _epoch(row: Mapping[str, object]) -> int:
    return int(str(row["epoch"]))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for other processes that are in this block with the same folder, so that none undoes what one wrote."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
