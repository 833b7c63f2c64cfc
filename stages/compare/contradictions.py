"""Contradictions inside a document, found by rules from its own numbers; nothing is trained for them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import NamedTuple

import pandas as pd

from stages.compare.columns import TableRow
from stages.compare.printed import Span, agrees, exact, span
from stages.documents.claims import Claim
from stages.documents.paper import Paper
from stages.results.metric import Metric

RULES = {
    "repeated row": "A row far from the others of its block equals a row of another block, and no log confirms it.",
    "impossible accuracy": "No whole number of test images gives the printed accuracy, error or recall.",
    "accuracy and recall": "Recall weighted by support is the accuracy, but the two are printed as different numbers.",
    "parameters": "The printed number of parameters is not that of the layers.",
    "table against log": "The last value of the authors' own log cannot have been printed so.",
    "classes against total": "The accuracies of the classes, weighted by their test images, do not make the total.",
    "log too short": "The authors' own log ends before the last epoch of their recipe.",
}
ACCURACY, WEIGHTED_RECALL = Metric("accuracy", "test"), Metric("recall", "test", "weighted")
# Fewer rows than these do not tell how far the rows of a block usually lie apart, fewer metrics repeat by chance.
FEWEST_NEIGHBOURS, FEWEST_METRICS = 3, 3
# What a row prints of a run: its fractions, by metric. The rows of a document are by table, group, row and run.
PrintedRow = dict[Metric, Claim]
PrintedRows = dict[tuple[str, str, str, str], PrintedRow]
Supports = Mapping[str, Mapping[int, int]]


class Hit(NamedTuple):
    """The claims that a finding rests on, the first of them where it is; its text; and those that cannot be right."""

    claims: Sequence[Claim]
    text: str
    refuted: Sequence[Claim] = ()


@dataclass(frozen=True)
class Found:
    """A contradiction: the ``rule`` of :data:`RULES` that found it, and the ids of the claims that it rests on.

    ``refuted``: those of them that the document's own numbers rule out; of two that differ either may be wrong.
    """

    rule: str
    where: str
    finding: str
    evidence: tuple[str, ...]
    refuted: tuple[str, ...] = ()


def found(
    paper: Paper,
    claims: Sequence[Claim],
    author_log: pd.DataFrame,
    sizes: Sequence[TableRow],
    test_images: Mapping[str, int],
    supports: Supports,
    parameters: Mapping[str, int] = {},
) -> list[Found]:
    """What the rules find in a document, in their order.

    ``sizes``: rows of :func:`stages.compare.parameter_counts.size_rows`; of those that claims.csv has, ``parameters``
    decides. By run, where it is known: ``test_images``,
    how many there are; ``supports``, how many of each label; ``parameters``, how many the network has. A rule says
    nothing on other runs.
    """
    rows: PrintedRows = {}
    for claim in claims:
        if claim.run and claim.unit == "fraction":
            rows.setdefault((claim.table, claim.group, claim.row, claim.run), {})[claim.metric] = claim
    return [
        *_merged("repeated row", _repeated_rows(rows)),
        *_merged("impossible accuracy", _impossible(claims, test_images, supports)),
        *_merged("accuracy and recall", _accuracy_and_recall(rows)),
        *_wrong_sizes(sizes),
        *_merged("parameters", _parameters(claims, parameters)),
        *_merged("table against log", _against_log(claims)),
        *_merged("classes against total", _classes_against_total(claims, supports)),
        *_short_logs(paper, claims, author_log),
    ]


def _repeated_rows(rows: PrintedRows) -> Iterator[Hit]:
    """Rows that equal an earlier one of another run and another block in every fraction, and are out of place.

    Rows alike repeat by chance: at two decimals, 0.93 0.94 0.94 0.94 stands twice in one block, and 0.99 all over
    another. So only another block counts, and only a row that does not belong to its own (:func:`_out_of_place`). Such
    a row is rare, and in each metric it could have stood anywhere in a gap wider than the spread of its block: that it
    meets a row of the document in all of them is a chance against it. Where a log confirms the row, it is chance.
    """
    placed = list(rows.items())
    for number, (key, row) in enumerate(placed):
        elsewhere = [other for place, other in placed[:number] if place[:2] != key[:2] and place[3] != key[3]]
        twin = next((other for other in elsewhere if _equal(row, other)), None)
        neighbours = [other for place, other in placed if place[:2] == key[:2] and place != key]
        confirmed = any(claim.author_log is not None for claim in row.values()) and all(map(_agrees, row.values()))
        if twin and not confirmed and _out_of_place(row, neighbours):
            digits = ", ".join(claim.published for metric, claim in row.items() if metric in twin)
            text = f"The row repeats {_where([*twin.values()][:1])}, digit for digit ({digits}), and lies far from the "
            yield Hit([*row.values(), *twin.values()], f"{text}other rows of its own block.", [*row.values()])


def _equal(row: PrintedRow, other: PrintedRow) -> bool:
    shared = row.keys() & other.keys()
    return len(shared) >= FEWEST_METRICS and all(row[metric].published == other[metric].published for metric in shared)


def _out_of_place(row: PrintedRow, neighbours: Sequence[PrintedRow]) -> bool:
    """Whether each fraction is farther from its neighbours' than these are apart, whatever digits were not printed."""
    for metric, claim in row.items():
        value, others = exact(claim.value), [exact(other[metric].value) for other in neighbours if metric in other]
        if len(others) < FEWEST_NEIGHBOURS:
            return False
        gap, spread = max(min(others) - value, value - max(others)), max(others) - min(others)
        if gap <= spread + 2 * exact(claim.precision):
            return False
    return True


