"""One document's section of the page: its tables read back from disk, and its figures."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stages.compare.columns import (
    AUTHOR_WEIGHTS_COLUMNS,
    BEGUN_COLUMNS,
    CELL_COLUMNS,
    CLAIM_COLUMNS,
    COMPARISON_COLUMNS,
    DIFFERENCE_COLUMNS,
    FINDING_COLUMNS,
    FIRST_EPOCH_COLUMNS,
    HEADLINE_COLUMNS,
    OPEN_COLUMNS,
    SIZE_COLUMNS,
    STATEMENT_COLUMNS,
)
from stages.compare.scale import NOT_RUN
from stages.compare.verdicts import INCONCLUSIVE
from stages.core.layout import Layout
from stages.core.tables import Row, read_rows
from stages.core.text import slug
from stages.documents.author_log import load_author_cost, load_author_log
from stages.documents.claims import load_claims
from stages.documents.exhibits import ChartGroup, Comparison
from stages.documents.paper import PAPERS, Paper
from stages.report.evidence import Evidence, read_evidence
from stages.report.figures.dots import dot_plots
from stages.report.figures.figure import FigureView
from stages.report.figures.of_document import Drawer
from stages.report.figures.of_tables import Tabled
from stages.report.foremost import commonest, foremost
from stages.report.team_views import TeamView, team_views
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
from stages.results.read import Results


@dataclass(frozen=True)
class PaperView:
    """One document's section: its figures, and its tables as they stand on disk, rounded only by the templates.

    ``evidence``: what is known of each number, from the weakest kind to the strongest; ``deciding``: the rows of
    open.csv by claim; ``dots``: the chart of a table, by the table's id; ``cells``: of the runs that were ``made``,
    those that the page has room for; ``differences``: of so many ``departures`` from its recipe.
    """

    paper: Paper
    headline: dict[str, dict[str, Row]]
    columns: list[str]
    claims: list[Row]
    evidence: Evidence
    deciding: dict[str, Row]
    tables: list[PublishedTable]
    dots: dict[str, FigureView]
    statements: list[Row]
    findings: list[Row]
    first_epochs: list[Row]
    comparisons: list[tuple[Comparison, str, list[Row]]]
    cells: list[Row]
    made: int
    begun: list[Row]
    runs: list[RunView]
    departures: int
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
    teams: list[TeamView]

    @property
    def figures(self) -> list[FigureView]:
        """All figures that are drawn."""
        charts = [figure for _, group in self.charts for figure in group]
        extra = [*self.sweeps, *self.grids, *self.iterations, *self.trade_offs, *self.reliability, *self.costs]
        return [*self.dots.values(), *self.diagrams, *charts, *self.own, *extra]

    def is_open(self, claim: Row) -> bool:
        """Whether nothing decides a published number of a run yet."""
        if self.evidence:
            return bool(claim["run"]) and self.evidence.strongest(claim["id"]) is None
        return claim["verdict"] in (NOT_RUN, INCONCLUSIVE)

    def title_of(self, split: str) -> str:
        """A split's name as the document writes it."""
        return self.paper.datasets.get(split, split.capitalize())


def view(layout: Layout, paper: Paper, results: Results) -> PaperView:
    """Read a document's tables back, and draw its figures."""
    folder, tables = PAPERS / paper.id, layout.reports / "tables" / paper.id
    made = read_rows(tables / "cells.csv", CELL_COLUMNS)
    cells = foremost(paper, made)
    apart = read_rows(tables / "recipe_differences.csv", DIFFERENCE_COLUMNS)
    keys = {row["key"] for row in cells}
    shown = tuple(result for result in results.cells if result.cell.key in keys)
    drawer, tabled = Drawer(paper, results.of(paper.id), load_author_log(folder)), Tabled(paper, tables)
    head = read_rows(tables / "headline.csv", HEADLINE_COLUMNS)
    headline = matrix(row for row in head if row["published"] or row["run"] in keys)
    claims = read_rows(tables / "claims.csv", CLAIM_COLUMNS)
    compared = [(item, f"comparison_{slug(item.id)}.csv") for item in paper.comparisons]
    tabulated = published_tables(paper, claims)
    read = load_claims(folder / "claims.csv", paper)
    return PaperView(
        paper=paper,
        headline=headline,
        columns=list(dict.fromkeys(column for row in headline.values() for column in row)),
        claims=claims,
        evidence=read_evidence(tables, read),
        deciding={row["id"]: row for row in read_rows(tables / "open.csv", OPEN_COLUMNS)},
        tables=tabulated,
        dots=dot_plots(paper, tabulated, {claim.id: claim.printed_range() for claim in read}),
        statements=read_rows(tables / "statements.csv", STATEMENT_COLUMNS),
        findings=read_rows(tables / "findings.csv", FINDING_COLUMNS),
        first_epochs=read_rows(tables / "first_epochs.csv", FIRST_EPOCH_COLUMNS) if paper.first_epochs else [],
        comparisons=[(item, name, read_rows(tables / name, COMPARISON_COLUMNS)) for item, name in compared],
        cells=cells,
        made=len(made),
        begun=read_rows(tables / "begun.csv", BEGUN_COLUMNS),
        runs=run_views(paper, replace(results, cells=shown), layout),
        departures=len(apart),
        differences=commonest(apart),
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
        teams=team_views(layout.reports / "tables", paper.id),
    )
