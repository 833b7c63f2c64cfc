"""Reading what training and evaluation left under results/runs/: only what belongs to the current parameters counts."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError

from stages.calibration import RELIABILITY_COLUMNS
from stages.errors import StageError
from stages.files import read_json
from stages.layout import Layout
from stages.params import Cell, Params
from stages.records import Environment, Latency, Metrics, Record, Run
from stages.tables import REMAKE, numeric, read_csv

SCORES = (
    "loss", "loss_sum", "accuracy",
    "precision_weighted", "recall_weighted", "f1_weighted",
    "precision_macro", "recall_macro", "f1_macro",
)  # fmt: skip
CURVE_COLUMNS = (
    "seed", "epoch", "learning_rate", "train_loss", "train_loss_sum", "train_accuracy",
    *(f"test_{name}" for name in SCORES),
)  # fmt: skip
CLASS_CURVE_COLUMNS = ("seed", "epoch", "label", "train_recall", "test_recall")
TIMING_COLUMNS = ("seed", "epoch", "train_seconds", "test_seconds")
PER_CLASS_COLUMNS = ("seed", "label", "support", "precision", "recall", "f1")
COMPOSITION_COLUMNS = ("part", "label", "class", "images", "clean", "noisy", "official")


@dataclass(frozen=True)
class CellResult:
    """One trained and evaluated cell.

    ``curves`` and ``timing`` (seconds): a row per seed and epoch (from 0); ``class_curves``: per seed, epoch and label;
    ``predicted``: a row per test image, its label ``true`` and what ``seed-<n>`` predicts; ``reliability``,
    ``per_class``, ``iterations`` and ``latency``: see :mod:`stages.evaluate`; ``composition``: images of its split by
    part and label, None where the table is missing.
    """

    cell: Cell
    run: Run
    metrics: Metrics
    environment: Environment
    curves: pd.DataFrame
    class_curves: pd.DataFrame
    timing: pd.DataFrame
    predicted: pd.DataFrame
    reliability: pd.DataFrame
    per_class: pd.DataFrame
    iterations: pd.DataFrame
    latency: Latency
    composition: pd.DataFrame | None

    def values(self, metric: str) -> tuple[float, ...]:
        """A claim's metric (see :mod:`stages.papers`) after the last epoch: a value per seed, or one for all of them.

        Raises KeyError for a metric or label that there is none of.
        """
        if metric == "parameters":
            return (float(self.metrics.parameters),)
        if metric == "images":
            return (self._images("train", None)[0] + self._images("test", None)[0],)
        if metric == "classes":
            return (float(self.metrics.classes),)
        if match := re.fullmatch(r"(train|test)_images(?:_(\d+))?", metric):
            return self._images(match[1], match[2])
        if metric.endswith("_error"):
            return tuple(1 - accuracy for accuracy in self.values(metric.replace("_error", "_accuracy")))
        if match := re.fullmatch(r"(train|test)_recall_(\d+)", metric):
            table = self.class_curves[self.class_curves["label"] == int(match[2])]
            return self._last(table, f"{match[1]}_recall")
        if metric.startswith("best_train_"):
            best = self.curves.loc[self.curves.groupby("seed")["train_accuracy"].idxmax()].set_index("seed")
            return tuple(float(best[metric.removeprefix("best_")][seed]) for seed in self.cell.recipe.seeds)
        if metric.startswith("test_"):
            return tuple(getattr(seed, metric.removeprefix("test_")) for seed in self.metrics.seeds)
        return self._last(self.curves, metric)

    def mean(self, metric: str) -> float:
        """A metric, mean over the seeds."""
        values = self.values(metric)
        return sum(values) / len(values)

    def correct(self, labels: Collection[int] | None = None) -> dict[int, NDArray[np.bool_]]:
        """Per seed, whether the prediction is right for each test image (of ``labels``, all by default)."""
        chosen = self.predicted if labels is None else self.predicted[self.predicted["true"].isin(labels)]
        true = chosen["true"].to_numpy()
        return {seed: chosen[f"seed-{seed}"].to_numpy() == true for seed in self.cell.recipe.seeds}

    def first_epoch(self, column: str, level: float) -> dict[int, int | None]:
        """Per seed, the first epoch (from 1) after which ``column`` of the curves is at least ``level``."""
        reached = self.curves[self.curves[column] >= level].groupby("seed")["epoch"].min()
        return {seed: int(reached[seed]) + 1 if seed in reached else None for seed in self.cell.recipe.seeds}

    def seconds(self) -> float:
        """Seconds spent on training and testing, all seeds together."""
        return float(self.timing["train_seconds"].sum() + self.timing["test_seconds"].sum())

    @property
    def images(self) -> tuple[int, int] | None:
        """Training and test images of the split; None where it is not tabulated."""
        if self.composition is None:
            return None
        return int(self._images("train", None)[0]), int(self._images("test", None)[0])

    def joules(self) -> float | None:
        """What training and testing all seeds took by the machine's counters; None where nothing counted."""
        measured = self.timing.get("joules", pd.Series([np.nan]))
        return None if measured.isna().any() else float(measured.sum())

    def confusion(self) -> NDArray[np.int64]:
        """Test images by true and predicted label, shape (classes, classes), all seeds together."""
        classes = self.metrics.classes
        true = self.predicted["true"].to_numpy()
        pairs = [true * classes + self.predicted[f"seed-{seed}"].to_numpy() for seed in self.cell.recipe.seeds]
        counts = np.bincount(np.concatenate(pairs), minlength=classes * classes)
        return counts.reshape(classes, classes)

    def throughput(self) -> dict[str, float | None]:
        """Images per second in training and in testing, over all epochs; None where the split is not tabulated."""
        epochs = len(self.timing)
        test = self.metrics.test_images * epochs / float(self.timing["test_seconds"].sum())
        if self.composition is None:
            return {"train_images_per_second": None, "test_images_per_second": test}
        train = self.values("train_images")[0] * epochs / float(self.timing["train_seconds"].sum())
        return {"train_images_per_second": train, "test_images_per_second": test}

    def _last(self, table: pd.DataFrame, column: str) -> tuple[float, ...]:
        last = table[table["epoch"] == self.cell.recipe.epochs - 1].set_index("seed")[column]
        return tuple(float(last[seed]) for seed in self.cell.recipe.seeds)

    def _images(self, part: str, label: str | None) -> tuple[float, ...]:
        if self.composition is None:
            raise KeyError(part)
        table = self.composition[self.composition["part"] == part]
        if label is not None:
            table = table[table["label"] == int(label)]
        return (float(table["images"].sum()),)


