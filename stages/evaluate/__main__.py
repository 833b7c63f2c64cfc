"""Evaluate one trained cell on its test set, or all cells of a study, from what training left.

    python -m stages.evaluate HOME KEY

writes results/evaluation/<address>/: metrics.json, predicted.csv, calibration.csv and, of networks that apply a block
again and again, iterations.csv; and results/clocks/evaluation/<address>/latency.json.

predicted.csv has a row per test image: its label, and what every seed predicts, so that runs can be compared image by
image. iterations.csv has per seed and number of iterations from 1 to 30, whatever it was in training, the accuracy, and
how far the iteration moved the state, relative to it, mean over the images (empty once the state has left the range of
its numbers). MACs are torch's own count for one image's forward pass: ``macs`` as needed for a prediction,
``training_macs`` as executed in training. calibration.csv is the reliability diagram of every seed. latency.json is how
long one image takes by itself, in milliseconds, the median of repeated calls: it depends on the machine.
"""

from __future__ import annotations

from pydantic import ValidationError

from models.registry import models
from stages.cell import Cell
from stages.core.dependencies import code_of
from stages.core.errors import StageError, run_stage
from stages.core.files import read_json
from stages.core.layout import Layout
from stages.core.torch_compiler import leave_out_compiler
from stages.core.unchanged import unchanged
from stages.core.validation import first_mistake
from stages.evaluate.cell import evaluate_cell
from stages.learning.assemble import check_cell
from stages.params import load_params
from stages.params.command import home_and_key


def trained_cells(layout: Layout, key: str) -> list[Cell]:
    """The cells that were trained under this name; a :class:`StageError` if there is none, or a record is damaged."""
    paths = layout.trained(key)
    if not paths:
        raise StageError(f"{layout.results / 'training' / key} has no run.json; train {key} first, with `dvc repro`.")
    cells = []
    for path in paths:
        try:
            cells.append(Cell.model_validate(read_json(path).get("cell")))
        except ValidationError as error:
            key, mistake = first_mistake(error)
            raise StageError(f"{path}: key 'cell.{key}': {mistake}; run `dvc repro` to train it anew.") from None
    return cells


def main() -> None:
    """Command line."""
    leave_out_compiler()
    layout, key = home_and_key(__doc__)
    cells, compute = trained_cells(layout, key), load_params(layout.params).compute
    inputs = {layout.results / "training" / key, *(layout.data(cell.dataset) for cell in cells)}
    for cell in cells:
        check_cell(cell)
        inputs |= {*code_of("evaluate-run", models()[cell.architecture].__module__.rpartition(".")[2])}
    with unchanged(sorted(inputs), lambda: load_params(layout.params).compute):
        for cell in cells:
            evaluate_cell(cell, compute, layout)


if __name__ == "__main__":
    run_stage(main)
