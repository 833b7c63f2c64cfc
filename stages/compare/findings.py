"""The contradictions inside a document, each with what the pipeline itself measured at that place."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from stages.compare.columns import TableRow
from stages.compare.contradictions import Found, found
from stages.compare.scale import COMPARED
from stages.compare.side_by_side import Beside
from stages.documents.paper import Paper
from stages.results.metric import Metric
from stages.splits.facts import OFFICIAL

SHOWN = 6  # claims of a finding whose replay is told


def by_rule(beside: Beside, author_log: pd.DataFrame, sizes: Sequence[TableRow]) -> list[Found]:
    """What the rules of :mod:`stages.compare.contradictions` find."""
    return found(
        beside.paper,
        beside.claims,
        author_log,
        sizes,
        official_test_images(beside.paper),
        supports(beside),
        parameters(beside, sizes),
    )


def finding_rows(beside: Beside, contradictions: Sequence[Found]) -> list[TableRow]:
    """What the rules found, then what reading found; columns :data:`FINDING_COLUMNS`."""
    rows: list[TableRow] = [
        {
            "rule": finding.rule,
            "where": finding.where,
            "finding": finding.finding,
            "evidence": " ".join(finding.evidence),
            "replay": _replay(beside, finding.evidence),
        }
        for finding in contradictions
    ]
    read: list[TableRow] = [
        {"rule": "", "where": item.where, "finding": item.finding} for item in beside.paper.findings
    ]
    return [*rows, *read]


def _replay(beside: Beside, evidence: Sequence[str]) -> str:
    """What was measured of the numbers that a finding rests on, at the document's scale."""
    rows = [row for row in beside.claim_rows if row["id"] in evidence]
    ours = [row for row in rows if row["scale"] in COMPARED and isinstance(row.get("ours"), float)]
    told = [f"{row['row']}, {row['column']}: {row['ours']:.4g}" for row in ours[:SHOWN]]
    return "; ".join([*told, *(["..."] if len(ours) > SHOWN else [])])


def official_test_images(paper: Paper) -> dict[str, int]:
    """How many test images a run of the document has, by its recipe; only where this follows from the recipe alone."""
    counts = {}
    for run in paper.runs:
        recipe, _ = paper.recipe_of(run)
        source, first = recipe.get("split.source"), recipe.get("split.test_first")
        if first is not None:
            counts[run] = int(first)
        elif recipe.get("split.classes") is None and source in OFFICIAL:
            counts[run] = OFFICIAL[source].counts[1]
    return counts


def supports(beside: Beside) -> dict[str, dict[int, int]]:
    """How many test images of each label a document prints, taken to hold for all of its runs."""
    printed: dict[int, int] = {}
    for claim in beside.claims:
        match claim.metric:
            case Metric("images", "test", label=int(label)):
                printed[label] = round(claim.value)
    return dict.fromkeys(beside.paper.runs, printed) if printed else {}


def parameters(beside: Beside, sizes: Sequence[TableRow]) -> dict[str, int]:
    """How many parameters the networks of the document's runs have, as built here."""
    counted = {row["network"]: row["counted"] for row in sizes if not row.get("layer")}
    counts = {run: int(str(counted[size.title]))
              for size in beside.paper.sizes if size.runs for run in beside.paper.matching(size.runs)}  # fmt: skip
    ours = {run: result for run, result in beside.ours.items() if beside.scale(run) in COMPARED}
    return counts | {run: result.metrics.parameters for run, result in ours.items()}
