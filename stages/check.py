"""Check the parameters before anything runs.

    python -m stages.check HOME

Every other stage depends on checked/params-are-valid, whose content never changes: a mistake in params.yaml stops the
pipeline at once, and a correct change re-runs only what it touches. What sets results beside documents reads
checked/cells.json, which holds what the parameters say of cells, in full.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from models.registry import UnknownModelError, build, check_options, models
from stages.cell import Cell, Model, Split
from stages.core.dependencies import code_of
from stages.core.errors import StageError, run_stage
from stages.core.files import write_json, write_text
from stages.core.layout import Layout
from stages.core.unchanged import unchanged
from stages.params import Params, load_params
from stages.splits.facts import OFFICIAL

# What constructors and torch raise for values and shapes that do not go together.
_MISFITS = (ArithmeticError, AssertionError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


def run(params: Params, source: Path) -> None:
    """A :class:`StageError` names the file and key of an architecture, option or model file that does not exist.

    It also names a run whose model does not take the images of its split, where their size is known.
    """
    grid = params.recurnets.models
    named = {f"recurnets.models.{name}": Model(file="recurnets", name=name, options=grid[name]) for name in grid}
    named |= {f"runs.{key}.model": run.model for key, run in params.runs.items()}
    for name, study in params.studies.items():
        named |= {f"studies.{name}, run {key}": run.model for key, run in study.runs(name).items()}
    for key, model in named.items():
        try:
            check_options(model.name, model.options)
        except UnknownModelError as error:
            raise StageError(f"{source}: key '{key}': {error}.") from None
        if (file := models()[model.name].__module__.removeprefix("models.")) != model.file:
            raise StageError(f"{source}: key '{key}': {model.name} is in models/{file}.py, not models/{model.file}.py.")
    tried = set()
    cells = [f"{dataset}-{name}-{params.depth}" for dataset in (params.dataset, *params.grid.datasets) for name in grid]
    for key in (*params.named, *cells):
        cell = params.cell(key)
        if (one := (cell.architecture, *sorted(cell.options.items()), _image(params, cell))) not in tried:
            tried.add(one)
            _try(params, cell, source)


def _try(params: Params, cell: Cell, source: Path) -> None:
    """Classify one black image."""
    if (image := _image(params, cell)) is None:
        return
    channels, side = image
    try:
        model = build(cell.architecture, channels, 10, cell.options).eval()
        with torch.inference_mode():
            model(torch.zeros(1, channels, side, side))
    except _MISFITS as error:
        raise StageError(
            f"{source}: key '{cell.key}': {cell.architecture} with {_listed(cell)} does not take the images of "
            f"{cell.dataset}, {channels} x {side} x {side} after the transform ({' '.join(str(error).split())}); "
            "correct its options, `width` and `side` first, or the transform."
        ) from None


def _image(params: Params, cell: Cell) -> tuple[int, int] | None:
    """Channels and side of what a cell's model is given; None for images of the user's own."""
    if (source := cell.split.source) not in OFFICIAL or params.splits.get(source, Split()).folder is not None:
        return None
    facts = OFFICIAL[source]
    return facts.channels, cell.transform.crop or cell.transform.resize or facts.side


def _listed(cell: Cell) -> str:
    return ", ".join(f"{name} {value}" for name, value in cell.options.items()) or "no options"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="folder with params.yaml: . or full")
    layout = Layout(parser.parse_args().home)
    with unchanged([layout.params, *code_of("check")]):
        params = load_params(layout.params)
        run(params, layout.params)
        write_json(layout.cells, params.comparable().model_dump(mode="json"))
        write_text(layout.checked, "The parameters are valid.\n")


if __name__ == "__main__":
    run_stage(main)
