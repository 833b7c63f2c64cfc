"""What is open, and what training would answer it: published numbers, sentences, and how a run begins."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase

from commands.plan.order import FIRST, NUMBER, SENTENCE, Question, Unit
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
        needs: dict[Unit, int] = {}
        if row.get("command"):
            needs = _seeds(document, cells, claim.run, int(str(row["seeds"])))
        found[claim.number] = Question(document.paper.id, NUMBER, claim.id, needs, str(row.get("words", "")))
    yield from found.values()


def _sentences(document: Document, cells: Cells) -> Iterator[Question]:
    """The document's sentences that no test over several seeds has decided."""
    about = {statement.id: statement for statement in document.paper.statements}
    for row in document.statements:
        if row["whose"] != "document" or row["outcome"] in (HOLDS, CONTRADICTED):
            continue
        statement = about[str(row["id"])]
        names = [name for side in (statement.first, statement.second) if side for name in _runs(document, cells, side)]
        needs: dict[Unit, int] = {}
        for name in dict.fromkeys(names):
            needs |= _seeds(document, cells, name, SEVERAL)
        why = "" if needs else f"{SEVERAL} seeds of each run did not decide it"
        if any(not _as_published(document, cells, name) for name in names):
            needs, why = {}, "params.yaml does not have all its runs as the document says"
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
        new = _next_seeds(have, TWO - len(have))
        yield Question(document.paper.id, FIRST, run, {(run, seed): rule.epochs for seed in new})


def _runs(document: Document, cells: Cells, pattern: str) -> list[str]:
    matching = [run for run in document.paper.matching(pattern) if "*" not in run]
    return matching or [run for run in cells.named if fnmatchcase(run, pattern)] or [pattern]


def _as_published(document: Document, cells: Cells, run: str) -> bool:
    try:
        return not differences(document.paper, cells.cell(run))
    except StageError:
        return False


def _seeds(document: Document, cells: Cells, run: str, wanted: int) -> dict[Unit, int]:
    """The epochs of ``wanted`` seeds of a run, or nothing if it has them.

    Those that it has are among them: the stage needs their weights, which may not be here, to give all seeds together.
    """
    made, cell = document.beside.ours.get(run), cells.cell(run)
    compared = made is not None and document.beside.scale(run) in COMPARED
    have = list(made.cell.recipe.seeds) if made is not None and compared else []
    new = _next_seeds(have, wanted - len(have), cell.recipe.seeds)
    return {(run, seed): cell.recipe.epochs for seed in [*have, *new]} if new else {}


def _next_seeds(have: Collection[int], count: int, first: Sequence[int] = ()) -> list[int]:
    """Seeds that are not there yet, those of ``first`` before others from 0 on."""
    every = dict.fromkeys([*first, *range(len(have) + len(first) + max(count, 0))])
    return [seed for seed in every if seed not in have][: max(count, 0)]
