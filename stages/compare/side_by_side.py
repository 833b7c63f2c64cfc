"""A document's numbers and what was measured, side by side: the rows of its tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from stages.compare.carbon import cost, grams_per_kwh
from stages.compare.columns import CLAIM_COLUMNS, DIFFERENCE_COLUMNS, HEADLINE_COLUMNS, TableRow
from stages.compare.pooled import POOLED
from stages.compare.scale import COMPARED, NOT_RUN, differences, scale_by
from stages.compare.verdicts import (
    ASSUMED,
    INCONCLUSIVE,
    MATCH,
    Interval,
    interval_of,
    judge,
    judge_without_margin,
    plausible,
    target,
)
from stages.documents.claims import Claim
from stages.documents.paper import Paper, cell_fields
from stages.params import Energy
from stages.results.cell_result import CellResult
from stages.results.metric import Metric
from stages.results.records import WeightScores
from stages.results.started import Begun

PLAUSIBLE = {True: "yes", False: "no", None: ""}
ONE_SEED = {ASSUMED: "1 seed, spread assumed", POOLED: "1 seed, spread of similar runs"}
CALIBRATION = ("nll", "brier", "ece")  # scores of a seed that no document prints


@dataclass(frozen=True)
class Beside:
    """A document and what this home has to set beside it.

    ``ours``: its results by run. ``energy``: what their energy and CO2 are reckoned with. ``started``: what was only
    begun, by run. ``weights``: what weights that its authors published give here.
    """

    paper: Paper
    claims: list[Claim]
    ours: dict[str, CellResult]
    energy: Energy
    started: Mapping[str, Begun] = field(default_factory=dict)
    weights: tuple[WeightScores, ...] = ()

    def scale(self, run: str | None) -> str:
        """Whether a run was made at the document's own scale; empty for a model that was cited only."""
        if run is None:
            return ""
        if run not in self._scales:
            self._scales[run] = scale_by(self.paper, self._apart[run]) if run in self.ours else NOT_RUN
        return self._scales[run]

    @cached_property
    def _scales(self) -> dict[str, str]:
        return {}

    @cached_property
    def _apart(self) -> dict[str, dict[str, tuple[Any, Any]]]:
        """Where each of our runs departs from the document's recipe."""
        return {key: differences(self.paper, each.cell, each.images) for key, each in self.ours.items()}

    @cached_property
    def claim_rows(self) -> list[TableRow]:
        """Every published number in the document's order; columns :data:`CLAIM_COLUMNS`."""
        return [self._claim_row(claim) for claim in self.claims]

    def _claim_row(self, claim: Claim) -> TableRow:
        """A difference and a verdict exist where the document's recipe was followed: a reduced run says nothing of it.

        ``plausible``: whether the published number may be one more seed of ours; ``rivals``: how many other runs of the
        document match it, too.
        """
        scale, aim = self.scale(claim.run), target(claim)
        found = None if claim.run is None else self._interval(claim.run, claim.metric)
        row: TableRow = {
            **claim.model_dump(include=set(CLAIM_COLUMNS)),
            "log": claim.author_log,
            "log_epochs": claim.author_log_epochs,
            "scale": scale,
            "target_low": aim.low,
            "target_high": aim.high,
            "target": aim.basis,
        }
        if found is not None:
            row |= {
                "ours": found.mean,
                "low": found.low,
                "high": found.high,
                "basis": found.basis,
                "predicted_low": found.predicted_low,
                "predicted_high": found.predicted_high,
                "seeds": found.seeds,
            }
        row["verdict"], row["reason"] = self._verdict(claim, found, scale)
        if found is not None and scale in COMPARED:
            row |= {
                "difference": found.mean - claim.value,
                "plausible": PLAUSIBLE[plausible(found, aim)],
                "rivals": self._rivals(claim),
            }
        return row

    def _verdict(self, claim: Claim, found: Interval | None, scale: str) -> tuple[str, str]:
        """The verdict and what it rests on, or why it is none; empty for a model that was cited only."""
        if claim.run is None:
            return "", "cited, not trained by the document"
        if scale not in COMPARED:
            return NOT_RUN, "" if scale == NOT_RUN else scale
        if found is None:
            return NOT_RUN, "not measured"
        aim, reading = target(claim), self.paper.reading
        single = ONE_SEED.get(found.basis, "") if found.seeds == 1 else ""
        if claim.margin is None:
            why = "; ".join(["no margin was declared", *([single] if found.basis == POOLED and single else [])])
            return judge_without_margin(found, aim, claim.better, reading=reading), why
        if found.low is None:
            return INCONCLUSIVE, "1 seed, no interval"
        return judge(found, aim, claim.margin, claim.better, reading=reading), single

    def _rivals(self, claim: Claim) -> int | None:
        """How many other runs of the document match the number, too; None for a count, and without a margin."""
        if claim.metric.counted or claim.margin is None:
            return None
        others = [run for run in self.paper.runs if run != claim.run and self.scale(run) in COMPARED]
        found = [self._interval(run, claim.metric) for run in others]
        return sum(judge(each, target(claim), claim.margin, claim.better) == MATCH for each in found if each)

    def _interval(self, run: str, metric: Metric) -> Interval | None:
        """A metric of a run, once reckoned; None where it was not measured."""
        if (run, metric) not in self._intervals:
            result = self.ours.get(run)
            try:
                found = None if result is None else interval_of(result, metric, self.ours.values())
            except KeyError:  # a label that the run's data do not have, or a split that was not tabulated
                found = None
            self._intervals[run, metric] = found
        return self._intervals[run, metric]

    @cached_property
    def _intervals(self) -> dict[tuple[str, Metric], Interval | None]:
        return {}

    def headline(self) -> list[TableRow]:
        """The document's main metric of every run, its own and ours; columns :data:`HEADLINE_COLUMNS`."""
        head = self.paper.headline
        tables = {table.id: table for table in self.paper.tables}
        titles = {**self.paper.runs, **self.paper.variants}
        rows: dict[str, TableRow] = {}
        for claim, row in zip(self.claims, self.claim_rows, strict=True):
            if claim.metric == head.metric and claim.run is not None and claim.run not in rows:
                table = tables[claim.table]
                names = {"title": titles[claim.run], "caption": table.caption, "short": table.short}
                place = {"row": head.row, "column": head.column}
                rows[claim.run] = row | {key: text.format(**claim.model_dump(exclude={"run"}), run=claim.run, **names)
                                         for key, text in place.items()}  # fmt: skip
        own = [result for key, result in self.ours.items() if head.own_row and key not in self.paper.runs]
        first = [self._own_headline(result) for result in own]
        return [{key: row.get(key) for key in HEADLINE_COLUMNS} for row in [*first, *rows.values()]]

    def _own_headline(self, result: CellResult) -> TableRow:
        head, fields = self.paper.headline, cell_fields(result.cell)
        return {
            "row": head.own_row.format(**fields),
            "column": head.own_column.format(**fields),
            "run": result.cell.key,
            "ours": result.mean(head.metric),
            "scale": self.scale(result.cell.key),
            "seeds": len(result.cell.recipe.seeds),
        }

    def cells(self) -> list[TableRow]:
        """Every run of this home; columns :data:`CELL_COLUMNS`."""
        title, intensity = self.paper.run_title, grams_per_kwh(self.energy.country)
        return [
            {**_cell_row(result, title(result.cell), self.scale(key)), **_cost_row(result, self.energy, intensity)}
            for key, result in self.ours.items()
        ]

    def recipe_differences(self) -> list[TableRow]:
        """Where our cells depart from the document's recipe; values as JSON; columns :data:`DIFFERENCE_COLUMNS`."""
        cells: dict[tuple[str, str, str], list[str]] = {}
        for key, apart in self._apart.items():
            for parameter, pair in apart.items():
                paper, this_run = (value if isinstance(value, str) else json.dumps(value) for value in pair)
                cells.setdefault((parameter, paper, this_run), []).append(key)
        return [
            dict(zip(DIFFERENCE_COLUMNS, (*difference, " ".join(keys)), strict=True))
            for difference, keys in cells.items()
        ]