def _impossible(claims: Sequence[Claim], test_images: Mapping[str, int], supports: Supports) -> Iterator[Hit]:
    for claim in (claim for claim in claims if claim.metric.is_share):
        run, label, possible = claim.run or "", claim.metric.label, span(claim)
        count = test_images.get(run, 0) if label is None else supports.get(run, {}).get(label, 0)
        whole = range(max(0, math.ceil(possible.low * count)), min(count, math.floor(possible.high * count)) + 1)
        if count and not any(possible.has(Fraction(k, count)) for k in whole):
            text = f"{claim.column} {claim.published}: no whole number of {count:,} test images gives that."
            yield Hit([claim], text, [claim])


def _accuracy_and_recall(rows: PrintedRows) -> Iterator[Hit]:
    for row in rows.values():
        pair = [row[metric] for metric in (ACCURACY, WEIGHTED_RECALL) if metric in row]
        if len(pair) == 2 and not span(pair[0]).meets(span(pair[1])):
            values = " and ".join(claim.published for claim in pair)
            yield Hit(pair, f"Accuracy and weighted recall are the same quantity, but printed as {values}.")


def _wrong_sizes(sizes: Sequence[TableRow]) -> Iterator[Found]:
    for row in sizes:
        if row["published"] is not None and row["published"] != row["counted"] and not row.get("claims"):
            where = ", ".join(str(row[key]) for key in ("where", "network", "layer") if row.get(key))
            text = f"{row['published']:,} parameters are printed; as built here there are {row['counted']:,}."
            yield Found("parameters", where, text, ())


def _parameters(claims: Sequence[Claim], parameters: Mapping[str, int]) -> Iterator[Hit]:
    for claim in claims:
        count = parameters.get(claim.run or "") if claim.metric == Metric("parameters") else None
        if count is not None and not span(claim).has(Fraction(count)):
            yield Hit([claim], f"{claim.published} parameters are printed; the layers have {count:,}.")


def _against_log(claims: Sequence[Claim]) -> Iterator[Hit]:
    wrong = (claim for claim in claims if not _agrees(claim))
    rows = groupby(wrong, lambda claim: (claim.table, claim.group, claim.row, claim.run))
    for row in (list(of_row) for _, of_row in rows):
        yield Hit(row, f"The log ends at other values: {', '.join(map(_beside_log, row))}.")


