"""Print what was measured, which evidence decides how many numbers, and where the report lies."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from stages.compare.columns import CELL_COLUMNS
from stages.compare.ladder import EVIDENCE, RUNGS
from stages.core.errors import run_stage
from stages.core.files import read_json
from stages.core.layout import Layout
from stages.core.tables import read_csv

if TYPE_CHECKING:
    from rich.table import Table


def show(layout: Layout) -> None:
    """Print a line per run of ``layout``'s reports/tables/*/cells.csv, the ladder, and the path of the report."""
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
    console.print(ladder(layout))
    console.print(f"Verdicts by our own runs: {verdicts(layout)}", highlight=False)
    console.print(f"Report: {(layout.reports / 'report.html').resolve()}", soft_wrap=True, highlight=False)


def ladder(layout: Layout) -> Table:
    """A row per kind of evidence that decides published numbers, with how many and how; the last row: open ones."""
    from rich.table import Table

    papers = read_json(layout.reports / "summary.json")["ladder"].values()
    counts = Counter[tuple[str, str]]()
    for paper in papers:
        counts.update({(one["rung"], one["answer"]): one["numbers"] for one in paper["numbers"]})
    distinct, still_open = (sum(paper[key] for paper in papers) for key in ("distinct", "open"))
    table = Table(title=f"Published numbers: {distinct}, each by its strongest evidence", title_justify="left")
    for column in ("evidence", "numbers", "answers"):
        table.add_column(column, justify="right" if column == "numbers" else "left")
    for rung in RUNGS:
        answers = {answer: count for (of, answer), count in counts.items() if of == rung}
        if answers:
            told = ", ".join(f"{count} {answer}" for answer, count in answers.items())
            table.add_row(EVIDENCE[rung], str(sum(answers.values())), told)
    table.add_row("none yet", str(still_open), "open")
    return table


def verdicts(layout: Layout) -> str:
    """How many published numbers have which verdict by our own runs, in words."""
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
