"""The two architectures of "A Study on Image Classification using RecurNets" (Chowdhury).

Layer sizes follow the authors' public code, which the report's sections 4.3.1 and 4.3.2 describe in words. Images are
float32, shape (N, channels, 32, 32), normalised; outputs are logits, shape (N, classes).

``depth`` is the report's word; a recurrent block runs ``depth - 3`` times with the same weights (depth 4: one pass).
``width`` scales every channel count (1.0 in the paper), for reduced runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from models.layers.normalisation import BatchNorm2d
from models.registry import register


def _iterations(depth: int) -> int:
    if depth < 4:
        raise ValueError(f"depth is {depth}, but the shallowest network has depth 4 (one pass of the recurrent block)")
    return depth - 3


def _scaled(channels: int, width: float) -> int:
    return max(1, round(channels * width))


@register("recurnet1")
class RecurNet1(nn.Module):
    """Experiment 1, one recurrent block (section 4.3.1): 135,754 parameters on colour images, 135,178 on grey ones.

    The authors' code applies the head to every iterate, though only the last one is used. In training this updates the
    running statistics of the head's batch normalisation once per iterate, so that at test time they are a mixture over
    iterates that the last iterate does not follow. ``head_every_iterate=True`` reproduces that; False is the clean
    ablation. The earlier iterates' outputs are never used, so only the part of the head up to the normalisation is
    computed for them, and without gradients; in evaluation mode it changes nothing and is left out.
    """

    def __init__(
        self,
        in_channels: int,
        classes: int,
        *,
        depth: int = 4,
        width: float = 1.0,
        head_every_iterate: bool = True,
    ) -> None:
        super().__init__()
        small, middle, large = (_scaled(channels, width) for channels in (32, 64, 128))
        self.iterations = _iterations(depth)
        self.head_every_iterate = head_every_iterate
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, small, 3),
            nn.ReLU(),
            BatchNorm2d(small),
            nn.Dropout(0.2),
            nn.Conv2d(small, middle, 3),
            nn.ReLU(),
            BatchNorm2d(middle),
        )
        self.recurrent = nn.Sequential(nn.Conv2d(middle, middle, 3, padding=1), nn.ReLU())
        self.features = nn.Sequential(
            nn.MaxPool2d(3),
            nn.Conv2d(middle, large, 3),
            nn.ReLU(),
            nn.MaxPool2d(3),
            BatchNorm2d(large),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(0.5), nn.Flatten(), nn.Dropout(0.5), nn.Linear(large * 2 * 2, classes)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the last iterate."""
        state = self.recurrent(self.stem(images))
        for _ in range(self.iterations - 1):
            if self.training and self.head_every_iterate:
                with torch.no_grad():
                    self.features(state)
            state = self.recurrent(state)
        return self.readout(state)

    def states(self, images: Tensor, iterations: int) -> Iterator[Tensor]:
        """The stem's output and the state after each of ``iterations`` passes of the block."""
        yield from _states(self.stem(images), self.recurrent, iterations)

    def readout(self, state: Tensor) -> Tensor:
        """Logits of a state."""
        logits: Tensor = self.classifier(self.features(state))
        return logits


@register("recurnet2")
class RecurNet2(nn.Module):
    """Experiment 2, two recurrent blocks (section 4.3.2): 610,698 parameters on colour images, 610,122 on grey ones.

    The authors' code recomputes everything behind the first recurrent block on each of its iterates and uses the last.
    Nothing there keeps statistics, so computing it once, on the last iterate, is the same function with the same
    gradients at a third of the cost; that is what this does. The second block's output is never fed back in the code:
    ``second_block_iterations=1``. Figure 4.3 and the text claim otherwise: ``"depth"`` runs it as often as the first.
    """

    def __init__(
        self,
        in_channels: int,
        classes: int,
        *,
        depth: int = 4,
        width: float = 1.0,
        second_block_iterations: int | Literal["depth"] = 1,
    ) -> None:
        super().__init__()
        small, middle, large = (_scaled(channels, width) for channels in (32, 64, 128))
        self.iterations = _iterations(depth)
        self.second_iterations = self.iterations if second_block_iterations == "depth" else second_block_iterations
        if self.second_iterations < 1:
            raise ValueError(f"second_block_iterations is {second_block_iterations}, expected 'depth' or at least 1")
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, small, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(small, middle, 3, padding=1),
            nn.ReLU(),
        )
        self.recurrent = nn.Sequential(nn.Conv2d(middle, middle, 3, padding=1), nn.ReLU())
        # No activation between this convolution and its pooling [code].
        self.middle = nn.Sequential(nn.Conv2d(middle, large, 3, padding=1), nn.MaxPool2d(2))
        self.second_recurrent = nn.Sequential(nn.Conv2d(large, large, 5, padding=2), nn.ReLU())
        self.classifier = nn.Sequential(
            nn.MaxPool2d(3),
            nn.Conv2d(large, large, 2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(large * 2 * 2, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the last iterate."""
        for state in self.states(images, self.iterations):
            last = state
        return self.readout(last)

    def states(self, images: Tensor, iterations: int) -> Iterator[Tensor]:
        """The stem's output and the state after each of ``iterations`` passes of the first block."""
        yield from _states(self.stem(images), self.recurrent, iterations)

    def readout(self, state: Tensor) -> Tensor:
        """Logits of a state; the second block runs as often as in training."""
        state = self.middle(state)
        for _ in range(self.second_iterations):
            state = self.second_recurrent(state)
        logits: Tensor = self.classifier(state)
        return logits


def _states(state: Tensor, block: nn.Module, iterations: int) -> Iterator[Tensor]:
    yield state
    for _ in range(iterations):
        state = block(state)
        yield state
