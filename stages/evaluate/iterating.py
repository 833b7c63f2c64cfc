"""Networks that apply a block again and again: accuracy and state after 1, 2, 3, ... iterations."""

from __future__ import annotations

import pandas as pd
import torch
from torch import nn

from models.layers.iterated import Iterated, trace
from stages.learning.batches import Images, ordered_batches

ITERATIONS = 30  # at most, in iterations.csv
ITERATED = ("seed", "iterations", "accuracy", "state_change")


def iterations(seed: int, model: nn.Module, images: Images, batch_size: int) -> pd.DataFrame:
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
