"""Render the report: one HTML file that needs nothing beside it, and every figure as an SVG file."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from stages.compare import CELL_COLUMNS, DIFFERENCE_COLUMNS, HEADLINE_COLUMNS, PUBLISHED_COLUMNS, table_name
from stages.errors import run_stage
from stages.files import atomic_folder, read_json, write_text
from stages.layout import Layout
from stages.papers import METRICS, PAPERS, Paper, load_author_cells, load_author_log, load_paper
from stages.params import Params, load_params
from stages.results import read_results
from stages.svg import FOREGROUND, GRID, SERIES, SOFT
from stages.views import Drawer, FigureView, dataset_title, diagrams, matrix, read_rows, revision, splits

MISSING = "\N{EN DASH}"


def fraction(value: str) -> str:
    """A fraction to four decimals; a dash where there is none."""
    return f"{float(value):.4f}" if value else MISSING


def signed(value: str) -> str:
    """A difference to four decimals, with its sign."""
    return f"{float(value):+.4f}".replace("-", "\N{MINUS SIGN}") if value else MISSING


def count(value: str | int) -> str:
    """A whole number with thin spaces between thousands."""
    return f"{int(value):,}".replace(",", "\u202f") if value != "" else MISSING


def millions(value: str) -> str:
    """A number of operations in millions."""
    return f"{int(value) / 1e6:,.1f}".replace(",", "\u202f")


def duration(seconds: float | str) -> str:
    """Seconds in the unit that suits them."""
    number = float(seconds)
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if number >= 2 * size:
            return f"{number / size:.1f}\u202f{unit}"
    return f"{number:.1f}\u202fs"


def inline(svg: str) -> Markup:
    """A figure's SVG for the page: its fixed colours become the page's, which differ between light and dark."""
    colors = {FOREGROUND: "currentColor", SOFT: "var(--soft)", GRID: "var(--grid)"}
    colors |= {color: f"var(--series-{number})" for number, color in enumerate(SERIES)}
    svg = re.sub("#[0-9a-f]{6}", lambda match: colors.get(match[0], match[0]), svg)
    size = re.search(r' width="([\d.]+)pt" height="[\d.]+pt"', svg)
    assert size is not None
    return Markup(svg.replace(size[0], f' aria-hidden="true" style="--natural: {size[1]}"'))


def environment() -> jinja2.Environment:
    """The templates with their filters; an undefined name is an error, and text is escaped."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {f.__name__: f for f in (fraction, signed, count, millions, duration, inline)}
    return made


def content(layout: Layout, params: Params, paper: Paper, figures: list[FigureView]) -> dict[str, Any]:
    """Everything that the templates show; numbers as they stand in the tables, rounded only by the templates."""
    tables = layout.reports / "tables"
    headline = matrix(read_rows(tables / "headline.csv", HEADLINE_COLUMNS))
    cells = read_rows(tables / "cells.csv", CELL_COLUMNS)
    authors = load_author_cells(PAPERS / paper.id)
    return {
        "paper": paper,
        "summary": read_json(layout.reports / "summary.json"),
        "home": params.home,
        "prefix": "" if params.home == "." else f"{params.home}/",
        "revision": revision(),
        "headline": headline,
        "headline_depths": sorted({int(depth) for row in headline.values() for depth in row}),
        "tables": [(table, table_name(table.id), read_rows(tables / table_name(table.id), PUBLISHED_COLUMNS))
                   for table in paper.tables],
        "metrics": dict(zip(METRICS, ("Accuracy", "F-1 score", "Precision", "Recall"), strict=True)),
        "cells": cells,
        "differences": read_rows(tables / "recipe_differences.csv", DIFFERENCE_COLUMNS),
        "author_hours": float(authors["seconds_logged"].sum()) / 3600,
        "author_runs": int((authors["epochs_logged"] > 0).sum()),
        "splits": splits(paper, layout, dict.fromkeys(row["dataset"] for row in cells)),
        "chapter": [f for f in figures if f.number.startswith("5.")],
        "appendix": [f for f in figures if f.number.startswith("7.")],
        "diagrams": [f for f in figures if f.number.startswith("4.")],
        "own": [f for f in figures if not f.number],
        "title_of": lambda dataset: dataset_title(paper, dataset),
    }  # fmt: skip


def render(layout: Layout, params: Params) -> None:
    """Write HOME/reports/figures/*.svg and HOME/reports/report.html from the tables, results and papers."""
    paper = load_paper(PAPERS / "recurnets")
    drawer = Drawer(paper, read_results(layout, params), load_author_log(PAPERS / paper.id))
    figures = [*diagrams(paper), *drawer.charts(), *drawer.own_charts()]
    with atomic_folder(layout.reports / "figures") as folder:
        for figure in figures:
            (folder / f"{figure.name}.svg").write_text(figure.svg, encoding="utf-8", newline="\n")
    page = environment().get_template("report.html.j2").render(content(layout, params, paper, figures))
    write_text(layout.reports / "report.html", page)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="Reads what `python -m stages.compare HOME` wrote; writes HOME/reports/report.html."
    )
    parser.add_argument("home", nargs="?", default=Path(), type=Path, help="folder with params.yaml (default: here)")
    layout = Layout(parser.parse_args().home)
    render(layout, load_params(layout.params))


if __name__ == "__main__":
    run_stage(main)
