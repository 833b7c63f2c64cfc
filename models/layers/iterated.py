"""What a network that applies one block again and again does when it is applied more often than in training.

A model takes part by having ``states`` and ``readout``.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class Iterated(Protocol):
    """A network whose state can be followed over its iterations."""

    def states(self, images: Tensor, iterations: int) -> Iterator[Tensor]:
        """The state before the first iteration and after each of ``iterations``, all of one shape (N, ...)."""
        ...

    def readout(self, state: Tensor) -> Tensor:
        """Logits (N, classes) of a state."""
        ...


def trace(model: Iterated, images: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Logits after 1..iterations iterations, and how far each one moved the state: |h' - h| / |h'|, 0 where h' is 0.

    Shapes (iterations, N, classes) and (iterations, N), the latter float64; nothing, as empty tensors, of a model that
    has no state to iterate.
    """
    logits, changes = [], []
    for before, after in pairwise(model.states(images, iterations)):
        # A state may grow by a factor at every iteration: its square would soon be too large for float32.
        size = after.flatten(1).double().norm(dim=1)
        moved = (after - before).flatten(1).double().norm(dim=1)
        changes.append(torch.where(size > 0, moved / size.clamp(min=torch.finfo(size.dtype).tiny), 0))
        logits.append(model.readout(after))
    if not logits:
        return images.new_zeros(0, len(images), 0), images.new_zeros(0, len(images))
    return torch.stack(logits), torch.stack(changes)
