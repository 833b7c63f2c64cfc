"""The first epochs of our runs under their full recipe beside the authors' log, run by run.

A complete run has its first epochs, too; seeds that were only begun (`python -m commands begin`) are added. How the
answer is found is told in :mod:`stages.compare.departures`. It never feeds a verdict on a full run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from stages.compare.columns import TableRow
from stages.compare.departures import ANSWERS, Case, Curves, Decision, as_many_first, decide
from stages.compare.ladder import FIRST_EPOCHS, Answer
from stages.compare.scale import FULL, differences
from stages.compare.side_by_side import Beside
from stages.core.errors import StageError
from stages.core.text import counted
from stages.documents.claims import Claim
from stages.documents.exhibits import FirstEpochsRule

_EDGE = 5e-5  # an accuracy of 0 or 1 counts as half an image of 10,000 from there


@dataclass(frozen=True)
class FirstEpochs:
    """What the first ``epochs`` epochs of a run's ``seeds`` say of its log.

    ``largest``: max |T|, ``p`` its corrected p-value, ``rank``: see :class:`stages.compare.departures.Decision`.
    ``rows``: a row per epoch and column.
    """

    answer: str
    epochs: int
    seeds: int
    largest: float | None
    p: float | None
    rank: int | None
    words: str
    rows: tuple[TableRow, ...]


def answers(beside: Beside, log: pd.DataFrame) -> dict[str, FirstEpochs]:
    """The answer on every run of the document that has a log and first epochs of ours; empty without a rule."""
    rule = beside.paper.first_epochs
    if rule is None:
        return {}
    if missing := [name for name in rule.margins if name not in log]:
        raise StageError(
            f"papers/{beside.paper.id}/paper.yaml: first_epochs.margins has {missing[0]}, which is no column of "
            "author_log.csv; correct it."
        )
    logs = {str(run): curve for run, rows in log.groupby("run") if (curve := on_scale(rows, rule)) is not None}
    asked = {*logs, *(rival for rivals in rule.rivals.values() for rival in rivals)}
    made = dict.fromkeys(run for run in (*beside.ours, *beside.started) if run in asked)
    ours = {run: curves for run in made if (curves := ours_of(beside, run, rule)) is not None}
    alone = {run: curve[None] for run, curve in logs.items()}
    cases = {
        run: Case(logs[run], curves, {name: known[name] for name in rule.rivals.get(run, ()) if name in known})
        for known in [{**ours, **alone}]
        for run, curves in ours.items()
        if run in logs
    }
    decisions = decide(cases, list(rule.margins.values()))
    return {run: _told(run, beside, log, rule, len(cases[run].ours), found) for run, found in decisions.items()}


def _told(
    run: str, beside: Beside, log: pd.DataFrame, rule: FirstEpochsRule, seeds: int, found: Decision
) -> FirstEpochs:
    words = f"{counted(rule.epochs, 'epoch')}, {counted(seeds, 'seed')}{_furthest(found, rule)}: {found.why}"
    logged, measured = log[log["run"] == run].set_index("epoch"), whole_seeds(beside, run, rule).groupby("epoch")
    rows: list[TableRow] = [
        {
            "run": run, "seeds": seeds, "epoch": epoch, "column": column, "margin": margin,
            "log": float(logged[column][epoch]), "ours": float(measured[column].mean()[epoch]),
            "t": None if found.t is None else float(found.t[epoch, place]),
            "reach": None if found.reach is None else float(found.reach[epoch, place]),
            "answer": found.answer, "p": found.p, "rank": found.rank, "words": words,
        }
        for epoch in range(rule.epochs)
        for place, (column, margin) in enumerate(rule.margins.items())
    ]  # fmt: skip
    return FirstEpochs(found.answer, rule.epochs, seeds, found.largest, found.p, found.rank, words, tuple(rows))


def _furthest(found: Decision, rule: FirstEpochsRule) -> str:
    """Where the largest departure is."""
    if found.t is None:
        return ""
    epoch, place = np.unravel_index(np.abs(found.t).argmax(), found.t.shape)
    return f", T = {found.t[epoch, place]:+.1f} at most (epoch {epoch + 1}, {list(rule.margins)[place]})"


def of_claims(found: Mapping[str, FirstEpochs], claims: Iterable[Claim]) -> dict[str, Answer]:
    """The answers by the ids of the claims that training decides, for the ladder."""
    return {
        claim.id: Answer(FIRST_EPOCHS, each.answer, each.words, seeds=each.seeds)
        for claim in claims
        if claim.run is not None and not claim.metric.counted and (each := found.get(claim.run)) is not None
    }


def summed_up(found: dict[str, FirstEpochs]) -> dict[str, Any]:
    """How many answers of each kind, and in how many runs the log is further from our seeds than each is from the rest.

    ``first``: in so many of ``ranked`` runs; ``by_chance``: in so many on average, were it one more seed of ours, and
    ``p`` the probability of at least ``first``.
    """
    ranked = [each for each in found.values() if each.rank is not None]
    firsts, seeds = sum(each.rank == 1 for each in ranked), [each.seeds for each in ranked]
    return {
        "answers": {answer: sum(each.answer == answer for each in found.values()) for answer in ANSWERS},
        "ranked": len(ranked),
        "first": firsts,
        "by_chance": sum(1 / (n + 1) for n in seeds),
        "p": as_many_first(firsts, seeds),
    }


def table_of(beside: Beside, run: str) -> pd.DataFrame:
    """The curves of all seeds of a run that were trained under the document's full recipe, complete or begun."""
    tables, complete = [], set()
    if (result := beside.ours.get(run)) is not None and beside.scale(run) == FULL:
        tables.append(result.curves)
        complete = set(result.cell.recipe.seeds)
    if (begun := beside.started.get(run)) is not None and not differences(beside.paper, begun.cell):
        tables.append(begun.curves[~begun.curves["seed"].isin(complete)])
    return pd.concat(tables) if tables else pd.DataFrame({"seed": [], "epoch": []})


def whole_seeds(beside: Beside, run: str, rule: FirstEpochsRule) -> pd.DataFrame:
    """The rows of :func:`table_of` of the seeds that have all first epochs."""
    return table_of(beside, run).groupby("seed").filter(lambda rows: on_scale(rows, rule) is not None)


def ours_of(beside: Beside, run: str, rule: FirstEpochsRule) -> Curves | None:
    """The first epochs of the seeds that have them all, (seeds, epochs, columns); None if no seed has."""
    found = [on_scale(rows, rule) for _, rows in whole_seeds(beside, run, rule).groupby("seed")]
    whole = [curve for curve in found if curve is not None]
    return np.stack(whole) if whole else None


def on_scale(table: pd.DataFrame, rule: FirstEpochsRule) -> Curves | None:
    """The first epochs of one training as log losses and logit accuracies, (epochs, columns); None if one is missing.

    ``table``: a row per epoch (from 0), named as in curves.csv.
    """
    rows = table[table["epoch"] < rule.epochs].sort_values("epoch")
    if rows["epoch"].tolist() != list(range(rule.epochs)) or rows[list(rule.margins)].isna().any(axis=None):
        return None
    columns = []
    for name in rule.margins:
        values = rows[name].to_numpy(np.float64)
        share = np.clip(values, _EDGE, 1 - _EDGE)
        columns.append(np.log(values) if "loss" in name else np.log(share / (1 - share)))
    return np.stack(columns, axis=1)
