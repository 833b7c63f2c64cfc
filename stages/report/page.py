"""The page: its sections, rendered from the tables, results and papers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from stages.compare.columns import (
    AUTHOR_WEIGHTS_COLUMNS,
    CELL_COLUMNS,
    CLAIM_COLUMNS,
    COMPARISON_COLUMNS,
    DIFFERENCE_COLUMNS,
    FINDING_COLUMNS,
    FIRST_EPOCH_COLUMNS,
    HEADLINE_COLUMNS,
    SIZE_COLUMNS,
    STATEMENT_COLUMNS,
)
from stages.compare.contradictions import RULES
from stages.compare.outcomes import OUTCOMES
from stages.compare.verdicts import VERDICTS
from stages.core.files import atomic_folder, read_json, write_text
from stages.core.layout import Layout
from stages.core.tables import Row, read_rows
from stages.core.text import slug
from stages.documents.author_log import load_author_cost, load_author_log
from stages.documents.exhibits import ChartGroup, Comparison
from stages.documents.paper import PAPERS, Paper, load_papers
from stages.params import Cells
from stages.report.benchmark_tables import speed
from stages.report.figures.figure import FigureView, draw_all
from stages.report.figures.of_document import Drawer
from stages.report.figures.of_tables import Tabled
from stages.report.filters import FILTERS
from stages.report.revision import revision
from stages.report.views import (
    MapsView,
    PublishedTable,
    RunView,
    SampleView,
    maps,
    matrix,
    published_tables,
    run_views,
    samples,
)
from stages.results.read import Results, read_results


def environment() -> jinja2.Environment:
    """The templates with their filters; an undefined name is an error, and text is escaped."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {each.__name__: each for each in FILTERS}
    return made


@dataclass(frozen=True)
class PaperView:
    """One document's section: its figures, and its tables as they stand on disk, rounded only by the templates."""

    paper: Paper
    headline: dict[str, dict[str, Row]]
    columns: list[str]
    claims: list[Row]
    tables: list[PublishedTable]
    statements: list[Row]
    findings: list[Row]
    first_epochs: list[Row]
    comparisons: list[tuple[Comparison, str, list[Row]]]
    cells: list[Row]
    runs: list[RunView]
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
    reliability: list[FigureView]
    costs: list[FigureView]
    maps: list[MapsView]
    sizes: list[Row]
    author_weights: list[Row]

    @property
    def figures(self) -> list[FigureView]:
        """All figures that are drawn."""
        charts = [figure for _, group in self.charts for figure in group]
        extra = [*self.sweeps, *self.grids, *self.iterations, *self.trade_offs, *self.reliability, *self.costs]
        return [*self.diagrams, *charts, *self.own, *extra]

    def title_of(self, split: str) -> str:
        """A split's name as the document writes it."""
        return self.paper.datasets.get(split, split.capitalize())


def view(layout: Layout, paper: Paper, results: Results) -> PaperView:
    """Read a document's tables back, and draw its figures."""
    folder, tables = PAPERS / paper.id, layout.reports / "tables" / paper.id
    drawer, tabled = Drawer(paper, results.of(paper.id), load_author_log(folder)), Tabled(paper, tables)
    headline = matrix(read_rows(tables / "headline.csv", HEADLINE_COLUMNS))
    cells = read_rows(tables / "cells.csv", CELL_COLUMNS)
    claims = read_rows(tables / "claims.csv", CLAIM_COLUMNS)
    compared = [(item, f"comparison_{slug(item.id)}.csv") for item in paper.comparisons]
    return PaperView(
        paper=paper,
        headline=headline,
        columns=list(dict.fromkeys(column for row in headline.values() for column in row)),
        claims=claims,
        tables=published_tables(paper, claims),
        statements=read_rows(tables / "statements.csv", STATEMENT_COLUMNS),
        findings=read_rows(tables / "findings.csv", FINDING_COLUMNS),
        first_epochs=read_rows(tables / "first_epochs.csv", FIRST_EPOCH_COLUMNS) if paper.first_epochs else [],
        comparisons=[(item, name, read_rows(tables / name, COMPARISON_COLUMNS)) for item, name in compared],
        cells=cells,
        runs=run_views(paper, results, layout),
        differences=read_rows(tables / "recipe_differences.csv", DIFFERENCE_COLUMNS),
        cost=load_author_cost(folder),
        samples=samples(paper, layout, dict.fromkeys(row["dataset"] for row in cells)),
        diagrams=drawer.diagrams(),
        charts=list(zip(paper.charts, drawer.charts(), strict=True)),
        own=drawer.own_charts(),
        sweeps=tabled.sweeps(),
        grids=tabled.grids(),
        iterations=tabled.iterations(),
        trade_offs=tabled.trade_offs(),
        reliability=tabled.reliability(),
        costs=tabled.costs(),
        maps=maps(paper, layout),
        sizes=read_rows(tables / "sizes.csv", SIZE_COLUMNS) if paper.sizes else [],
        author_weights=(
            read_rows(tables / "author_weights.csv", AUTHOR_WEIGHTS_COLUMNS) if paper.author_weights else []
        ),
    )


def render(layout: Layout, cells: Cells) -> None:
    """Write HOME/reports/figures/*.svg and *.pdf, and HOME/reports/report.html, from tables, results and papers."""
    results = read_results(layout, cells)
    views = [view(layout, paper, results) for paper in load_papers()]
    drawings = draw_all(figure for paper in views for figure in paper.figures)
    with atomic_folder(layout.reports / "figures") as folder:
        for name, drawing in drawings.items():
            (folder / f"{name}.svg").write_text(drawing.svg, encoding="utf-8", newline="\n")
            (folder / f"{name}.pdf").write_bytes(drawing.pdf)
    page = (
        environment()
        .get_template("report.html.j2")
        .render(
            papers=views,
            drawings=drawings,
            summary=read_json(layout.reports / "summary.json"),
            home=layout.home.name or ".",
            prefix=f"{layout.home.name}/" if layout.home.name else "",
            revision=revision(),
            verdicts=VERDICTS,
            outcomes=OUTCOMES,
            rules=RULES,
            library=Markup(library()),
            speed=speed(),
        )
    )
    write_text(layout.reports / "report.html", page)


def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that may stand in the page."""
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", "<\\/script")
