"""Plausible results of cells that were never trained: for tests of what reads results, and for nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from stages.cell import Cell
from stages.compare.scale import REDUCED
from stages.compare.scores import write_scores
from stages.core.files import sha256_of, write_json, write_text
from stages.core.layout import Layout
from stages.params import Params
from stages.results.cell_result import SCORES
from stages.results.read import read_results
from stages.splits.streams import numpy_stream

ENVIRONMENT = {
    "python": "3.12.0", "torch": "2.13.0", "device": "cpu", "device_name": "fake processor",
    "threads": 2, "platform": "fake platform",
}  # fmt: skip
CEILING = {"digits": 0.97, "mnist": 0.99, "svhn": 0.93, "cifar10": 0.85, "gunn": 0.9}
IMAGES, CLASSES = 1000, 10


def write_cells(home: Path, params: Params, keys: Iterable[str], *, evaluated: bool = True) -> None:
    """Write all result files of the cells called ``keys`` under ``home``/results, and what `check` would write."""
    write_json(Layout(home).cells, params.comparable().model_dump(mode="json"))
    for key in keys:
        write_cell(Layout(home), params.cell(key), evaluated=evaluated)


def write_fake_scores(home: Path, params: Params) -> None:
    """Write the row that each result has in scores.csv, as reduced runs."""
    layout = Layout(home)
    write_scores(((result, REDUCED) for result in read_results(layout, params).cells), layout)


def write_cell(layout: Layout, cell: Cell, *, evaluated: bool = True) -> None:
    folder = layout.training(cell)
    parameters = 135_178 if cell.architecture == "recurnet1" else 610_122
    depth = int(cell.options.get("depth", 4))
    write_json(folder / "run.json", {
        "cell": cell.model_dump(mode="json"), "parameters": parameters,
        "data_sha256": sha256_of(cell.dataset), "code_sha256": sha256_of("code"),
    })  # fmt: skip
    curves = pd.concat([_curves(cell, seed) for seed in cell.recipe.seeds])
    write_text(folder / "curves.csv", curves.to_csv(index=False))
    labels = pd.DataFrame({"label": range(CLASSES)})
    by_class = curves[["seed", "epoch", "train_accuracy", "test_accuracy"]].merge(labels, how="cross")
    by_class = by_class.rename(columns={"train_accuracy": "train_recall", "test_accuracy": "test_recall"})
    order = ["seed", "epoch", "label", "train_recall", "test_recall"]
    write_text(folder / "class_curves.csv", by_class[order].to_csv(index=False))
    timing = curves[["seed", "epoch"]].assign(train_seconds=1.5 + depth / 8, test_seconds=0.25)
    clock = layout.training_clock(cell)
    write_text(clock / "timing.csv", timing.to_csv(index=False))
    write_json(clock / "environment.json", {"seeds": {str(seed): ENVIRONMENT for seed in cell.recipe.seeds}})
    if evaluated:
        folder = layout.evaluation(cell)
        last = curves[curves["epoch"] == cell.recipe.epochs - 1]
        trust = {"nll_error": 0.01, "brier": 0.2, "ece": 0.05}
        seeds = [
            {"seed": int(row["seed"]), **{s: row[f"test_{s}"] for s in SCORES}, "nll": row["test_loss"], **trust}
            for _, row in last.iterrows()
        ]
        write_json(folder / "metrics.json", {
            "key": cell.key, "classes": CLASSES, "parameters": parameters, "macs": 16_000_000 * (depth - 2),
            "training_macs": 16_000_000 * (depth - 2), "test_images": IMAGES, "seeds": seeds,
        })  # fmt: skip
        right = {seed["seed"]: round(seed["accuracy"] * IMAGES) for seed in seeds}
        write_text(folder / "predicted.csv", predicted(cell.key, right).to_csv(index=False))
        if len(iterated := iterations(cell)):
            write_text(folder / "iterations.csv", iterated.to_csv(index=False))
        write_text(folder / "calibration.csv", calibration(cell).to_csv(index=False))
        write_json(layout.evaluation_clock(cell) / "latency.json", {"milliseconds": 1.5, **ENVIRONMENT})


def predicted(key: str, right: dict[int, int]) -> pd.DataFrame:
    """Predictions of which ``right[seed]`` are right, the wrong ones scattered by ``key`` and seed."""
    true = np.arange(IMAGES) % CLASSES
    columns = {"true": true}
    for seed, count in right.items():
        wrong = numpy_stream("fake predictions", key, seed).permutation(IMAGES)[count:]
        columns[f"seed-{seed}"] = np.where(np.isin(np.arange(IMAGES), wrong), (true + 1) % CLASSES, true)
    return pd.DataFrame(columns)


def calibration(cell: Cell) -> pd.DataFrame:
    """Reliability diagrams of two bins."""
    edges = {"bin": [10, 14], "low": [10 / 15, 14 / 15], "high": [11 / 15, 1.0]}
    bins = {**edges, "images": [IMAGES // 4, 3 * IMAGES // 4]}
    rows = [pd.DataFrame({"seed": seed, **bins, "confidence": [0.7, 0.97], "accuracy": [0.6, 0.96]})
            for seed in cell.recipe.seeds]  # fmt: skip
    return pd.concat(rows)


def iterations(cell: Cell) -> pd.DataFrame:
    """Iterations 1 to 30 of networks that iterate a block."""
    iterated = "depth" in cell.options or cell.options.get("iterations", 0)
    number = np.arange(1, 31 if iterated else 1)
    measured = {"iterations": number, "accuracy": 0.9 - 0.01 * number, "state_change": 1.0 / (1 + number)}
    rows = [pd.DataFrame({"seed": seed, **measured}) for seed in cell.recipe.seeds]
    return pd.concat(rows)


def _curves(cell: Cell, seed: int) -> pd.DataFrame:
    draws = numpy_stream("fake", cell.key, seed)
    epoch = np.arange(cell.recipe.epochs)
    ceiling = CEILING[cell.dataset.partition("-")[0]]
    top = ceiling + 0.01 * draws.standard_normal() * (1 - ceiling)
    rise = 1 - np.exp(-(epoch + 1) / 4)
    jitter = draws.standard_normal(epoch.size) * 0.02 * np.where(epoch < epoch.size / 4, 1, 0.1)
    test = np.round(np.clip(top * rise + jitter, 0.05, 1) * IMAGES) / IMAGES
    train = np.clip(top * rise * 0.99 + jitter / 2, 0.05, 1)
    columns = {"seed": seed, "epoch": epoch, "learning_rate": cell.recipe.optimizer.lr}
    for part, accuracy in (("train", train), ("test", test)):
        loss = -np.log(accuracy)
        columns |= {f"{part}_loss": loss, f"{part}_loss_sum": 10 * loss, f"{part}_accuracy": accuracy}
    for average in ("weighted", "macro"):
        columns |= {f"test_precision_{average}": np.clip(test + 0.004, 0, 1)}
        columns |= {f"test_recall_{average}": test, f"test_f1_{average}": np.clip(test - 0.001, 0, 1)}
    return pd.DataFrame(columns)


def write_split(home: Path, dataset: str) -> None:
    """Write a split's composition table and sample sheet under ``home``/results/splits."""
    folder = Layout(home).composition(dataset)
    parts = (("train", 100), ("test", 20))
    rows = [f"{part},{label},{label},{n},{n},0,{n}" for part, n in parts for label in range(10)]
    write_text(folder / "composition.csv", "\n".join(["part,label,class,images,clean,noisy,official", *rows, ""]))
    Image.fromarray(numpy_stream("sheet").integers(0, 255, (80, 320), np.uint8)).save(folder / "samples.png")
