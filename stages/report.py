"""Render the report: one HTML file that needs nothing beside it, and every figure as an SVG file."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from stages.beside import CELL_COLUMNS, CLAIM_COLUMNS, DIFFERENCE_COLUMNS, HEADLINE_COLUMNS
from stages.drawer import Drawer, FigureView, Row, read_rows
from stages.errors import run_stage
from stages.exhibits import ChartGroup, Comparison
from stages.files import atomic_folder, read_json, write_text
from stages.layout import Layout
from stages.papers import PAPERS, Paper, load_author_cost, load_author_log, load_papers, slug
from stages.params import Params, load_params
from stages.relations import COMPARISON_COLUMNS, STATEMENT_COLUMNS
from stages.results import Results, read_results
from stages.sizes import SIZE_COLUMNS
from stages.svg import FOREGROUND, GRID, SERIES, SOFT
from stages.views import (
    MapsView,
    PublishedTable,
    SampleView,
    maps,
    matrix,
    published_tables,
    revision,
    samples,
)  # fmt: skip

MISSING = "\N{EN DASH}"


def fraction(value: str) -> str:
    """A fraction to four decimals; a dash where there is none."""
    return f"{float(value):.4f}" if value else MISSING


def measured(value: str, unit: str) -> str:
    """A number in its unit: fractions to four decimals, counts with thin spaces, losses to four digits."""
    if not value:
        return MISSING
    if unit == "count":
        return count(round(float(value)))
    return f"{float(value):.4f}" if unit == "fraction" or float(value) < 10 else f"{float(value):.4g}"


def signed(value: str) -> str:
    """A difference to four decimals, with its sign."""
    return f"{float(value):+.4f}".replace("-", "\N{MINUS SIGN}") if value else MISSING


def points(value: str) -> str:
    """A difference between fractions in percentage points, with its sign."""
    return f"{100 * float(value):+.2f}".replace("-", "\N{MINUS SIGN}") if value else MISSING


def epochs(value: str) -> str:
    """A difference in epochs, with its sign."""
    return f"{float(value):+.3g}".replace("-", "\N{MINUS SIGN}") if value else MISSING


def count(value: str | int) -> str:
    """A whole number with thin spaces between thousands."""
    return f"{int(value):,}".replace(",", "\u202f") if value != "" else MISSING


def millions(value: str) -> str:
    """A number of operations in millions."""
    return f"{int(value) / 1e6:,.1f}".replace(",", "\u202f")


def rate(value: str) -> str:
    """Something per second, to three digits."""
    return count(round(float(f"{float(value):.3g}"))) if value else MISSING


def milliseconds(value: str) -> str:
    """How long one of so many per second takes."""
    return f"{1000 / float(value):.3g}\u202fms" if value else ""


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
    filters = (fraction, measured, signed, points, epochs, count, millions, rate, milliseconds, duration, inline, slug)
    made.filters |= {f.__name__: f for f in filters}
    return made


@dataclass(frozen=True)
class PaperView:
    """One document's section: its figures, and its tables as they stand on disk, rounded only by the templates."""

    paper: Paper
    headline: dict[str, dict[str, Row]]
    columns: list[str]
    tables: list[PublishedTable]
    statements: list[Row]
    comparisons: list[tuple[Comparison, str, list[Row]]]
    cells: list[Row]
    differences: list[Row]
    cost: tuple[int, float] | None
    samples: list[SampleView]
    diagrams: list[FigureView]
    charts: list[tuple[ChartGroup, list[FigureView]]]
    own: list[FigureView]
    sweeps: list[FigureView]
    grids: list[FigureView]
    iterations: list[FigureView]
    trade_offs: list[FigureView]
    maps: list[MapsView]
    sizes: list[Row]

    @property
    def figures(self) -> list[FigureView]:
        """All figures that are drawn."""
        charts = [figure for _, group in self.charts for figure in group]
        return [*self.diagrams, *charts, *self.own, *self.sweeps, *self.grids, *self.iterations, *self.trade_offs]

    def title_of(self, split: str) -> str:
        """A split's name as the document writes it."""
        return self.paper.datasets.get(split, split.capitalize())


def view(layout: Layout, paper: Paper, results: Results) -> PaperView:
    """Read a document's tables back, and draw its figures."""
    folder, tables = PAPERS / paper.id, layout.reports / "tables" / paper.id
    drawer = Drawer(paper, results.of(paper.id), load_author_log(folder))
    headline = matrix(read_rows(tables / "headline.csv", HEADLINE_COLUMNS))
    cells = read_rows(tables / "cells.csv", CELL_COLUMNS)
    compared = [(item, f"comparison_{slug(item.id)}.csv") for item in paper.comparisons]
    return PaperView(
        paper=paper,
        headline=headline,
        columns=list(dict.fromkeys(column for row in headline.values() for column in row)),
        tables=published_tables(paper, read_rows(tables / "claims.csv", CLAIM_COLUMNS)),
        statements=read_rows(tables / "statements.csv", STATEMENT_COLUMNS),
        comparisons=[(item, name, read_rows(tables / name, COMPARISON_COLUMNS)) for item, name in compared],
        cells=cells,
        differences=read_rows(tables / "recipe_differences.csv", DIFFERENCE_COLUMNS),
        cost=load_author_cost(folder),
        samples=samples(paper, layout, dict.fromkeys(row["dataset"] for row in cells)),
        diagrams=drawer.diagrams(),
        charts=list(zip(paper.charts, drawer.charts(), strict=True)),
        own=drawer.own_charts(),
        sweeps=drawer.sweeps(tables),
        grids=drawer.grids(tables),
        iterations=drawer.iterations(tables),
        trade_offs=drawer.trade_offs(tables),
        maps=maps(paper, layout),
        sizes=read_rows(tables / "sizes.csv", SIZE_COLUMNS) if paper.sizes else [],
    )


def render(layout: Layout, params: Params) -> None:
    """Write HOME/reports/figures/*.svg and HOME/reports/report.html from the tables, results and papers."""
    results = read_results(layout, params)
    views = [view(layout, paper, results) for paper in load_papers()]
    with atomic_folder(layout.reports / "figures") as folder:
        for figure in (figure for paper in views for figure in paper.figures):
            (folder / f"{figure.name}.svg").write_text(figure.svg, encoding="utf-8", newline="\n")
    page = (
        environment()
        .get_template("report.html.j2")
        .render(
            papers=views,
            summary=read_json(layout.reports / "summary.json"),
            home=params.home,
            prefix="" if params.home == "." else f"{params.home}/",
            revision=revision(),
        )
    )
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
