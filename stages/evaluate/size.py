"""What a network takes: parameters, multiply-accumulates, time for one image."""

from __future__ import annotations

import statistics
import time
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from stages.learning.batches import Images, ordered_batches

LATENCY_CALLS = 20


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


def size(model: nn.Module, images: Images) -> dict[str, int]:
    """What metrics.json says of a network's size, for images such as these."""
    image = torch.zeros(1, len(images.mean), *images.side)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "macs": macs(model, image, training=False),
        "training_macs": macs(model, image, training=True),
        "test_images": len(images),
    }
