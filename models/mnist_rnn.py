"""The recurrent networks of "AI3607 Deep Learning: Assignment 3" (Xue): an image read row by row.

One recurrent layer (torch's, with two bias vectors), its last hidden state, one linear layer. Parameters for MNIST:
elman 75,786 with 256 hidden units and 21,514 with 128; lstm 295,434 and 82,186. The document's text says 128; its code
and its numbers are of 256.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from models.layers.recurrence import elman_last_state, lstm_last_state
from models.layers.stepwise import states, transformed
from models.registry import register


class RowNetwork(nn.Module):
    """Images as ``height`` steps of channels * width values. ``width`` is that of the images, in pixels.

    Raises ValueError for images of another width.
    """

    recurrent: nn.RNNBase
    head: nn.Linear
    last_state: ClassVar[Callable[..., Tensor]]

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, height, width)."""
        rows = images.permute(0, 2, 3, 1).flatten(2)
        if rows.shape[2] != (expected := self.recurrent.input_size):
            raise ValueError(
                f"a row of the images has {rows.shape[2]} values, but the model's `width` makes {expected}"
            )
        logits: Tensor = self.head(self._state(rows))
        return logits

    def _state(self, rows: Tensor) -> Tensor:
        weights = self.recurrent.all_weights[0]
        # On a CPU, torch's layers are as fast as ours without gradients, and slower with them.
        ours = rows.device.type == "cpu" and torch.is_grad_enabled() and not rows.requires_grad
        if ours and not transformed(weights[0]):
            return type(self).last_state(rows, *weights)
        return states(self.recurrent, rows)[:, -1]


@register("elman")
class Elman(RowNetwork):
    """Elman network with tanh, section II.A."""

    last_state = staticmethod(elman_last_state)

    def __init__(self, in_channels: int, classes: int, *, width: int = 28, hidden: int = 256) -> None:
        super().__init__()
        self.recurrent = nn.RNN(in_channels * width, hidden, batch_first=True)
        self.head = nn.Linear(hidden, classes)


@register("lstm")
class Lstm(RowNetwork):
    """LSTM network, section II.B."""

    last_state = staticmethod(lstm_last_state)

    def __init__(self, in_channels: int, classes: int, *, width: int = 28, hidden: int = 256) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(in_channels * width, hidden, batch_first=True)
        self.head = nn.Linear(hidden, classes)
