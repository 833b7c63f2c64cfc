"""Put every published number beside the authors' log and beside ours: tables as CSV, and a summary as JSON."""

from __future__ import annotations

import argparse
from pathlib import Path

from stages.compare.tables import compare
from stages.core.errors import run_stage
from stages.core.layout import Layout
from stages.params import load_params
from stages.results.read import read_results


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="Writes HOME/reports/tables and HOME/reports/summary.json."
    )
    parser.add_argument("home", nargs="?", default=Path(), type=Path, help="folder with params.yaml (default: here)")
    layout = Layout(parser.parse_args().home)
    params = load_params(layout.params)
    compare(read_results(layout, params), layout.reports, params.energy)


if __name__ == "__main__":
    run_stage(main)
