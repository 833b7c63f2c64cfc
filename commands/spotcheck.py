"""Train the first epochs of results of earlier code again: does this code give the same?

    python -m commands spotcheck full lstm --epochs 2

trains the first seed of each KEY (without one: of every result whose code has changed since) for a few epochs, in
memory, and compares every number of these epochs with the recorded curves. On the machine that made a result the same
arithmetic gives the same bits; elsewhere the largest difference says how close it comes. Results and splits have to be
here (`python -m commands pull` brings published ones). The outcome, in HOME/spotcheck.csv, is told by `python -m
commands audit`. It vouches for the epochs that were trained and no others.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import torch

from models.registry import models
from stages.cell import Cell, Compute
from stages.core.errors import StageError, run_stage
from stages.core.layout import Layout
from stages.core.tables import Row, read_rows, write_csv
from stages.learning.assemble import builder, test_images, training_images
from stages.learning.device import choose_device, describe, keep_freed_memory
from stages.learning.engine import History, Hooks, train
from stages.params import load_params
from stages.results.cell_result import CURVE_COLUMNS, CellResult
from stages.results.read import read_results
from stages.splits.format import SplitData, read_split
from stages.train.code_digest import code_digest

COLUMNS = ("key", "seed", "epochs", "largest_difference", "device_name", "threads", "torch", "code_sha256")


class _EnoughError(Exception):
    """Raised after the last epoch that is wanted, to leave the training."""


def first_epochs(
    cell: Cell, split: SplitData, compute: Compute, device: torch.device, epochs: int
) -> list[dict[str, float]]:
    """The curves of the first ``epochs`` epochs of a cell's first seed, as this code trains it: a row per epoch."""
    seed = cell.recipe.seeds[0]
    rows: list[dict[str, float]] = []

    def after_epoch(histories: Mapping[int, History]) -> None:
        rows[:] = histories[seed].curves
        if len(rows) == epochs:
            raise _EnoughError

    keep_freed_memory()
    with suppress(_EnoughError):
        train(
            builder(cell, split),
            training_images(cell, split, seed, device),
            test_images(cell, split, device),
            cell.recipe,
            seed,
            classes=len(split.classes),
            compute=compute,
            hooks=Hooks(epoch=after_epoch),
        )
    return rows


def largest_difference(ours: Sequence[Mapping[str, float]], committed: Sequence[Mapping[str, str]]) -> float:
    """Of two tables of curves, relative to the larger number; 0 only where every number has the same bits."""
    pairs = [
        (new[column], float(old[column])) for new, old in zip(ours, committed, strict=True) for column in CURVE_COLUMNS
    ]
    return max(0.0 if new == old else abs(new - old) / max(abs(new), abs(old)) for new, old in pairs)


def spotcheck(result: CellResult, compute: Compute, layout: Layout, epochs: int) -> dict[str, object]:
    """Train the first epochs of a result anew and compare them: a row of :data:`COLUMNS`.

    Raises :class:`StageError` if its split is missing or is not the one that it was trained on.
    """
    cell, seed = result.cell, result.cell.recipe.seeds[0]
    split, device = read_split(layout.data(cell.dataset)), choose_device(compute)
    if split.digest != result.run.data_sha256:
        raise StageError(
            f"{cell.key} was trained on other data than {layout.data(cell.dataset)}; make its split again."
        )
    ours = first_epochs(cell, split, compute, device, min(epochs, cell.recipe.epochs))
    committed = [
        row for row in read_rows(layout.training(cell) / "curves.csv", CURVE_COLUMNS) if row["seed"] == str(seed)
    ]
    machine = describe(device)
    return {
        "key": cell.key,
        "seed": seed,
        "epochs": len(ours),
        "largest_difference": largest_difference(ours, committed[: len(ours)]),
        **{name: machine[name] for name in ("device_name", "threads", "torch")},
        "code_sha256": code_digest(cell.architecture),
    }


def read_spotchecks(layout: Layout) -> dict[str, str]:
    """What was found for every key, in words; what was found with other code than this one is left out."""
    current = {code_digest(architecture) for architecture in models()}
    return {row["key"]: _words(row) for row in _rows(layout) if row["code_sha256"] in current}


def _words(row: Mapping[str, object]) -> str:
    which = "first epoch comes" if row["epochs"] in (1, "1") else f"first {row['epochs']} epochs come"
    difference = float(str(row["largest_difference"]))
    return f"its {which} out of this code {f'within {difference:.1e} of each number' if difference else 'bit for bit'}"


def _rows(layout: Layout) -> list[Row]:
    path = layout.home / "spotcheck.csv"
    return read_rows(path, COLUMNS) if path.is_file() else []


def _write(layout: Layout, row: dict[str, object]) -> None:
    """Put a row in the place of that of the same key."""
    others: list[dict[str, object]] = [{**other} for other in _rows(layout) if other["key"] != row["key"]]
    write_csv(layout.home / "spotcheck.csv", sorted([*others, row], key=lambda each: str(each["key"])), COLUMNS)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="folder with params.yaml: . or full")
    parser.add_argument("keys", nargs="*", metavar="key", help="results to be checked")
    parser.add_argument("--epochs", type=int, default=1, help="how many epochs of each (default: 1)")
    arguments = parser.parse_args()
    if arguments.epochs < 1:
        parser.error(f"--epochs is {arguments.epochs}: at least 1 was expected")
    layout = Layout(arguments.home)
    params = load_params(layout.params)
    results = {result.cell.key: result for result in read_results(layout, params).cells}
    if missing := [key for key in arguments.keys if key not in results]:
        raise StageError(f"{layout.results} has no current result of {missing[0]}; train and evaluate it first.")
    changed = [
        key for key, result in results.items() if result.run.code_sha256 != code_digest(result.cell.architecture)
    ]
    for key in arguments.keys or changed:
        row = spotcheck(results[key], params.compute, layout, arguments.epochs)
        _write(layout, row)
        print(f"{key}: {_words(row)}", flush=True)


if __name__ == "__main__":
    run_stage(main)
