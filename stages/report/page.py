"""The page: its sections, rendered from the tables, results and papers."""

from __future__ import annotations

from pathlib import Path

import jinja2
from markupsafe import Markup

from stages.compare.contradictions import RULES
from stages.compare.ladder import PLAUSIBLE, UNDECIDED
from stages.compare.outcomes import OUTCOMES
from stages.compare.verdicts import OURS_HIGHER, OURS_LOWER, VERDICTS
from stages.core.files import atomic_folder, read_json, write_text
from stages.core.layout import Layout
from stages.documents.paper import Paper, load_papers
from stages.params import Cells
from stages.report.benchmark_tables import speed
from stages.report.evidence import RUNGS, agrees
from stages.report.figures.figure import draw_all
from stages.report.filters import FILTERS
from stages.report.paper_view import view
from stages.report.revision import revision
from stages.report.sections import SECTIONS
from stages.report.worth_knowing import worth_knowing
from stages.results.read import read_results


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
    made.tests |= {
        "agreeing": agrees,
        "undecided": UNDECIDED.__contains__,
        "plausible": PLAUSIBLE.__eq__,
        "of_reading": (OURS_HIGHER, OURS_LOWER).__contains__,
    }
    return made


def in_order(papers: list[Paper], cells: Cells) -> list[Paper]:
    """The documents in the order in which params.yaml trains their runs: the grid's first, those without a run last."""
    listed = list(dict.fromkeys(["recurnets", *(run.paper for run in cells.named.values())]))
    return sorted(papers, key=lambda paper: listed.index(paper.id) if paper.id in listed else len(listed))


def render(layout: Layout, cells: Cells) -> None:
    """Write HOME/reports/figures/*.svg and *.pdf, and HOME/reports/report.html, from tables, results and papers."""
    results = read_results(layout, cells)
    views = [view(layout, paper, results) for paper in in_order(load_papers(), cells)]
    drawings, script = draw_all((figure for paper in views for figure in paper.figures), library, layout.drawings)
    with atomic_folder(layout.reports / "figures") as folder:
        for name, drawing in drawings.items():
            (folder / f"{name}.svg").write_text(drawing.svg, encoding="utf-8", newline="\n")
            (folder / f"{name}.pdf").write_bytes(drawing.pdf)
    summary = read_json(layout.reports / "summary.json")
    page = (
        environment()
        .get_template("report.html.j2")
        .render(
            papers=views,
            drawings=drawings,
            summary=summary,
            ladder=summary.get("ladder", {}),
            rungs=RUNGS,
            sections=SECTIONS,
            worth=worth_knowing(views, summary),
            home=layout.home.name or ".",
            prefix=f"{layout.home.name}/" if layout.home.name else "",
            revision=revision(),
            verdicts=VERDICTS,
            outcomes=OUTCOMES,
            rules=RULES,
            library=Markup(script),
            speed=speed(),
            linked={run.result.cell.key for each in views for run in each.runs},
        )
    )
    write_text(layout.reports / "report.html", page)


def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that may stand in the page."""
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", "<\\/script")
