"""Evaluate one trained cell on its test set, from the weights alone.

    python -m stages.evaluate HOME KEY

writes runs/<key>/predictions/seed-<n>.csv (index, true, predicted, probability of the predicted class) with
predictions.json (the SHA-256 of each), and under results/runs/<key>/ metrics.json, per_class.csv, confusion.csv,
predicted.csv, calibration.csv, iterations.csv and latency.json. Of a study the files of its cells lie in
results/studies/<study>/evaluation/<cell>/.

predicted.csv has a row per test image: its label, and what every seed predicts; it stays in git, so that runs can be
compared image by image in any clone. iterations.csv is of networks that apply a block again and again: per seed and
number of iterations from 1 to 30, whatever it was in training, the accuracy, and how far the iteration moved the state,
relative to it, mean over the images (empty once the state has left the range of its numbers). MACs are torch's own
count for one image's forward pass: ``macs`` as needed for a prediction, ``training_macs`` as executed in training.
calibration.csv is the reliability diagram of every seed. latency.json is how long one image takes by itself, in
milliseconds, the median of repeated calls: it depends on the machine, as timing.csv does.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from models.iterated import Iterated, trace
from models.registry import build
from stages.arrays import SplitData, read_split
from stages.batches import Images, load_images, ordered_batches
from stages.calibration import RELIABILITY_COLUMNS, calibration
from stages.device import choose_device, describe, keep_freed_memory
from stages.errors import StageError, run_stage
from stages.files import atomic_folder, write_digests, write_json, write_text
from stages.inference import Measured, measure
from stages.layout import Layout
from stages.metrics import per_class, summary
from stages.params import Cell, Compute
from stages.train import cell_command, check_cell
from stages.weights import load_weights

ITERATIONS = 30  # at most, in iterations.csv
LATENCY_CALLS = 20
ITERATED = ("seed", "iterations", "accuracy", "state_change")


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
            tables["iterations"].append(_iterations(seed, model, images, cell.recipe.test_batch_size))
            predicted[f"seed-{seed}"] = measured.logits.argmax(dim=1).numpy()
            write_text(predictions / f"seed-{seed}.csv", _predictions(measured.logits, images.labels.cpu()))
        write_digests(predictions / "predictions.json", predictions.glob("*.csv"))
    results = layout.evaluation(cell)
    about = {"key": cell.key, "classes": len(split.classes), **_size(model, images)}
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


def macs(model: nn.Module, image: Tensor, *, training: bool) -> int:
    """Multiply-accumulate operations of a forward pass on ``image``, shape (1, channels, height, width).

    Convolutions and matrix products only, as torch counts them, on a copy of the model that holds shapes but no values.
    """
    # Two images, since batch normalisation cannot be trained on one value per channel.
    shapes, pair = deepcopy(model).to("meta").train(training), image.to("meta").expand(2, -1, -1, -1)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        shapes(pair)
    return counter.get_total_flops() // 4


def latency(model: nn.Module, images: Images) -> float:
    """Milliseconds for one image by itself, the median of :data:`LATENCY_CALLS` calls after two to warm up."""
    batch = next(iter(ordered_batches(images, 1))).pixels
    milliseconds = []
    model.eval()
    with torch.inference_mode():
        for _ in range(LATENCY_CALLS + 2):
            started = time.perf_counter()
            model(batch).sum().item()  # waits for a GPU
            milliseconds.append(1000 * (time.perf_counter() - started))
    return statistics.median(milliseconds[2:])


def _iterations(seed: int, model: nn.Module, images: Images, batch_size: int) -> pd.DataFrame:
    """Rows of iterations.csv; none for a model that does not apply a block again and again."""
    none = pd.DataFrame(columns=list(ITERATED))
    if not isinstance(model, Iterated):
        return none
    hits, changes = torch.zeros(ITERATIONS, dtype=torch.int64), torch.zeros(ITERATIONS, dtype=torch.float64)
    with torch.inference_mode():
        for batch in ordered_batches(images, batch_size):
            logits, moved = trace(model, batch.pixels, ITERATIONS)
            if not len(logits):  # recnet_flat without its recurrent layer
                return none
            hits += (logits.argmax(dim=2) == batch.labels).sum(dim=1).cpu()
            changes += moved.sum(dim=1).cpu()
    measured = zip((hits.double() / len(images)).tolist(), (changes / len(images)).tolist(), strict=True)
    return pd.DataFrame(
        [(seed, number, *values) for number, values in enumerate(measured, start=1)], columns=list(ITERATED)
    )


def _size(model: nn.Module, images: Images) -> dict[str, int]:
    image = torch.zeros(1, len(images.mean), *images.side)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "macs": macs(model, image, training=False),
        "training_macs": macs(model, image, training=True),
        "test_images": len(images),
    }


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


def main() -> None:
    """Command line."""
    cell_command(__doc__, run)


if __name__ == "__main__":
    run_stage(main)
