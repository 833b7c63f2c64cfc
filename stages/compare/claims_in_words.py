"""The claims in words on three grounds: what was printed, the authors' log, and our runs.

What was printed and logged is compared as it stands. Our runs are tested over seeds, with Holm's correction over each
family of sentences; a single seed is at most **seen**, since nothing tells what another one would give.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pandas as pd

from stages.compare.columns import TableRow
from stages.compare.findings import supports
from stages.compare.grounds import Ground, Logged, Printed, Span, as_claimed
from stages.compare.intervals import ALPHA, holm
from stages.compare.measures import measure_of
from stages.compare.measures.measure import Difference
from stages.compare.outcomes import (
    ANSWERS,
    CONTRADICTED,
    HOLDS,
    NOT_SEEN,
    ON_LOG,
    ON_PRINTED,
    SEEN,
    UNDECIDED,
)
from stages.compare.scale import COMPARED, NOT_RUN, poorest
from stages.compare.side_by_side import Beside
from stages.documents.statement import Statement


@dataclass(frozen=True)
class Tested:
    """A statement, the scale of its runs and what was measured; ``found`` None where there is nothing to measure."""

    statement: Statement
    scale: str
    found: Difference | None = None

    @property
    def family(self) -> str:
        """What its correction is shared with."""
        return self.statement.family or self.statement.where

    @property
    def p(self) -> float | None:
        """The p-value that counts among those of its family; None for a reduced run, and without a test."""
        return self.found.estimate.p if self.found is not None and self.scale in COMPARED else None


def statement_rows(beside: Beside, author_log: pd.DataFrame) -> list[TableRow]:
    """The claims in words; columns :data:`stages.compare.columns.STATEMENT_COLUMNS`."""
    tested = [_test(beside, statement) for statement in beside.paper.statements]
    adjusted = _adjusted(tested)
    images = supports(beside)
    printed, logged = Printed(beside.claims, images), Logged(author_log, images)
    return [
        {
            **_told(each.statement),
            **_on_printed(printed, each.statement, beside),
            **_on_log(logged, each.statement, beside),
            **_on_runs(each, adjusted.get(number)),
        }
        for number, each in enumerate(tested)
    ]


def sentence_counts(rows: Sequence[TableRow]) -> list[TableRow]:
    """How many sentences of the document have each answer on each ground: ``on``, ``answer``, ``sentences``.

    Sentences of ours and opinions that the document only quotes are not counted.
    """
    of_document = [row for row in rows if row["whose"] == "document"]
    counts = {on: Counter(row[column] for row in of_document) for on, (column, _) in ANSWERS.items()}
    return [
        {"on": on, "answer": answer, "sentences": counts[on][answer]}
        for on, (_, answers) in ANSWERS.items()
        for answer in answers
        if counts[on][answer]
    ]


def _adjusted(tested: Sequence[Tested]) -> dict[int, float]:
    """Holm's p-value of every test, by its number. A family is all sentences declared for it, whether run or not.

    A test that was not made counts as one with p = 1. So no later run of another sentence undoes a decision: every
    smaller p-value would be rejected with it.
    """
    adjusted: dict[int, float] = {}
    for family in dict.fromkeys(each.family for each in tested):
        members = [number for number, each in enumerate(tested) if each.family == family]
        p_values = [tested[number].p for number in members]
        corrected = holm([1.0 if p is None else p for p in p_values])
        adjusted |= {n: high for n, p, high in zip(members, p_values, corrected, strict=True) if p is not None}
    return adjusted


def _told(statement: Statement) -> TableRow:
    row: TableRow = statement.model_dump()
    return row | {
        name: None if labels is None else " ".join(map(str, labels))
        for name, labels in (("labels", statement.labels), ("other_labels", statement.other_labels))
    }


def _on_printed(ground: Printed, statement: Statement, beside: Beside) -> TableRow:
    span, _ = _on(ground, statement, beside)
    row: TableRow = {"printed_answer": _answer(statement, span, ON_PRINTED)}
    if span is None:
        return row
    return row | {"printed": span.value, "printed_low": span.low, "printed_high": span.high}


def _on_log(ground: Logged, statement: Statement, beside: Beside) -> TableRow:
    span, known = _on(ground, statement, beside)
    logged = None if span is None else span.value
    return {"logged": logged, "log_runs": known, "log_answer": _answer(statement, span, ON_LOG)}


def _answer(statement: Statement, span: Span | None, words: Sequence[str]) -> str:
    said = None if span is None else as_claimed(statement, span)
    return words[2] if said is None else words[0] if said else words[1]


def _on(ground: Ground, statement: Statement, beside: Beside) -> tuple[Span | None, str]:
    """The difference of a ground's numbers, None unless it has those of all runs; how many of them, such as 9 of 10."""
    measure = measure_of(statement)
    patterns = [pattern for pattern in (statement.first, statement.second) if pattern]
    wanted = [[measure.value(ground, run) for run in _runs(beside, pattern)] for pattern in patterns]
    sides = [[value for value in side if value is not None] for side in wanted]
    known, count = sum(map(len, sides)), sum(map(len, wanted))
    found = measure.of_values([side for side in (*sides, measure.level(ground)) if side]) if known == count else None
    return found, f"{known} of {count}"


def _on_runs(tested: Tested, p_holm: float | None) -> TableRow:
    found = tested.found
    row: TableRow = {"scale": tested.scale}
    if found is None:
        return row | {"outcome": UNDECIDED if tested.scale in COMPARED else tested.scale}
    return row | {
        "first_value": found.first,
        "second_value": found.second,
        "difference": found.estimate.mean,
        "low": found.estimate.low,
        "high": found.estimate.high,
        "basis": found.basis,
        "p": found.estimate.p,
        "p_holm": p_holm,
        "seeds": found.estimate.seeds,
        "outcome": outcome(found, p_holm) if tested.scale in COMPARED else tested.scale,
    }


def outcome(found: Difference, p_holm: float | None) -> str:
    """What a difference of full runs says of a claim; without a test, as of one seed, only whether it was seen."""
    if p_holm is None:
        return SEEN if found.as_claimed else NOT_SEEN
    return UNDECIDED if p_holm >= ALPHA else HOLDS if found.as_claimed else CONTRADICTED


def _test(beside: Beside, statement: Statement) -> Tested:
    names = [_runs(beside, side) if side else [] for side in (statement.first, statement.second)]
    scale = poorest(beside.scale(run) for side in names for run in side)
    if scale == NOT_RUN:
        return Tested(statement, scale)
    first, second = ([beside.ours[run] for run in side] for side in names)
    return Tested(statement, scale, measure_of(statement).of_runs(first, second))


def _runs(beside: Beside, pattern: str) -> list[str]:
    """The document's runs that are meant, and those of a study of ours; the pattern itself where there is none."""
    named = [run for run in beside.paper.matching(pattern) if "*" not in run]
    return named or [run for run in beside.ours if fnmatchcase(run, pattern)] or [pattern]
