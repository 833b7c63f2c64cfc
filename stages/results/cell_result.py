"""One trained and evaluated cell: its numbers by their names."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.cell import Cell
from stages.results.metric import Metric
from stages.results.records import Environment, Latency, Metrics, Run

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
RELIABILITY_COLUMNS = ("seed", "bin", "low", "high", "images", "confidence", "accuracy")
ITERATION_COLUMNS = ("seed", "iterations", "accuracy", "state_change")
COMPOSITION_COLUMNS = ("part", "label", "class", "images", "clean", "noisy", "official")


@dataclass(frozen=True)
class CellResult:
    """One trained and evaluated cell.

    ``curves`` and ``timing`` (seconds): a row per seed and epoch (from 0); ``class_curves``: per seed, epoch and label;
    ``environments``: by seed; ``predicted``: a row per test image, its label ``true`` and what ``seed-<n>`` predicts;
    ``reliability``: calibration.csv; ``iterations`` and ``latency``: see :mod:`stages.evaluate.__main__`;
    ``composition``: images of its split by part and label, None where the table is missing.
    """

    cell: Cell
    run: Run
    metrics: Metrics
    environments: dict[int, Environment]
    curves: pd.DataFrame
    class_curves: pd.DataFrame
    timing: pd.DataFrame
    predicted: pd.DataFrame
    reliability: pd.DataFrame
    iterations: pd.DataFrame
    latency: Latency
    composition: pd.DataFrame | None

    def values(self, metric: Metric | str) -> tuple[float, ...]:
        """A metric, or that of a name: a value per seed, or one for all of them.

        Raises KeyError for a label that the data lack or a split that is not tabulated, ValueError for an unknown name.
        """
        if isinstance(metric, str):
            return self.values(Metric.parse(metric))
        if metric not in self._values:
            self._values[metric] = self._measured(metric)
        return self._values[metric]

    @cached_property
    def _values(self) -> dict[Metric, tuple[float, ...]]:
        return {}

    def _measured(self, metric: Metric) -> tuple[float, ...]:
        match metric:
            case Metric("parameters"):
                return (float(self.metrics.parameters),)
            case Metric("classes"):
                return (float(self.metrics.classes),)
            case Metric("images", ""):
                return (self._images("train", None)[0] + self._images("test", None)[0],)
            case Metric("images"):
                return self._images(metric.part, metric.label)
            case Metric("error"):
                return tuple(1 - accuracy for accuracy in self.values(replace(metric, quantity="accuracy")))
            case Metric("recall", label=int()):
                table = self.class_curves[self.class_curves["label"] == metric.label]
                return self._last(table, f"{metric.part}_recall")
            case Metric(best=True):
                best = self.curves.loc[self.curves.groupby("seed")["train_accuracy"].idxmax()].set_index("seed")
                return tuple(float(best[f"train_{metric.score}"][seed]) for seed in self.cell.recipe.seeds)
            case Metric(part="test"):
                return tuple(getattr(seed, metric.score) for seed in self.metrics.seeds)
        return self._last(self.curves, str(metric))

    def mean(self, metric: Metric | str) -> float:
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

    @property
    def environment(self) -> Environment:
        """Where the first seed was trained."""
        return self.environments[self.cell.recipe.seeds[0]]

    def seconds(self, seed: int | None = None) -> float:
        """Seconds of training and testing a seed, or all of them together, as :meth:`usual_seconds` reckons them."""
        return self.usual_seconds("train_seconds", seed) + self.usual_seconds("test_seconds", seed)

    def usual_seconds(self, part: str, seed: int | None = None) -> float:
        """The seconds of a seed, or all, of ``part`` (a column of timing.csv), had every epoch taken the median's.

        The clock runs on while a process is stopped (Ctrl-Z, a suspended job) or waits for others: in timing.csv such
        an epoch may have taken an hour. A sum would tell of that pause, and energy be estimated from it.
        """
        usual = self._usual[part]
        return sum(usual.values()) if seed is None else usual[seed]

    @cached_property
    def _usual(self) -> dict[str, dict[int, float]]:
        """Those seconds, by part and seed."""
        seeds = self.timing["seed"].to_numpy()
        of_seed = {int(seed): seeds == seed for seed in np.unique(seeds)}
        return {
            part: {seed: float(np.median(values[rows]) * rows.sum()) for seed, rows in of_seed.items()}
            for part, values in ((part, self.timing[part].to_numpy()) for part in ("train_seconds", "test_seconds"))
        }

    @cached_property
    def images(self) -> tuple[int, int] | None:
        """Training and test images of the split; None where it is not tabulated."""
        if self.composition is None:
            return None
        return int(self._images("train", None)[0]), int(self._images("test", None)[0])

    @cached_property
    def commonest(self) -> float:
        """The share of the test images that have the commonest label."""
        return float(self.predicted["true"].value_counts(normalize=True).max())

    def joules(self) -> float | None:
        """What training and testing all seeds took by the machine's counters; None where nothing counted."""
        if "joules" not in self.timing or self.timing["joules"].isna().any():
            return None
        return float(self.timing["joules"].sum())

    def confusions(self) -> NDArray[np.int64]:
        """Test images by true and predicted label, shape (seeds, classes, classes)."""
        classes, true = self.metrics.classes, self.predicted["true"].to_numpy()
        counts = [
            np.bincount(true * classes + self.predicted[f"seed-{seed}"].to_numpy(), minlength=classes * classes)
            for seed in self.cell.recipe.seeds
        ]
        return np.stack(counts).reshape(-1, classes, classes)

    def confusion(self) -> NDArray[np.int64]:
        """Test images by true and predicted label, shape (classes, classes), all seeds together."""
        return self.confusions().sum(axis=0)

    def class_names(self) -> list[str]:
        """The names of the labels 0, 1, 2, ...; the labels themselves where the split is not tabulated."""
        names = (
            {}
            if self.composition is None
            else dict(zip(self.composition["label"], self.composition["class"], strict=True))
        )
        return [str(names.get(label, label)) for label in range(self.metrics.classes)]

    def throughput(self) -> dict[str, float | None]:
        """Images per second in training and in testing, in the usual epoch; None where the split is not tabulated."""
        epochs = len(self.timing)
        test = self.metrics.test_images * epochs / self.usual_seconds("test_seconds")
        if self.composition is None:
            return {"train_images_per_second": None, "test_images_per_second": test}
        train = self.values("train_images")[0] * epochs / self.usual_seconds("train_seconds")
        return {"train_images_per_second": train, "test_images_per_second": test}

    def _last(self, table: pd.DataFrame, column: str) -> tuple[float, ...]:
        last = table["epoch"].to_numpy() == self.cell.recipe.epochs - 1
        found = dict(zip(table["seed"].to_numpy()[last].tolist(), table[column].to_numpy()[last].tolist(), strict=True))
        return tuple(float(found[seed]) for seed in self.cell.recipe.seeds)

    def _images(self, part: str, label: int | None) -> tuple[float, ...]:
        if self.composition is None:
            raise KeyError(part)
        chosen = self.composition["part"].to_numpy() == part
        if label is not None:
            chosen &= self.composition["label"].to_numpy() == label
        return (float(self.composition["images"].to_numpy()[chosen].sum()),)
