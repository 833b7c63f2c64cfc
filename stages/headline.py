"""The few numbers that ``dvc metrics diff`` shows: those of the cell that params.yaml asks for."""

from __future__ import annotations

import argparse
from pathlib import Path

from stages.core.dependencies import code_of
from stages.core.errors import run_stage
from stages.core.files import write_json
from stages.core.layout import Layout
from stages.core.unchanged import unchanged
from stages.params import load_params
from stages.results.cell_result import CellResult
from stages.results.read import read_cell


def headline(result: CellResult) -> dict[str, float | int]:
    """Flat numbers of one cell: means over the seeds, fractions 0..1; train_accuracy is that of the last epoch."""
    return {
        "test_accuracy": result.mean("test_accuracy"),
        "test_f1": result.mean("test_f1_weighted"),
        "test_precision": result.mean("test_precision_weighted"),
        "test_recall": result.mean("test_recall_weighted"),
        "test_loss": result.mean("test_loss"),
        "train_accuracy": result.mean("train_accuracy"),
        "parameters": result.metrics.parameters,
        "macs": result.metrics.macs,
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog="Writes HOME/headline.json.")
    parser.add_argument("home", nargs="?", default=Path(), type=Path, help="folder with params.yaml (default: here)")
    layout = Layout(parser.parse_args().home)
    params = load_params(layout.params)
    cell = params.cell(params.headline)
    read = [layout.training(cell), layout.evaluation(cell), layout.training_clock(cell), layout.evaluation_clock(cell)]
    with unchanged([*read, *code_of("headline")], lambda: load_params(layout.params).headline):
        write_json(layout.headline, headline(read_cell(layout, params, cell)))


if __name__ == "__main__":
    run_stage(main)
