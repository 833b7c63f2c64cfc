"""Take over what was trained on another machine, if it is what would have been trained here.

    python -m commands adopt HOME FOLDER KEY [KEY ...]

FOLDER is the same home in another checkout, in which `python -m stages.train HOME KEY` has run: a machine with a GPU
needs neither DVC nor its cache for that. A run is adopted only if its parameters, its data and the code that trained it
have the hashes that they have here, and its weights their own; then its outputs are copied and `dvc commit` records
them. Evaluation is not adopted: `dvc repro` makes it here, from the weights.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stages.cell import Cell
from stages.core.errors import StageError, run_stage
from stages.core.files import atomic_folder, read_json
from stages.core.layout import Layout
from stages.documents.paper import flatten
from stages.learning.weights import load_weights
from stages.params import Params, load_params
from stages.train.code_digest import code_digest

TRAINING = ("run.json", "curves.csv", "class_curves.csv", "weights.json")
CLOCK = ("timing.csv", "environment.json")


def adopt(layout: Layout, source: Layout, params: Params, key: str) -> None:
    """Copy a run's training outputs from ``source``, or those of all cells of a study.

    A :class:`StageError` says why it is refused. Nothing is copied unless everything is in order.
    """
    cells = params.cells(key)
    for cell in cells:
        _check(layout, source, cell, params.compute.precision)
    for cell in cells:
        for target, origin in (
            (layout.training(cell), source.training(cell)),
            (layout.training_clock(cell), source.training_clock(cell)),
        ):
            with atomic_folder(target) as folder:
                shutil.copytree(origin, folder, dirs_exist_ok=True)


def _check(layout: Layout, source: Layout, cell: Cell, precision: str) -> None:
    key = cell.key
    training, clock = source.training(cell), source.training_clock(cell)
    for path in (*(training / name for name in TRAINING), *(clock / name for name in CLOCK)):
        if not path.is_file():
            raise StageError(f"{path} is missing; train {key} there first.")
    record = training / "run.json"
    run = read_json(record)
    if missing := {"cell", "data_sha256", "code_sha256"} - run.keys():
        raise StageError(f"{record} is damaged: key '{min(missing)}' is missing; train {key} there again.")
    theirs, ours = (flatten(each) for each in (_complete(run["cell"]), cell.model_dump(mode="json")))
    for name in dict.fromkeys([*ours, *theirs]):
        if theirs.get(name) != ours.get(name):
            raise StageError(
                f"{key} was trained with {name} {theirs.get(name)}, {layout.params} says {ours.get(name)}; "
                "train it again with these parameters."
            )
    for machine in read_json(clock / "environment.json")["seeds"].values():
        if (found := machine.get("precision", "float32")) != precision:
            raise StageError(
                f"{key} was trained in {found}, compute.precision of {layout.params} is {precision}; "
                "train it again with these parameters."
            )
    split = layout.data(cell.dataset) / "dataset.json"
    if not split.is_file():
        raise StageError(f"{split} is missing; make the split here first, with `dvc repro`.")
    for what, expected in (("data", read_json(split).get("digest")), ("code", code_digest(cell.architecture))):
        if (found := run[f"{what}_sha256"]) != expected:
            raise StageError(
                f"{key} was trained with other {what}: SHA-256 {expected} was expected, {found} was found; "
                "train it again from this revision."
            )
    for seed in cell.recipe.seeds:
        load_weights(training, seed)


def _complete(recorded: dict[str, Any]) -> dict[str, Any]:
    """A recorded cell, with the default of every key that is new since then; as it is, if it no longer is a cell."""
    try:
        return Cell.model_validate(recorded).model_dump(mode="json")
    except ValidationError:
        return recorded


def commit(layout: Layout, params: Params, keys: Sequence[str]) -> None:
    """Let DVC record the outputs of ``keys`` as made from what lies here."""
    stages = [params.cells(key)[0].stage("train") for key in keys]
    targets = [f"{os.path.relpath(layout.home / 'dvc.yaml')}:{stage}" for stage in stages]
    if subprocess.run([sys.executable, "-m", "dvc", "commit", "--force", *targets]).returncode:
        raise StageError(f"dvc could not record {', '.join(targets)}; see above, then run `dvc commit` on them again.")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="folder with params.yaml: . or full")
    parser.add_argument("folder", type=Path, help="the same home in the checkout that trained")
    parser.add_argument("keys", nargs="+", metavar="key", help="what was trained, as for `python -m stages.train`")
    arguments = parser.parse_args()
    layout = Layout(arguments.home)
    params = load_params(layout.params)
    for key in arguments.keys:
        adopt(layout, Layout(arguments.folder), params, key)
        print(f"{key}: adopted", flush=True)
    commit(layout, params, arguments.keys)


if __name__ == "__main__":
    run_stage(main)
