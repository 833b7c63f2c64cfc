"""The words for what became of a claim in words, on each ground."""

from __future__ import annotations

from stages.compare.scale import NOT_RUN, REDUCED

HOLDS, CONTRADICTED, UNDECIDED, SEEN, NOT_SEEN = "holds", "contradicted", "undecided", "seen", "not seen"
OUTCOMES = (HOLDS, SEEN, CONTRADICTED, NOT_SEEN, UNDECIDED, NOT_RUN)
CANNOT_TELL = "cannot tell"
ON_PRINTED = ("as printed", "not as printed", CANNOT_TELL)
ON_LOG = ("log agrees", "log contradicts", CANNOT_TELL)
# By ground: the column of its answers, and these in their order.
ANSWERS = {
    "printed": ("printed_answer", ON_PRINTED),
    "log": ("log_answer", ON_LOG),
    "runs": ("outcome", (*OUTCOMES, REDUCED)),
}