def _beside_log(claim: Claim) -> str:
    logged, unit = exact(claim.author_log or 0), exact(claim.precision)
    units = math.floor(logged / unit + (Fraction(1, 2) if claim.rounding == "rounded" else 0))
    digits = len(claim.published.rstrip("%").partition(".")[2])
    as_printed = f"{claim.rounding} {_shown(claim, units * unit, f'.{digits}f')}, " if claim.rounding else ""
    return f"{claim.column} {_shown(claim, logged)} ({as_printed}printed {claim.published})"


def _classes_against_total(claims: Sequence[Claim], supports: Supports) -> Iterator[Hit]:
    for total in (claim for claim in claims if claim.metric == ACCURACY):
        images = supports.get(total.run or "", {})
        own = {claim.metric: claim for claim in claims if claim.run == total.run}
        by_label = {label: own.get(Metric("recall", "test", label=label)) for label in images}
        recalls = {label: claim for label, claim in by_label.items() if claim}
        if recalls and len(recalls) == len(images):
            mean = _mean([(span(claim), images[label]) for label, claim in recalls.items()])
            if not mean.meets(span(total)):
                text = f"The total is printed as {total.published}; the accuracies of the classes make between "
                text += f"{_shown(total, mean.low)} and {_shown(total, mean.high)}."
                yield Hit([total, *recalls.values()], text)


def _mean(spans: Sequence[tuple[Span, int]]) -> Span:
    images = sum(number for _, number in spans)
    low, high = sum(s.low * n for s, n in spans), sum(s.high * n for s, n in spans)
    closed = all(s.closed[0] for s, _ in spans), all(s.closed[1] for s, _ in spans)
    return Span(Fraction(low) / images, Fraction(high) / images, closed)


def _short_logs(paper: Paper, claims: Sequence[Claim], author_log: pd.DataFrame) -> Iterator[Found]:
    first = {claim.run: claim for claim in reversed(claims)}
    short = []
    for run, epochs in author_log.groupby("run", sort=False)["epoch"].nunique().items():
        asked = paper.recipe_of(str(run))[0].get("recipe.epochs", 0)
        if epochs < asked:
            short.append(f"{_where([first[str(run)]]) if run in first else run} ({epochs} of {asked} epochs)")
    if short:
        yield Found("log too short", "Logs", f"Logs that end before the recipe does: {'; '.join(short)}.", ())


def _merged(rule: str, hits: Iterable[Hit]) -> Iterator[Found]:
    """Findings of a rule, those that say the same of rows of one block as one; a hit's first claim says where it is."""
    same: dict[tuple[str, str, str], list[Hit]] = {}
    for hit in hits:
        same.setdefault((hit.claims[0].table, hit.claims[0].group, hit.text), []).append(hit)
    for (*_, text), group in same.items():
        evidence = dict.fromkeys(claim.id for hit in group for claim in hit.claims)
        refuted = dict.fromkeys(claim.id for hit in group for claim in hit.refuted)
        yield Found(rule, _where([hit.claims[0] for hit in group]), text, tuple(evidence), tuple(refuted))


def _agrees(claim: Claim) -> bool:
    return claim.author_log is None or agrees(claim, claim.author_log)


def _shown(claim: Claim, number: Fraction, form: str = ".6g") -> str:
    return f"{float(100 * number):{form}}%" if claim.published.endswith("%") else f"{float(number):{form}}"


def _where(claims: Sequence[Claim]) -> str:
    table, group = claims[0].table, claims[0].group
    *rows, last = dict.fromkeys(claim.row for claim in claims)
    names = f"{', '.join(rows)} and {last}" if rows else last
    return ", ".join(part for part in (table if " " in table else f"Table {table}", group, names) if part)