@dataclass(frozen=True)
class Results:
    """The results of a home in the order of its parameters; ``stale`` and ``unevaluated`` are keys not to be shown."""

    cells: tuple[CellResult, ...]
    stale: tuple[str, ...]
    unevaluated: tuple[str, ...]

    def of(self, paper: str) -> dict[str, CellResult]:
        """The results of a paper, by key."""
        return {result.cell.key: result for result in self.cells if result.cell.paper == paper}


def read_results(layout: Layout, params: Params) -> Results:
    """Read every cell of a home; a :class:`StageError` names a damaged file."""
    cells: list[CellResult] = []
    stale: list[str] = []
    unevaluated: list[str] = []
    for path in layout.trained:
        key = path.parent.name
        run = _parse(Run, path)
        cell = _current_cell(run, params)
        if cell is None or layout.training(cell) != path.parent:
            stale.append(key)
        elif not _evaluated(layout, cell):
            unevaluated.append(key)
        else:
            cells.append(_read_cell(layout, run, cell))
    datasets, architectures, runs = list(params.data), list(params.recurnets.models), list(params.named)

    def order(result: CellResult) -> tuple[int, int, int, int]:
        cell = result.cell
        if cell.key in runs:
            return len(datasets), 0, 0, runs.index(cell.key)
        return datasets.index(cell.dataset), architectures.index(cell.architecture), int(cell.options["depth"]), 0

    return Results(tuple(sorted(cells, key=order)), tuple(stale), tuple(unevaluated))


