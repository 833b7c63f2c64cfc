"""Evaluating a cell on its test set, seed by seed, from what training left."""

from __future__ import annotations

from typing import Any

import torch

from stages.cell import Cell, Compute
from stages.core.files import atomic_folder, write_json
from stages.core.layout import Layout
from stages.core.tables import write_csv
from stages.evaluate.calibration import RELIABILITY_COLUMNS, Calibration, calibration
from stages.evaluate.iterating import ITERATED, iterations
from stages.evaluate.size import latency, size
from stages.learning.assemble import builder, check_cell, set_weights, test_images
from stages.learning.batches import Images
from stages.learning.device import choose_device, describe, keep_freed_memory
from stages.learning.inference import Measured, measure
from stages.learning.metrics import summary
from stages.learning.weights import load_weights
from stages.splits.format import read_split


def evaluate_cell(cell: Cell, compute: Compute, layout: Layout) -> None:
    """Evaluate every seed of ``cell`` and write its outputs."""
    check_cell(cell)
    split, device, folder = read_split(layout.data(cell.dataset)), choose_device(compute), layout.training(cell)
    keep_freed_memory()
    images = test_images(cell, split, device)
    model = builder(cell, split)().to(device)
    if compute.channels_last:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    found = Evaluation(images)
    for seed in cell.recipe.seeds:
        set_weights(model, load_weights(folder, seed), folder)
        found.add(seed, measure(model, images, cell.recipe.test_batch_size))
        found.iterations += iterations(seed, model, images, cell.recipe.test_batch_size)
    about = {"key": cell.key, "classes": len(split.classes), **size(model, images)}
    write_outputs(layout, cell, about, found)
    with atomic_folder(layout.evaluation_clock(cell)) as clock:
        write_json(clock / "latency.json", {"milliseconds": latency(model, images), **describe(device)})


class Evaluation:
    """What has been measured of the seeds so far."""

    def __init__(self, images: Images) -> None:
        self.labels = images.labels.cpu()
        self.scores: list[dict[str, float]] = []
        self.predicted = {"true": self.labels.tolist()}
        self.reliability: list[tuple[float, ...]] = []
        self.iterations: list[tuple[float | None, ...]] = []

    def add(self, seed: int, measured: Measured) -> None:
        """Score what a seed's network gives."""
        trust = calibration(measured.logits, self.labels)
        self.scores.append(_scores(seed, measured, trust))
        self.predicted[f"seed-{seed}"] = measured.logits.argmax(dim=1).tolist()
        self.reliability += [(seed, *row) for row in trust.reliability]


def _scores(seed: int, measured: Measured, trust: Calibration) -> dict[str, float]:
    return {
        "seed": seed,
        "loss": measured.loss,
        "loss_sum": measured.loss_sum,
        **summary(measured.confusion),
        "nll": trust.nll,
        "nll_error": trust.nll_error,
        "brier": trust.brier,
        "ece": trust.ece,
    }


def write_outputs(layout: Layout, cell: Cell, about: dict[str, Any], found: Evaluation) -> None:
    """Write the folder of a cell's evaluation, whole or not at all."""
    columns, reliability = list(found.predicted), ("seed", *RELIABILITY_COLUMNS)
    with atomic_folder(layout.evaluation(cell)) as folder:
        write_json(folder / "metrics.json", {**about, "seeds": found.scores})
        predicted = zip(*found.predicted.values(), strict=True)
        write_csv(folder / "predicted.csv", (dict(zip(columns, row, strict=True)) for row in predicted), columns)
        trust = (dict(zip(reliability, row, strict=True)) for row in found.reliability)
        write_csv(folder / "calibration.csv", trust, reliability)
        if found.iterations:
            iterated = (dict(zip(ITERATED, row, strict=True)) for row in found.iterations)
            write_csv(folder / "iterations.csv", iterated, ITERATED)
