"""What is known of every published number, by the kind of evidence: the rungs of a ladder, from the weakest up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stages.compare.columns import LADDER_COLUMNS
from stages.compare.ladder import AGREES, COUNTED, DOCUMENT, FIRST_EPOCHS, LOG, RUN, WEIGHTS
from stages.compare.verdicts import MATCH
from stages.core.tables import Row, read_rows
from stages.documents.claims import Claim

FOR_IT = (AGREES, "exact", "follows", MATCH)  # answers that speak for the printed number


@dataclass(frozen=True)
class Rung:
    """A kind of evidence: its id in the tables, and its title on the page."""

    id: str
    title: str


RUNGS = (
    Rung(DOCUMENT, "Itself"),
    Rung(COUNTED, "Counted"),
    Rung(LOG, "Log"),
    Rung(WEIGHTS, "Weights"),
    Rung(FIRST_EPOCHS, "First epochs"),
    Rung(RUN, "Full run"),
)


@dataclass(frozen=True)
class Evidence:
    """What is known of a document's numbers: ``rows`` of its ladder by claim, weakest first; false without a ladder.

    ``numbers``: the printed number of each claim; of the claims that read the same number one has the deciding row.
    """

    rows: Mapping[str, list[Row]]
    numbers: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.rows)

    @cached_property
    def _deciding(self) -> dict[str, Row]:
        every = (row for rows in self.rows.values() for row in rows)
        return {self.numbers[row["id"]]: row for row in every if row["strongest"] == "True"}

    def strongest(self, claim: str) -> Row | None:
        """The row that decides a claim's number; None while nothing does."""
        return self._deciding.get(self.numbers[claim])


def agrees(answer: str) -> bool:
    """Whether an answer that decides speaks for the printed number."""
    return answer in FOR_IT


def read_evidence(tables: Path, claims: Iterable[Claim]) -> Evidence:
    """A document's ladder in the folder of its tables; nothing where comparing wrote none."""
    path = tables / "ladder.csv"
    rows: dict[str, list[Row]] = {}
    for row in read_rows(path, LADDER_COLUMNS) if path.is_file() else ():
        rows.setdefault(row["id"], []).append(row)
    return Evidence(rows, {claim.id: claim.number for claim in claims})