def read_cell(layout: Layout, params: Params, cell: Cell) -> CellResult:
    """Read one cell and nothing else; a :class:`StageError` if it is missing, stale, not evaluated or damaged."""
    folder = layout.training(cell)
    run = _parse(Run, folder / "run.json")
    if _current_cell(run, params) != cell:
        raise StageError(f"{folder / 'run.json'} is of a run with other parameters; run `dvc repro` to train it anew.")
    if not _evaluated(layout, cell):
        raise StageError(
            f"{layout.evaluation(cell) / 'metrics.json'} is missing or of other seeds; "
            "run `dvc repro` to evaluate the cell."
        )
    return _read_cell(layout, run, cell)


def _current_cell(run: Run, params: Params) -> Cell | None:
    """The cell that the parameters give for the run's key, if the run was made with exactly these."""
    try:
        cell = params.cell(str(run.cell.get("key")))
    except StageError:
        return None
    try:
        return cell if Cell.model_validate(run.cell) == cell else None  # a key that is new since then has its default
    except ValidationError:
        return None


def _evaluated(layout: Layout, cell: Cell) -> bool:
    """Whether there are metrics of exactly the cell's seeds (a run that gained a seed still has its old ones)."""
    path = layout.evaluation(cell) / "metrics.json"
    return path.is_file() and tuple(seed.seed for seed in _parse(Metrics, path).seeds) == cell.recipe.seeds


def _read_cell(layout: Layout, run: Run, cell: Cell) -> CellResult:
    trained, evaluated = layout.training(cell), layout.evaluation(cell)
    composition = layout.composition(cell.dataset) / "composition.csv"
    metrics = _parse(Metrics, evaluated / "metrics.json")
    seeds, epochs = cell.recipe.seeds, range(cell.recipe.epochs)
    labels = range(metrics.classes)
    return CellResult(
        cell=cell,
        run=run,
        metrics=metrics,
        environment=_parse(Environment, trained / "environment.json"),
        curves=_complete(trained / "curves.csv", CURVE_COLUMNS, seeds, epochs),
        class_curves=_complete(trained / "class_curves.csv", CLASS_CURVE_COLUMNS, seeds, epochs, labels),
        timing=_complete(trained / "timing.csv", TIMING_COLUMNS, seeds, epochs),
        reliability=_numbers(evaluated / "calibration.csv", ("seed", *RELIABILITY_COLUMNS)),
        per_class=_numbers(evaluated / "per_class.csv", PER_CLASS_COLUMNS),
        iterations=_iterated(evaluated / "iterations.csv"),
        latency=_parse(Latency, evaluated / "latency.json"),
        predicted=_predicted(evaluated / "predicted.csv", cell, metrics.test_images),
        composition=read_csv(composition, COMPOSITION_COLUMNS) if composition.is_file() else None,
    )


def _complete(path: Path, columns: tuple[str, ...], *ranges: Iterable[int]) -> pd.DataFrame:
    """A table of numbers with one row for each combination of ``ranges`` in its first columns."""
    table = numeric(read_csv(path, columns), path, columns)
    names = list(columns[: len(ranges)])
    expected = list(product(*ranges))
    found = sorted(map(tuple, table[names].to_numpy().tolist()))
    if found != sorted(expected):
        raise StageError(
            f"{path} has {len(found)} rows where one was expected for each {', '.join(names)}, {len(expected)} in all; "
            f"{REMAKE}."
        )
    return table


def _numbers(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    return numeric(read_csv(path, columns), path, columns)


def _iterated(path: Path) -> pd.DataFrame:
    """The table of iterations; empty for a model without, and for results older than the table."""
    columns = ("seed", "iterations", "accuracy", "state_change")
    table = read_csv(path, columns) if path.is_file() else pd.DataFrame(columns=columns)
    return table if table.empty else numeric(table, path, columns[:3])


def _predicted(path: Path, cell: Cell, images: int) -> pd.DataFrame:
    columns = ("true", *(f"seed-{seed}" for seed in cell.recipe.seeds))
    table = numeric(read_csv(path, columns), path, columns)
    if len(table) != images:
        raise StageError(f"{path} has {len(table)} rows where {images} test images were expected; {REMAKE}.")
    return table


RecordType = TypeVar("RecordType", bound=Record)


def _parse(kind: type[RecordType], path: Path) -> RecordType:
    try:
        return kind.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise StageError(f"{path}: key '{key}': {first['msg']}; {REMAKE}.") from None
