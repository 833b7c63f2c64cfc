"""A badge that says how many printed numbers hold, in the form of shields.io's endpoint badge.

A number **holds** where our own run matches it, where the authors' own weights give it, or where it is a count that
comes out the same here; it does **not** where a full run or any of the other evidence decides against it. The rest is
open: that a log agrees means that a table was copied rightly from one training, first epochs do not say where a
training ends, and where a document gives no recipe, a run of ours that differs may be of another one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from stages.compare.author_weights import DIFFERS, EXACT
from stages.compare.ladder import AGREES, CONTRADICTS, COPIED, COUNTED, DOCUMENT, IMPOSSIBLE, LOG, RUN, WEIGHTS
from stages.compare.verdicts import BETTER, MATCH, WORSE

# By rung and answer.
HOLD = {(RUN, MATCH), (WEIGHTS, EXACT), (COUNTED, AGREES)}
FAIL = {
    (DOCUMENT, IMPOSSIBLE), (DOCUMENT, COPIED), (COUNTED, CONTRADICTS), (LOG, CONTRADICTS), (WEIGHTS, DIFFERS),
    (RUN, BETTER), (RUN, WORSE),
}  # fmt: skip


def badge(ladder: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The badge of a summary's ``ladder``: by document, how many numbers each kind of evidence decides and how.

    Green only if all printed numbers hold; grey if none is decided; red if more fail than hold.
    """
    counts = Counter[tuple[str, str]]()
    for paper in ladder.values():
        counts.update({(one["rung"], one["answer"]): one["numbers"] for one in paper["numbers"]})
    printed = sum(paper["distinct"] for paper in ladder.values())
    hold, fail = (sum(counts[answer] for answer in answers) for answers in (HOLD, FAIL))
    failing = f", {fail} do{'es' if fail == 1 else ''} not" if fail else ""
    message = f"{hold} of {printed} numbers hold{failing}"
    return {"schemaVersion": 1, "label": "does it hold?", "message": message, "color": colour(hold, fail, printed)}


def colour(hold: int, fail: int, printed: int) -> str:
    """The colour of the message, a name that shields.io knows."""
    if not hold and not fail:
        return "lightgrey"
    if fail > hold:
        return "red"
    return "brightgreen" if hold == printed else "yellow"
