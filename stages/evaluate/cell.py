"""Evaluating a cell on its test set, seed by seed, from the weights alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.registry import build
from stages.cell import Cell, Compute
from stages.core.errors import StageError
from stages.core.files import atomic_folder, write_digests, write_json, write_text
from stages.core.layout import Layout
from stages.evaluate.calibration import RELIABILITY_COLUMNS, calibration
from stages.evaluate.iterating import iterations
from stages.evaluate.size import latency, size
from stages.learning.assemble import check_cell
from stages.learning.batches import Images, load_images
from stages.learning.device import choose_device, describe, keep_freed_memory
from stages.learning.inference import Measured, measure
from stages.learning.metrics import per_class, summary
from stages.learning.weights import load_weights
from stages.splits.format import SplitData, read_split


def run(cells: Sequence[Cell], compute: Compute, layout: Layout) -> None:
    """Evaluate every one of ``cells`` and write its outputs."""
    for cell in cells:
        evaluate_cell(cell, compute, layout)


def evaluate_cell(cell: Cell, compute: Compute, layout: Layout) -> None:
    """Evaluate every seed of ``cell`` and write its outputs."""
    check_cell(cell)
    split = read_split(layout.data(cell.dataset))
    device = choose_device(compute)
    keep_freed_memory()
    images = load_images(split.test, cell.transform, device, training=False, noise_seed=0)
    model = build(cell.architecture, split.test.channels, len(split.classes), cell.options).to(device)
    if compute.channels_last:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    scores, predicted = [], {"true": images.labels.cpu().numpy()}
    tables: dict[str, list[pd.DataFrame]] = {"per_class": [], "confusion": [], "calibration": [], "iterations": []}
    with atomic_folder(layout.predictions(cell)) as predictions:
        for seed in cell.recipe.seeds:
            _load(model, load_weights(layout.weights(cell), seed), layout.weights(cell))
            measured = measure(model, images, cell.recipe.test_batch_size)
            scores.append(_scores(seed, measured, images))
            tables["per_class"].append(_per_class(seed, split, measured.confusion))
            tables["confusion"].append(_long(seed, measured.confusion))
            tables["calibration"].append(_reliability(seed, measured.logits, images))
            tables["iterations"].append(iterations(seed, model, images, cell.recipe.test_batch_size))
            predicted[f"seed-{seed}"] = measured.logits.argmax(dim=1).numpy()
            write_text(predictions / f"seed-{seed}.csv", _predictions(measured.logits, images.labels.cpu()))
        write_digests(predictions / "predictions.json", predictions.glob("*.csv"))
    results = layout.evaluation(cell)
    about = {"key": cell.key, "classes": len(split.classes), **size(model, images)}
    write_json(results / "metrics.json", {**about, "seeds": scores})
    write_json(results / "latency.json", {"milliseconds": latency(model, images), **describe(device)})
    for name, parts in {**tables, "predicted": [pd.DataFrame(predicted)]}.items():
        write_text(results / f"{name}.csv", pd.concat(parts).to_csv(index=False, lineterminator="\n"))


def _scores(seed: int, measured: Measured, images: Images) -> dict[str, float]:
    trust = calibration(measured.logits, images.labels.cpu())
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


def _reliability(seed: int, logits: Tensor, images: Images) -> pd.DataFrame:
    rows = calibration(logits, images.labels.cpu()).reliability
    return pd.DataFrame([(seed, *row) for row in rows], columns=["seed", *RELIABILITY_COLUMNS])


def _load(model: nn.Module, weights: dict[str, Tensor], folder: Path) -> None:
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise StageError(
            f"the weights in {folder} are not of this architecture ({str(error).splitlines()[-1].strip()}); "
            "run `dvc repro` to train the cell again."
        ) from None


def _per_class(seed: int, split: SplitData, confusion: NDArray[np.int64]) -> pd.DataFrame:
    columns: dict[str, Any] = {"seed": seed, "label": range(len(split.classes)), "class": split.classes}
    return pd.DataFrame({**columns, "support": confusion.sum(axis=1), **per_class(confusion)})


def _long(seed: int, confusion: NDArray[np.int64]) -> pd.DataFrame:
    def rows() -> Iterator[tuple[int, int, int, int]]:
        for (true, predicted), count in np.ndenumerate(confusion):
            yield seed, true, predicted, int(count)

    return pd.DataFrame(rows(), columns=["seed", "true", "predicted", "count"])


def _predictions(logits: Tensor, labels: Tensor) -> str:
    probability, predicted = logits.softmax(dim=1).max(dim=1)
    table = pd.DataFrame({"true": labels.numpy(), "predicted": predicted.numpy(), "probability": probability.numpy()})
    return table.to_csv(index_label="index", lineterminator="\n")
