"""Put every published number beside the authors' log and ours: tables as CSV, a summary as JSON, a row per cell."""

from __future__ import annotations

import argparse
from pathlib import Path

from stages.compare.tables import compare
from stages.core.dependencies import code_of
from stages.core.errors import run_stage
from stages.core.layout import Layout
from stages.core.torch_compiler import leave_out_compiler
from stages.core.unchanged import unchanged
from stages.params import load_cells
from stages.results.read import read_results


def main() -> None:
    """The command line."""
    leave_out_compiler()
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Writes HOME/reports/tables, HOME/reports/summary.json, HOME/reports/badge.json and HOME/scores.csv.",
    )
    parser.add_argument("home", nargs="?", default=Path(), type=Path, help="folder with params.yaml (default: here)")
    layout = Layout(parser.parse_args().home)
    with unchanged([layout.cells, layout.results, layout.started, layout.pace, layout.teams, *code_of("compare")]):
        cells = load_cells(layout.cells)
        compare(read_results(layout, cells), layout, cells)


if __name__ == "__main__":
    run_stage(main)
