"""Networks that apply a block again and again: accuracy and state after 1, 2, 3, ... iterations."""

from __future__ import annotations

import math

import torch
from torch import nn

from models.layers.iterated import Iterated, trace
from stages.learning.batches import Images, ordered_batches

ITERATIONS = 30  # at most, in iterations.csv
ITERATED = ("seed", "iterations", "accuracy", "state_change")


def iterations(seed: int, model: nn.Module, images: Images, batch_size: int) -> list[tuple[float | None, ...]]:
    """Rows of iterations.csv, columns :data:`ITERATED`; none for a model that does not apply a block again and again.

    ``state_change`` is None once the state has left the range of its numbers.
    """
    if not isinstance(model, Iterated):
        return []
    hits, changes = torch.zeros(ITERATIONS, dtype=torch.int64), torch.zeros(ITERATIONS, dtype=torch.float64)
    with torch.inference_mode():
        for batch in ordered_batches(images, batch_size):
            logits, moved = trace(model, batch.pixels, ITERATIONS)
            if not len(logits):  # recnet_flat without its recurrent layer
                return []
            hits += (logits.argmax(dim=2) == batch.labels).sum(dim=1).cpu()
            changes += moved.sum(dim=1).cpu()
    measured = zip((hits.double() / len(images)).tolist(), (changes / len(images)).tolist(), strict=True)
    return [
        (seed, number, accuracy, None if math.isnan(change) else change)
        for number, (accuracy, change) in enumerate(measured, start=1)
    ]