def _cell_row(result: CellResult, title: str, scale: str) -> TableRow:
    recipe, metrics = result.cell.recipe, result.metrics
    return {
        "key": result.cell.key,
        "title": title,
        "dataset": result.cell.dataset,
        "architecture": result.cell.architecture,
        "scale": scale,
        "seeds": len(recipe.seeds),
        "epochs": recipe.epochs,
        "parameters": metrics.parameters,
        "macs": metrics.macs,
        "training_macs": metrics.training_macs,
        "test_accuracy": result.mean("test_accuracy"),
        "test_f1": result.mean("test_f1_weighted"),
        "test_precision": result.mean("test_precision_weighted"),
        "test_recall": result.mean("test_recall_weighted"),
        "test_f1_macro": result.mean("test_f1_macro"),
        "test_loss": result.mean("test_loss"),
        "train_accuracy": result.mean("train_accuracy"),
        **{name: sum(getattr(seed, name) for seed in metrics.seeds) / len(metrics.seeds) for name in CALIBRATION},
        "latency_ms": result.latency.milliseconds,
        "seconds_per_epoch": result.seconds() / len(result.timing),
        "seconds": result.seconds(),
        "test_images": metrics.test_images,
        "device_name": result.environment.device_name,
        "data_sha256": result.run.data_sha256,
        "code_sha256": result.run.code_sha256,
    }


def _cost_row(result: CellResult, energy: Energy, grams: float) -> TableRow:
    price = cost(result, energy)
    watt_hours = price.joules / 3600
    return {
        "energy_wh": watt_hours,
        "energy_kind": price.kind,
        "co2_g": watt_hours * grams / 1000,
        "joules_per_correct": price.joules_per_correct,
    }
