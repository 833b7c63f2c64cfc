"""The authors' own weights: what they give here, beside the authors' log and what was printed."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from stages.cell import Cell
from stages.compare.columns import TableRow
from stages.compare.ladder import WEIGHTS, Answer
from stages.compare.scale import differences
from stages.compare.side_by_side import Beside
from stages.documents.claims import Claim
from stages.results.records import WeightScores

EXACT, DIFFERS = "exact", "differs"


def author_weights_rows(beside: Beside) -> list[TableRow]:
    """A row per published number of a run whose weights were evaluated; columns ``AUTHOR_WEIGHTS_COLUMNS``.

    ``equals_log``: our value is the last one in the authors' log, to the ``log_digits`` decimals that are known of it
    (:func:`equal_to`); empty where there is none. ``printed_so``: our value would be printed as the number was.
    ``departs``: where network, transform or test set are not the document's; then there is no ``answer``, which else is
    :data:`EXACT` where log and print, as far as they are there, agree. ``norms``: batch normalisations, and how many of
    them have counted as many training ``batches`` as the recipe gives.
    """
    pinned = {published.id: published.sha256 for published in beside.paper.author_weights}
    current = (scores for scores in beside.weights if pinned.get(scores.id) == scores.sha256)
    return [row for scores in current for row in _rows(beside, scores)]


def weights_rung(beside: Beside) -> dict[str, Answer]:
    """What the authors' weights say of the published numbers, by claim; of several weights the first that is exact."""
    rung: dict[str, Answer] = {}
    for row in author_weights_rows(beside):
        claim, answer, ours = str(row["id"]), str(row["answer"]), float(str(row["ours"]))
        if answer and (claim not in rung or (answer == EXACT != rung[claim].answer)):
            words = f"the authors' own weights give {ours:.6g}: {answer}"
            rung[claim] = Answer(WEIGHTS, answer, words, ours)
    return rung


def _rows(beside: Beside, scores: WeightScores) -> Iterator[TableRow]:
    apart = differences(beside.paper, Cell.model_validate(scores.cell))
    departs = " ".join(key for key in apart if not key.startswith("recipe."))
    counted = sorted({norm.counted for norm in scores.batches})
    about: TableRow = {
        "weights": scores.id,
        **scores.model_dump(include={"run", "images", "right"}),
        "departs": departs,
        "norms": len(scores.batches),
        "norms_as_expected": sum(norm.counted == norm.expected for norm in scores.batches),
        "batches": " ".join(map(str, counted)),
    }
    for claim in beside.claims:
        if claim.run == scores.run and (ours := scores.value(claim.metric)) is not None:
            yield {**about, **_compared(claim, ours, judged=not departs)}


def _compared(claim: Claim, ours: float, *, judged: bool) -> TableRow:
    low, high = claim.printed_range()
    row: TableRow = {
        **claim.model_dump(include={"id", "table", "group", "row", "column", "unit", "published"}),
        "log": claim.author_log,
        "ours": ours,
        "printed_so": low <= ours <= high,
    }
    if claim.author_log is not None:
        digits = decimals(claim.author_log)
        row |= {"log_digits": digits, "equals_log": equal_to(claim.author_log, ours, digits)}
    agrees = row["printed_so"] and row.get("equals_log", True)
    return row | {"answer": (EXACT if agrees else DIFFERS) if judged else ""}


def decimals(value: float) -> int:
    """How many decimals the shortest text of ``value`` has: 4 for 0.9896."""
    exponent = Decimal(repr(value)).normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)


def equal_to(value: float, other: float, digits: int) -> bool:
    """Whether ``other``, kept as a 32-bit float and printed to ``digits`` decimals, may have become ``value``.

    Both steps round: the first by half the distance to the next 32-bit float, the second by half a unit of the last
    decimal. A log keeps 32 bits: .98960772 is .98960775 there, and .9896078 to seven decimals.
    """
    return abs(other - value) <= 0.5 * 10.0**-digits + 0.5 * float(np.spacing(np.float32(abs(other))))
