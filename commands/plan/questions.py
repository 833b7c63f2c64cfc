"""What is open, and what training would answer it: published numbers, sentences, and how a run begins."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase

from commands.plan.order import FIRST, NUMBER, SENTENCE, Question, Unit
from stages.cell import Cell
from stages.compare.deciding import SEVERAL, open_rows
from stages.compare.departures import CANNOT_TELL
from stages.compare.first_epochs import whole_seeds
from stages.compare.outcomes import CONTRADICTED, HOLDS
from stages.compare.pace import Pace
from stages.compare.scale import COMPARED, differences
from stages.compare.tables import Document
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.documents.author_log import load_author_log
from stages.documents.paper import PAPERS
from stages.params import Cells

TWO = 2  # seeds: the fewest that tell how far seeds differ
FEW_DRAWS = "params.yaml has its split drawn for fewer seeds than it takes"


def questions(document: Document, cells: Cells, pace: Pace, layout: Layout) -> list[Question]:
    """All that is open of a document."""
    return [*_numbers(document, cells, pace, layout), *_sentences(document, cells), *_beginnings(document, cells)]


def _numbers(document: Document, cells: Cells, pace: Pace, layout: Layout) -> Iterator[Question]:
    """Printed numbers that no full run here has decided, each once, by the first claim that a run would decide."""
    rows = {str(row["id"]): row for row in open_rows(document.beside, cells, pace, layout)}
    found: dict[str, Question] = {}
    for claim in document.beside.claims:
        row = rows.get(claim.id)
        if row is None or claim.run is None or (claim.number in found and found[claim.number].needs):
            continue
        needs, why = dict[Unit, int](), str(row.get("words", ""))
        if row.get("command"):
            needs, why = _needed(document, cells, [claim.run], int(str(row["seeds"])))
        found[claim.number] = Question(document.paper.id, NUMBER, claim.id, needs, why)
    yield from found.values()


def _sentences(document: Document, cells: Cells) -> Iterator[Question]:
    """The document's sentences that no test over several seeds has decided."""
    about = {statement.id: statement for statement in document.paper.statements}
    for row in document.statements:
        if row["whose"] != "document" or row["outcome"] in (HOLDS, CONTRADICTED):
            continue
        statement = about[str(row["id"])]
        names = [name for side in (statement.first, statement.second) if side for name in _runs(document, cells, side)]
        if all(_as_published(document, cells, name) for name in names):
            needs, why = _needed(document, cells, names, SEVERAL)
        else:
            needs, why = {}, "params.yaml does not have all its runs as the document says"
        if not needs and not why:
            why = f"{SEVERAL} seeds of each run did not decide it"
        yield Question(document.paper.id, SENTENCE, statement.id, needs, why)


def _beginnings(document: Document, cells: Cells) -> Iterator[Question]:
    """Runs with a log whose first epochs have no answer, and too few seeds of ours for one."""
    rule = document.paper.first_epochs
    if rule is None:
        return
    for run in dict.fromkeys(load_author_log(PAPERS / document.paper.id)["run"]):
        found = document.first_epochs.get(run)
        have = set(whole_seeds(document.beside, run, rule)["seed"])
        answered = found is not None and (found.answer != CANNOT_TELL or found.seeds >= TWO)
        if answered or not _as_published(document, cells, run):
            continue
        new = _next_seeds(have, TWO - len(have), cells.cell(run))
        why = FEW_DRAWS if len(have) + len(new) < TWO else ""
        yield Question(document.paper.id, FIRST, run, {} if why else {(run, seed): rule.epochs for seed in new}, why)


def _runs(document: Document, cells: Cells, pattern: str) -> list[str]:
    matching = [run for run in document.paper.matching(pattern) if "*" not in run]
    return matching or [run for run in cells.named if fnmatchcase(run, pattern)] or [pattern]


def _as_published(document: Document, cells: Cells, run: str) -> bool:
    try:
        return not differences(document.paper, cells.cell(run))
    except StageError:
        return False


def _needed(document: Document, cells: Cells, runs: Sequence[str], wanted: int) -> tuple[dict[Unit, int], str]:
    """The epochs of ``wanted`` seeds of each of ``runs`` that lacks some, or why there cannot be as many.

    Those that it has are among them: the stage needs their weights, which may not be here, to give all seeds together.
    """
    needs: dict[Unit, int] = {}
    for run in dict.fromkeys(runs):
        made, cell = document.beside.ours.get(run), cells.cell(run)
        compared = made is not None and document.beside.scale(run) in COMPARED
        have = list(made.cell.recipe.seeds) if made is not None and compared else []
        new = _next_seeds(have, wanted - len(have), cell)
        if len(have) + len(new) < wanted:
            return {}, FEW_DRAWS
        needs |= {(run, seed): cell.recipe.epochs for seed in [*have, *new]} if new else {}
    return needs, ""


def _next_seeds(have: Collection[int], count: int, cell: Cell) -> list[int]:
    """Up to ``count`` seeds that are not there yet: those that params.yaml asks for before others from 0 on.

    Of a random split only those that it is drawn for.
    """
    first, count = cell.recipe.seeds, max(count, 0)
    others = cell.split.seeds if cell.split.random else range(len(have) + len(first) + count)
    return [seed for seed in dict.fromkeys([*first, *others]) if seed not in have][:count]
