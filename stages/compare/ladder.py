"""The ladder of evidence: for every published number what each kind of evidence says, weakest first.

A rung never says more than it can. That the authors' log agrees means that the table was copied rightly from one
training of theirs; only a full run of ours reproduces a number, or does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stages.compare.columns import TableRow
from stages.compare.contradictions import Found
from stages.compare.counted import counted
from stages.compare.printed import agrees
from stages.compare.scale import COMPARED, NOT_RUN
from stages.compare.side_by_side import Beside
from stages.compare.verdicts import INCONCLUSIVE
from stages.documents.claims import Claim

DOCUMENT, COUNTED, LOG, WEIGHTS, FIRST_EPOCHS, RUN = "document", "counted", "log", "weights", "first epochs", "run"
EVIDENCE = {
    DOCUMENT: "the document's own arithmetic",
    COUNTED: "counted, nothing trained",
    LOG: "the authors' own log",
    WEIGHTS: "the authors' own weights",
    FIRST_EPOCHS: "first epochs beside the log",
    RUN: "our own run",
}
RUNGS = tuple(EVIDENCE)
IMPOSSIBLE, COPIED = "impossible", "copied"
AGREES, CONTRADICTS, CANNOT_TELL = "agrees", "contradicts", "cannot tell"
PLAUSIBLE = "plausible"
UNDECIDED = (INCONCLUSIVE, CANNOT_TELL)
_REFUTED = {"impossible accuracy": IMPOSSIBLE, "repeated row": COPIED}  # by the rule that found it


@dataclass(frozen=True)
class Answer:
    """What one rung says of one claim. ``value``: what was counted, logged or measured, in the claim's unit.

    ``low``, ``high``: its interval, where it has one. ``words``: the answer as a phrase that can stand by itself.
    """

    rung: str
    answer: str
    words: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    seeds: int | None = None

    @property
    def decides(self) -> bool:
        """Whether it is an answer at all."""
        return self.answer not in UNDECIDED


def ladder_rows(
    beside: Beside,
    contradictions: Sequence[Found],
    parameters: Mapping[str, int],
    more: Iterable[Mapping[str, Answer]] = (),
) -> list[TableRow]:
    """A row per claim and rung that says something of it, weakest first; columns :data:`LADDER_COLUMNS`.

    ``parameters``: those of the networks by run, as built here. ``more``: further rungs, their answers by the claim's
    id. ``strongest``: this row decides the printed number; where two claims read the same number, the one with the
    stronger evidence, or else the first.
    """
    refuted = _refuted(contradictions)
    answers = {}
    for claim, row in zip(beside.claims, beside.claim_rows, strict=True):
        if claim.run is not None:
            further = [rung[claim.id] for rung in more if claim.id in rung]
            own = [refuted.get(claim.id), _counted(beside, claim, parameters), _logged(claim), run_answer(claim, row)]
            found = [answer for answer in (*own, *further) if answer is not None]
            answers[claim.id] = sorted(found, key=lambda answer: RUNGS.index(answer.rung))
    deciding = _deciding(beside.claims, answers)
    return [
        {
            **claim.model_dump(include={"id", "table", "group", "row", "column", "published"}),
            "number": claim.number,
            **vars(answer),
            "strongest": deciding.get(claim.number) == (claim.id, answer.rung),
        }
        for claim in beside.claims
        for answer in answers.get(claim.id, ())
    ]


def _deciding(claims: Sequence[Claim], answers: Mapping[str, Sequence[Answer]]) -> dict[str, tuple[str, str]]:
    """By printed number the claim and the rung that decide it.

    First epochs say how a training begins, not where it ends: they decide nothing that another rung has decided.
    """
    best: dict[str, tuple[str, str]] = {}
    for claim in claims:
        for answer in answers.get(claim.id, ()):
            held = best.get(claim.number)
            stronger = held is None or (answer.rung != FIRST_EPOCHS and RUNGS.index(answer.rung) > RUNGS.index(held[1]))
            if answer.decides and stronger:
                best[claim.number] = (claim.id, answer.rung)
    return best


def _refuted(contradictions: Sequence[Found]) -> dict[str, Answer]:
    return {
        claim: Answer(DOCUMENT, _REFUTED[finding.rule], finding.finding)
        for finding in contradictions
        if finding.rule in _REFUTED
        for claim in finding.refuted
    }


def _counted(beside: Beside, claim: Claim, parameters: Mapping[str, int]) -> Answer | None:
    if claim.run is None or not claim.metric.counted:
        return None
    number = counted(beside.paper, claim.run, claim.metric, parameters)
    if number is None:
        return None
    # A count without a known rounding is printed in full.
    right = agrees(claim, number) if claim.rounding else number == claim.value
    return Answer(COUNTED, AGREES if right else CONTRADICTS, f"counted here: {number:,}", float(number))


def _logged(claim: Claim) -> Answer | None:
    if claim.author_log is None:
        return None
    right = agrees(claim, claim.author_log)
    epochs = "" if claim.author_log_epochs is None else f" after {claim.author_log_epochs} epochs"
    words = f"the log {AGREES if right else CONTRADICTS}: {claim.author_log:.6g}{epochs}"
    return Answer(LOG, AGREES if right else CONTRADICTS, words, claim.author_log)


def run_answer(claim: Claim, row: TableRow) -> Answer | None:
    """What our own run says, by its ``row`` of the claims' table; counts need none.

    A number without a margin, a loss, is no match however close. It is :data:`PLAUSIBLE` if it could be one more seed
    of ours.
    """
    if row["scale"] not in COMPARED or row["verdict"] == NOT_RUN or claim.metric.counted:
        return None
    verdict, seeds = str(row["verdict"]), int(str(row["seeds"]))
    if claim.margin is None and verdict == INCONCLUSIVE and row.get("plausible") == "yes":
        verdict = PLAUSIBLE
    words = f"{verdict}, {row['scale']}, {seeds} seed{'s' if seeds > 1 else ''}"
    value, low, high = (None if row.get(key) is None else float(str(row[key])) for key in ("ours", "low", "high"))
    return Answer(RUN, verdict, words, value, low, high, seeds)


def ladder_counts(rows: Sequence[TableRow], claims: Sequence[Claim]) -> dict[str, object]:
    """How many printed numbers each rung decides and how, each number once; and how many are open."""
    deciding = Counter((str(row["rung"]), str(row["answer"])) for row in rows if row["strongest"])
    numbers = {claim.number for claim in claims if claim.run is not None}
    ordered = sorted(deciding.items(), key=lambda item: RUNGS.index(item[0][0]))
    return {
        "numbers": [{"rung": rung, "answer": answer, "numbers": count} for (rung, answer), count in ordered],
        "distinct": len(numbers),
        "open": len(numbers) - deciding.total(),
        "reached": _reached(rows),
    }


def _reached(rows: Sequence[TableRow]) -> list[dict[str, object]]:
    """How many claims each rung says something of, whether or not a stronger one decides them."""
    said = Counter((str(row["rung"]), str(row["answer"])) for row in rows)
    ordered = sorted(said.items(), key=lambda item: RUNGS.index(item[0][0]))
    return [{"rung": rung, "answer": answer, "claims": count} for (rung, answer), count in ordered]
