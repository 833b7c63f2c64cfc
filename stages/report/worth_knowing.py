"""The few things worth knowing on the first screen, in numbers: all of them counted from tables and summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.compare.ladder import COUNTED, DOCUMENT, LOG, PLAUSIBLE, RUN, UNDECIDED, WEIGHTS
from stages.compare.outcomes import OUTCOMES
from stages.compare.scale import REDUCED
from stages.compare.verdicts import BETTER, OURS_HIGHER, OURS_LOWER, WORSE
from stages.core.tables import Row
from stages.report.evidence import agrees
from stages.report.paper_view import PaperView

CONTRADICTED = (BETTER, WORSE, OURS_HIGHER, OURS_LOWER)  # by a full run, or our reading of one
UNTRAINED = (DOCUMENT, COUNTED, LOG, WEIGHTS)  # evidence that no training here gives


@dataclass(frozen=True)
class Remaining:
    """What would decide numbers that are open.

    ``numbers`` that a run would decide, by the fewest ``runs``; ``hours`` of those runs of which they are known,
    ``unknown`` the others; ``stuck``: numbers that no run can be named for.
    """

    numbers: int
    runs: int
    hours: float
    unknown: int
    stuck: int


@dataclass(frozen=True)
class Worth:
    """Counts for the templates.

    ``decided``: numbers by rung; ``agreeing``, ``plausible``: those of them that are so; ``opposed``: numbers that
    evidence without training contradicts, by document;
    ``disagreeing``: documents with rows of claims.csv that a full run contradicts; ``remaining``: all open numbers;
    ``sentences`` by their outcome on full runs; ``contradictions``: findings of all documents;
    ``next``: the row of open.csv, with the numbers it decides, that decides most per hour.
    """

    decided: dict[str, int]
    agreeing: dict[str, int]
    plausible: dict[str, int]
    open: int
    sentences: dict[str, int]
    contradictions: int
    opposed: dict[str, int]
    disagreeing: list[tuple[PaperView, Row]]
    remaining: Remaining
    next: tuple[Row, int] | None

    @property
    def numbers(self) -> int:
        """All numbers that count."""
        return sum(self.decided.values()) + self.open


def worth_knowing(views: Sequence[PaperView], summary: Mapping[str, Any]) -> Worth:
    """Count; where there is no ladder, only full runs decide."""
    ladder = summary.get("ladder", {})
    decided, agreeing, plausible = Counter[str](), Counter[str](), Counter[str]()
    opposed: dict[str, int] = {}
    for view in views:
        for cell in answers(view, ladder):
            decided[cell["rung"]] += cell["numbers"]
            if agrees(cell["answer"]):
                agreeing[cell["rung"]] += cell["numbers"]
            elif cell["answer"] == PLAUSIBLE:
                plausible[cell["rung"]] += cell["numbers"]
            elif cell["rung"] in UNTRAINED:
                opposed[view.paper.id] = opposed.get(view.paper.id, 0) + cell["numbers"]
    undecided = undecided_numbers(views)
    said = Counter(row["outcome"] for view in views for row in view.statements if row["whose"] == "document")
    counted = [ladder[view.paper.id]["open"] for view in views if view.paper.id in ladder]
    return Worth(
        decided=dict(decided),
        agreeing=dict(agreeing),
        plausible=dict(plausible),
        open=sum(counted) if ladder else len(undecided),
        sentences={word: said[word] for word in (*OUTCOMES, REDUCED)},
        contradictions=sum(len(view.findings) for view in views),
        opposed=opposed,
        disagreeing=[(view, row) for view in views for row in view.claims if row["verdict"] in CONTRADICTED],
        remaining=remaining(undecided),
        next=most_per_hour(undecided),
    )


def answers(view: PaperView, ladder: Mapping[str, Any]) -> list[dict[str, Any]]:
    """How many numbers of a document have which deciding answer; without a ladder the verdicts on full runs."""
    if view.paper.id in ladder:
        return [cell for cell in ladder[view.paper.id]["numbers"] if cell["answer"] not in UNDECIDED]
    verdicts = Counter(row["verdict"] for row in view.claims if row["run"] and not view.is_open(row))
    return [{"rung": RUN, "answer": verdict, "numbers": count} for verdict, count in verdicts.items()]


def undecided_numbers(views: Sequence[PaperView]) -> list[Row]:
    """A row of open.csv for every open number; where several claims read it, of the first that a run would decide."""
    found: dict[tuple[str, str], Row] = {}
    for view in views:
        for claim in view.claims:
            row = view.deciding.get(claim["id"])
            number = view.paper.id, view.evidence.numbers[claim["id"]]
            if row is not None and view.is_open(claim) and (number not in found or not found[number]["command"]):
                found[number] = row
    return list(found.values())


def remaining(rows: Sequence[Row]) -> Remaining:
    """What all of ``rows`` of open.csv need together: a run once, with the most seeds that one of them asks for."""
    named = [row for row in rows if row["command"]]
    hours: dict[str, float | None] = {}
    for row in named:
        own = float(row["hours"]) if row["hours"] else None
        before = hours.get(row["run"])
        hours[row["run"]] = own if before is None or own is None else max(own, before)
    known = [each for each in hours.values() if each is not None]
    return Remaining(len(named), len(hours), sum(known), len(hours) - len(known), len(rows) - len(named))


def most_per_hour(rows: Sequence[Row]) -> tuple[Row, int] | None:
    """The command that decides most open numbers per hour: the first row that it decides, and how many it does."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["command"] and row["hours"] and not row["setting"]:
            groups.setdefault((row["command"], row["seeds"]), []).append(row)
    best = max(groups.values(), key=lambda group: len(group) / float(group[0]["hours"]), default=None)
    return None if best is None else (best[0], len(best))
