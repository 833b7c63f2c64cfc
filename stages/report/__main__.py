"""Render the report: one HTML file that needs nothing beside it, and every figure as SVG and as PDF."""

from __future__ import annotations

import argparse
from pathlib import Path

from stages.core.dependencies import code_of
from stages.core.errors import run_stage
from stages.core.layout import Layout
from stages.core.unchanged import unchanged
from stages.params import load_cells
from stages.report.page import render


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Reads HOME/results and what `python -m stages.compare HOME` wrote; "
        "writes HOME/reports/report.html and HOME/reports/figures.",
    )
    parser.add_argument("home", nargs="?", default=Path(), type=Path, help="folder with params.yaml (default: here)")
    layout = Layout(parser.parse_args().home)
    read = [layout.cells, layout.results, layout.reports / "tables", layout.reports / "summary.json"]
    with unchanged([*read, *code_of("report")]):
        render(layout, load_cells(layout.cells))


if __name__ == "__main__":
    run_stage(main)
