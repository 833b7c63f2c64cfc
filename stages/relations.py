"""How runs compare with each other: claims in words, tables beside a baseline, sweeps."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from stages.beside import FULL, NOT_RUN, Beside, Row
from stages.exhibits import Comparison, Grid, Iterations, Statement, Sweep
from stages.results import CellResult
from stages.statistics import Estimate, over_seeds, paired_difference

HOLDS, CONTRADICTED, UNDECIDED, SEEN, NOT_SEEN = "holds", "contradicted", "undecided", "seen", "not seen"
STATEMENT_COLUMNS = (
    "id", "where", "text", "about", "measure", "first", "second", "labels", "column", "level", "claimed", "published",
    "first_value", "second_value", "difference", "low", "high", "seeds", "scale", "outcome",
)  # fmt: skip
COMPARISON_COLUMNS = (
    "run", "title", "scale", "seeds", "parameters", "macs",
    "test_accuracy", "test_f1_macro", "labels_accuracy", "gain", "low", "high",
    "train_images_per_second", "test_images_per_second",
)  # fmt: skip
SWEEP_COLUMNS = ("point", "run", "scale", "seeds", "labels_accuracy", "test_accuracy", "test_f1_macro")
GRID_COLUMNS = ("key", "row", "column", "scale", "seeds", "parameters", "macs", "test_accuracy")
ITERATION_COLUMNS = ("key", "title", "dataset", "scale", "trained", "iterations", "test_accuracy", "state_change")


def statement_rows(beside: Beside) -> list[Row]:
    """The claims in words; columns :data:`STATEMENT_COLUMNS`."""
    return [_statement_row(beside, statement) for statement in beside.paper.statements]


def _statement_row(beside: Beside, statement: Statement) -> Row:
    scale = beside.common_scale(statement.first, statement.second)
    row: Row = {**statement.model_dump(), "scale": scale, "outcome": scale}
    row["labels"] = None if statement.labels is None else " ".join(map(str, statement.labels))
    if scale == NOT_RUN:
        return row
    pair = beside.ours[statement.first], beside.ours[statement.second]
    measured = epochs_apart(*pair, statement) if statement.measure == "epochs" else accuracies_apart(*pair, statement)
    if measured is None:
        return row | {"outcome": UNDECIDED if scale == FULL else scale}
    first, second, estimate = measured
    return row | {
        "first_value": first,
        "second_value": second,
        "difference": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
        "seeds": estimate.seeds,
        "outcome": outcome(estimate, statement.claimed) if scale == FULL else scale,
    }


def comparison_rows(beside: Beside, comparison: Comparison) -> list[Row]:
    """Runs beside a baseline; columns :data:`COMPARISON_COLUMNS`."""
    baseline = beside.ours.get(comparison.baseline)
    titles = {**beside.paper.runs, **beside.paper.variants}
    rows = []
    listed = [run for pattern in comparison.runs for run in _matching(pattern, beside)]
    for run in dict.fromkeys([comparison.baseline, *listed]):
        row: Row = {"run": run, "title": titles.get(run, run), "scale": beside.scale(run)}
        if (result := beside.ours.get(run)) is not None:
            row |= {"title": beside.paper.run_title(result.cell)}
            row |= {metric: result.mean(metric) for metric in ("test_accuracy", "test_f1_macro")}
            row |= {"labels_accuracy": accuracy_on(result, comparison.labels)}
            row |= {"seeds": len(result.cell.recipe.seeds)}
            row |= {"parameters": result.metrics.parameters, "macs": result.metrics.macs, **result.throughput()}
            if baseline is not None and run != comparison.baseline:
                apart = gain(result, baseline, comparison.labels)
                row |= {"gain": apart.mean, "low": apart.low, "high": apart.high}
        rows.append(row)
    return rows


def _matching(pattern: str, beside: Beside) -> list[str]:
    return [run for run in beside.ours if fnmatchcase(run, pattern)] if "*" in pattern else [pattern]


def sweep_rows(beside: Beside, sweep: Sweep) -> list[Row]:
    """Runs over a number; columns :data:`SWEEP_COLUMNS`."""
    rows = []
    for point, run in sweep.points.items():
        row: Row = {"point": point, "run": run, "scale": beside.scale(run)}
        if (result := beside.ours.get(run)) is not None:
            row |= {metric: result.mean(metric) for metric in ("test_accuracy", "test_f1_macro")}
            row |= {"labels_accuracy": accuracy_on(result, sweep.labels), "seeds": len(result.cell.recipe.seeds)}
        rows.append(row)
    return rows


def grid_rows(beside: Beside, grid: Grid) -> list[Row]:
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


def iteration_rows(beside: Beside, wanted: Iterations) -> list[Row]:
    """Accuracy and change of the state by iterations, means over the seeds; columns :data:`ITERATION_COLUMNS`."""
    rows: list[Row] = []
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


def accuracy_on(result: CellResult, labels: Sequence[int] | None) -> float:
    """Accuracy on the test images of ``labels`` (all by default), mean over the seeds; 0..1."""
    correct = result.correct(labels)
    return sum(float(right.mean()) for right in correct.values()) / len(correct)


def gain(first: CellResult, second: CellResult, labels: Sequence[int] | None) -> Estimate:
    """The difference in accuracy on the test images of ``labels``, over the seeds that both runs have."""
    right, other = first.correct(labels), second.correct(labels)
    shared = [seed for seed in right if seed in other]
    return paired_difference({seed: right[seed] for seed in shared}, {seed: other[seed] for seed in shared})


def accuracies_apart(first: CellResult, second: CellResult, statement: Statement) -> tuple[float, float, Estimate]:
    """Accuracy of both on the statement's labels, and the difference, paired by image."""
    labels = statement.labels
    return accuracy_on(first, labels), accuracy_on(second, labels), gain(first, second, labels)


def epochs_apart(first: CellResult, second: CellResult, statement: Statement) -> tuple[float, float, Estimate] | None:
    """Epochs until the level is reached, means over the seeds; None if a seed of either run never does."""
    assert statement.column is not None
    assert statement.level is not None
    reached = [result.first_epoch(statement.column, statement.level) for result in (first, second)]
    shared = [seed for seed in reached[0] if seed in reached[1]]
    pairs = [(a, b) for seed in shared if (a := reached[0][seed]) is not None and (b := reached[1][seed]) is not None]
    if len(pairs) < len(shared) or not pairs:
        return None
    means = [sum(side) / len(pairs) for side in zip(*pairs, strict=True)]
    return means[0], means[1], over_seeds([a - b for a, b in pairs])


def outcome(estimate: Estimate, claimed: str) -> str:
    """Whether the interval lies on the claimed side of 0; without one, whether the difference itself does."""
    sign = 1 if claimed == "greater" else -1
    if estimate.low is None or estimate.high is None:
        return SEEN if sign * estimate.mean > 0 else NOT_SEEN
    near, far = sorted((sign * estimate.low, sign * estimate.high))
    return HOLDS if near > 0 else CONTRADICTED if far < 0 else UNDECIDED
