"""How runs compare with each other: tables beside a baseline, sweeps, grids, iterations."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np

from stages.compare.columns import TableRow
from stages.compare.intervals import Estimate, accuracy_of, paired_difference
from stages.compare.side_by_side import Beside
from stages.documents.exhibits import Comparison, GridFigure, Iterations, Sweep
from stages.results.cell_result import CellResult


def comparison_rows(beside: Beside, comparison: Comparison) -> list[TableRow]:
    """Runs beside a baseline; columns :data:`COMPARISON_COLUMNS`."""
    baseline = beside.ours.get(comparison.baseline)
    titles = {**beside.paper.runs, **beside.paper.variants}
    rows = []
    listed = [run for pattern in comparison.runs for run in _matching(pattern, beside)]
    for run in dict.fromkeys([comparison.baseline, *listed]):
        row: TableRow = {"run": run, "title": titles.get(run, run), "scale": beside.scale(run)}
        if (result := beside.ours.get(run)) is not None:
            row |= {"title": beside.paper.run_title(result.cell)}
            row |= {metric: result.mean(metric) for metric in ("test_accuracy", "test_f1_macro")}
            row |= {"labels_accuracy": accuracy_on(result, comparison.labels)}
            row |= {"seeds": len(result.cell.recipe.seeds)}
            row |= {"parameters": result.metrics.parameters, "macs": result.metrics.macs, **result.throughput()}
            if baseline is not None and run != comparison.baseline and share_seeds(result, baseline):
                apart = gain(result, baseline, comparison.labels)
                row |= {"gain": apart.mean, "low": apart.low, "high": apart.high}
        rows.append(row)
    return rows


def _matching(pattern: str, beside: Beside) -> list[str]:
    return [run for run in beside.ours if fnmatchcase(run, pattern)] if "*" in pattern else [pattern]


def sweep_rows(beside: Beside, sweep: Sweep) -> list[TableRow]:
    """Runs over a number; columns :data:`SWEEP_COLUMNS`."""
    rows = []
    for point, run in sweep.points.items():
        row: TableRow = {"point": point, "run": run, "scale": beside.scale(run)}
        if (result := beside.ours.get(run)) is not None:
            row |= {metric: result.mean(metric) for metric in ("test_accuracy", "test_f1_macro")}
            row |= {"labels_accuracy": accuracy_on(result, sweep.labels), "seeds": len(result.cell.recipe.seeds)}
        rows.append(row)
    return rows


def grid_rows(beside: Beside, grid: GridFigure) -> list[TableRow]:
    """What was run of a study's grid; columns :data:`GRID_COLUMNS`."""
    return [
        {
            "key": key,
            "row": result.cell.options[grid.rows],
            "column": result.cell.options[grid.columns],
            "scale": beside.scale(key),
            "seeds": len(result.cell.recipe.seeds),
            "parameters": result.metrics.parameters,
            "macs": result.metrics.macs,
            "test_accuracy": result.mean("test_accuracy"),
        }
        for key, result in beside.ours.items()
        if result.cell.study == grid.study
    ]


def iteration_rows(beside: Beside, wanted: Iterations) -> list[TableRow]:
    """Accuracy and change of the state by iterations, means over the seeds; columns :data:`ITERATION_COLUMNS`."""
    rows: list[TableRow] = []
    for key, result in beside.ours.items():
        if not any(fnmatchcase(key, pattern) for pattern in wanted.runs) or result.iterations.empty:
            continue
        about = {
            "key": key,
            "title": beside.paper.run_title(result.cell),
            "dataset": result.cell.dataset,
            "scale": beside.scale(key),
            "trained": int(result.cell.options[wanted.trained]) - wanted.offset,
        }
        means = result.iterations.groupby("iterations")[["accuracy", "state_change"]].mean()
        rows += [
            {**about, "iterations": number, "test_accuracy": accuracy, "state_change": change}
            for number, accuracy, change in means.itertuples()
        ]
    return rows


def reliability_rows(beside: Beside) -> list[TableRow]:
    """Reliability diagrams, the seeds of a run together; columns :data:`RUN_RELIABILITY_COLUMNS`."""
    rows: list[TableRow] = []
    for key, result in beside.ours.items():
        about = {
            "key": key,
            "title": beside.paper.run_title(result.cell),
            "dataset": result.cell.dataset,
            "scale": beside.scale(key),
        }
        bins = {name: result.reliability[name].to_numpy() for name in ("bin", "images", "confidence", "accuracy")}
        numbers, place = np.unique(bins["bin"], return_inverse=True)
        images = np.bincount(place, bins["images"])
        means = {name: np.bincount(place, bins[name] * bins["images"]) / images for name in ("confidence", "accuracy")}
        columns = {"bin": numbers, "images": images.astype(np.int64), **means}
        rows += [
            {**about, **dict(zip(columns, values, strict=True))}
            for values in zip(*(column.tolist() for column in columns.values()), strict=True)
        ]
    return rows


def accuracy_on(result: CellResult, labels: Sequence[int] | None) -> float:
    """Accuracy on the test images of ``labels`` (all by default), mean over the seeds; 0..1."""
    return accuracy_of(result.correct(labels))


def share_seeds(first: CellResult, second: CellResult) -> bool:
    """Whether two runs have a seed in common, so that they can be paired."""
    return not set(first.cell.recipe.seeds).isdisjoint(second.cell.recipe.seeds)


def gain(first: CellResult, second: CellResult, labels: Sequence[int] | None) -> Estimate:
    """The difference in accuracy on the test images of ``labels``, over the seeds that both runs have."""
    right, other = first.correct(labels), second.correct(labels)
    shared = [seed for seed in right if seed in other]
    return paired_difference({seed: right[seed] for seed in shared}, {seed: other[seed] for seed in shared})
