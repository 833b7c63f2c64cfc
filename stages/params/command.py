"""The command line of the stages that work on a cell."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from stages.cell import Cell, Compute
from stages.core.layout import Layout
from stages.params import load_params


def cell_command(description: str | None, stage: Callable[[Sequence[Cell], Compute, Layout], None]) -> None:
    """The command line of a stage that works on a cell, or on those of a study: HOME KEY."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="folder with params.yaml: . or full")
    parser.add_argument(
        "key", help="a run or study of params.yaml, or DATASET-ARCHITECTURE-DEPTH, say mnist-recurnet1-7"
    )
    arguments = parser.parse_args()
    layout = Layout(arguments.home)
    params = load_params(layout.params)
    stage(params.cells(arguments.key), params.compute, layout)
