"""Print what was measured, the verdicts, and where the report lies."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from stages.compare.columns import CELL_COLUMNS
from stages.core.errors import run_stage
from stages.core.files import read_json
from stages.core.layout import Layout
from stages.core.tables import read_csv


def show(layout: Layout) -> None:
    """Print a line per run of ``layout``'s reports/tables/*/cells.csv, the verdicts, and the path of the report."""
    from rich.console import Console
    from rich.table import Table

    tables = sorted((layout.reports / "tables").glob("*/cells.csv"))
    cells = [row for path in tables for row in read_csv(path, CELL_COLUMNS).to_dict("records")]
    table = Table(title="Measured", title_justify="left")
    for column, number in (("run", False), ("scale", False), ("parameters", True), ("MACs, million", True),
                            ("train accuracy", True), ("test accuracy", True), ("seconds", True)):  # fmt: skip
        table.add_column(column, justify="right" if number else "left")
    for row in cells:
        table.add_row(
            row["key"],
            row["scale"],
            f"{row['parameters']:,}",
            f"{row['macs'] / 1e6:.1f}",
            f"{row['train_accuracy']:.4f}",
            f"{row['test_accuracy']:.4f}",
            f"{row['seconds']:.1f}",
        )
    console = Console(width=None if Console().is_terminal else 110)
    console.print(table)
    console.print(f"Verdicts on published numbers: {verdicts(layout)}", highlight=False)
    console.print(f"Report: {(layout.reports / 'report.html').resolve()}", soft_wrap=True, highlight=False)


def verdicts(layout: Layout) -> str:
    """How many published numbers have which verdict, in words."""
    counts = Counter[str]()
    for paper in read_json(layout.reports / "summary.json")["papers"].values():
        counts.update(paper["verdicts"])
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", nargs="?", default=Path(), type=Path, help="folder with params.yaml (default: here)")
    show(Layout(parser.parse_args().home))


if __name__ == "__main__":
    run_stage(main)
