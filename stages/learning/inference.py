"""What a model makes of a set of images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.learning.batches import Images, ordered_batches
from stages.learning.objectives import decided, importance_losses


@dataclass(frozen=True)
class Measured:
    """A model on a set of images, in evaluation.

    ``loss``: mean over the images of their cross-entropy times their importance. ``loss_sum``: sum over batches of a
    batch's mean, the scale of mnist-rnn. ``confusion``: int64, rows true, columns predicted. ``logits``: float32,
    (N, classes), on the CPU; of a model that decides at every step the logarithm of its mean softmax.
    """

    loss: float
    loss_sum: float
    confusion: NDArray[np.int64]
    logits: Tensor


def measure(model: nn.Module, images: Images, batch_size: int) -> Measured:
    """What the model makes of ``images``, in order, ``batch_size`` at a time."""
    model.eval()
    with torch.inference_mode():
        logits = torch.cat([decided(model(batch.pixels)) for batch in ordered_batches(images, batch_size)])
        losses = importance_losses(logits, images.labels, images.importance).double()
        loss_sum = torch.stack([batch.mean() for batch in losses.split(batch_size)]).sum()
        confusion = torch.zeros(1, logits.shape[1], logits.shape[1], dtype=torch.int64, device=logits.device)
        count_decisions(confusion, images.labels[None], logits.argmax(dim=1)[None])
    return Measured(losses.mean().item(), loss_sum.item(), confusion[0].cpu().numpy(), logits.cpu())


def count_decisions(confusion: Tensor, true: Tensor, predicted: Tensor) -> None:
    """Add decisions (seeds, B) to int64 matrices (seeds, classes, classes), without waiting for the device."""
    cells = true * confusion.shape[2] + predicted
    confusion.flatten(1).scatter_add_(1, cells, torch.ones_like(cells))
