"""The document's GUNN-15 in Keras, its gradually updated layer, and the simultaneous layers that it is compared with.

"Implementing Gradually Updated Neural Networks for Large-Scale Image Recognition" (Radhakrishnan), after Qiao et al.
(2018). 772,686 parameters with 3 classes, 775,334 as Keras counts, which adds running statistics.

Gunn2D (section 3.1) updates its channels group after group, each group seeing the new values of those before it. One
set of kernels serves all groups: W1 (1x1, n to K), W2 (3x3, n to K), W3 (1x1, n to 1).

1. Every group of K channels in turn becomes W1 * A + b1, A being all channels, those of earlier groups already new.
   ReLU after the whole sweep. 2. The same with W2. 3. Every channel in turn becomes W3 * A + b3. 4. Plus the input.

Written as loops this keeps n copies of the map. Both kinds of sweep are linear, so they have an exact shorter form:
while a sweep runs, z = W * A + b changes by W_g * (new - old) when group g does, W_g being the part of the kernel that
reads it; and the last sweep is one product with M = (I - L)^-1 U, where L has w_j below the diagonal and U on and above
it. benchmarks/gradual.py has the loops, for comparison.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.layers.normalisation import BatchNorm2d
from models.registry import register

LAYERS = ("gunn", "sunn_shared", "sunn", "sunn_matched")
HEADS = ("softmax3", "relu")


class Gunn2d(nn.Module):
    """The layer for ``channels`` = n, ``group`` = K of them at a time (0: all): 201 n + 41 parameters with K = 20.

    ``reverse``: the last group first. Kernels and biases are drawn from N(0, 0.05^2). Maps of any size. Raises
    ValueError if ``group`` does not divide ``channels``.
    """

    def __init__(self, channels: int, group: int = 20, *, reverse: bool = False) -> None:
        super().__init__()
        group = group or channels
        if channels % group:
            raise ValueError(f"{channels} channels cannot be updated {group} at a time: not a multiple")
        self.group, self.reverse = group, reverse
        self.point = nn.Conv2d(channels, group, 1)
        self.window = nn.Conv2d(channels, group, 3, padding=1)
        self.single = nn.Conv2d(channels, 1, 1)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.05)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) to the same shape."""
        a = x.flip(1) if self.reverse else x
        for layer in (self.point, self.window):
            a = sweep(layer, a).relu()
        matrix, bias = one_by_one(self.single.weight.flatten(), self.single.bias)
        a = F.conv2d(a, matrix[:, :, None, None], bias)
        return x + (a.flip(1) if self.reverse else a)


def sweep(layer: nn.Conv2d, a: Tensor) -> Tensor:
    """All groups of ``a`` replaced one after another by ``layer`` of the current state; shape of ``a``."""
    group, padding = layer.out_channels, layer.padding
    z, new = layer(a), []
    # Pieces of one split: their gradients come together at once, and not each in a whole map of zeros.
    for old, kernel in zip(a.split(group, dim=1), layer.weight.split(group, dim=1), strict=True):
        new.append(z)
        if len(new) * group < a.shape[1]:
            z = z + F.conv2d(z - old, kernel, padding=padding)
    return torch.cat(new, dim=1)


def one_by_one(weights: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """Matrix (n, n) and bias (n,) of the sweep that replaces channel after channel by ``weights`` . a + ``bias``."""
    assert bias is not None
    rows = weights.expand(len(weights), -1)
    lower = torch.eye(len(weights), dtype=weights.dtype, device=weights.device) - rows.tril(-1)
    right = torch.cat([rows.triu(), bias.expand(len(weights), 1)], dim=1)
    solved = torch.linalg.solve_triangular(lower, right, upper=False, unitriangular=True)
    return solved[:, :-1], solved[:, -1]


class SharedSunn2d(Gunn2d):
    """The same kernels, all groups replaced at once: what is left of Gunn2D without the order; same parameters."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) to the same shape."""
        groups, a = x.shape[1] // self.group, x
        for layer in (self.point, self.window):
            a = layer(a).relu().repeat(1, groups, 1, 1)
        return x + self.single(a)


class Sunn2d(nn.Sequential):
    """An ordinary bottleneck 1x1, 3x3, 1x1 of ``inner`` channels with the input added."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__(
            nn.Conv2d(channels, inner, 1), nn.ReLU(), nn.Conv2d(inner, inner, 3, padding=1), nn.ReLU(),
            nn.Conv2d(inner, channels, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) to the same shape."""
        added: Tensor = super().forward(x)
        return x + added


def matched_inner(channels: int, group: int) -> int:
    """The widest bottleneck of :class:`Sunn2d` that has no more parameters than Gunn2D."""
    group = group or channels
    budget = channels * group + group + 9 * channels * group + group + channels + 1
    inner = 1
    while 2 * channels * (inner + 1) + 9 * (inner + 1) ** 2 + 2 * (inner + 1) + channels <= budget:
        inner += 1
    return inner


@register("gunn15_keras")
class Gunn15Keras(nn.Module):
    """The document's network (its figures 4 and 6), for images whose sides are multiples of 4.

    ``head``: softmax3 puts a softmax on every one of the three last layers, as the code does (that of the last is part
    of the loss); relu has rectifiers between them. ``layer``: gunn, or what stands in its place: sunn_shared, the same
    kernels applied to all groups at once; sunn, an ordinary bottleneck of full width; sunn_matched, one of as many
    parameters. ``group``: channels updated at a time, 0 for all; ``reverse``: the last first; ``width``: factor on all
    channels (rounded to groups).
    """

    def __init__(
        self, in_channels: int, classes: int, *, head: str = "softmax3", layer: str = "gunn", group: int = 20,
        reverse: bool = False, width: float = 1.0,
    ) -> None:  # fmt: skip
        super().__init__()
        for name, value, known in (("head", head, HEADS), ("layer", layer, LAYERS)):
            if value not in known:
                raise ValueError(f"{name} is '{value}': expected one of {', '.join(known)}")
        narrow = max(1, round(width * 64))
        unit = group or 1
        first, second, third = (max(1, round(width * count / unit)) * unit for count in (240, 300, 360))
        self.head_name = head
        self.features = nn.Sequential(
            _unit(in_channels, narrow, 3),
            _unit(narrow, first, 1),
            _gradual(first, layer, group, reverse),
            _unit(first, second, 1),
            nn.AvgPool2d(2),
            _gradual(second, layer, group, reverse),
            _unit(second, third, 1),
            nn.AvgPool2d(2),
            _gradual(third, layer, group, reverse),
            _unit(third, third, 1),
        )
        self.fc1, self.fc2, self.fc3 = nn.Linear(third, third), nn.Linear(third, third), nn.Linear(third, classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                _glorot(module)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, height, width)."""
        x = self.features(images).mean(dim=(2, 3))
        for layer in (self.fc1, self.fc2):
            x = layer(x)
            x = x.softmax(dim=1) if self.head_name == "softmax3" else x.relu()
        logits: Tensor = self.fc3(x)
        return logits


def _unit(channels: int, out: int, kernel: int) -> nn.Sequential:
    """Convolution with bias, batch normalisation with Keras's settings, ReLU."""
    convolution = nn.Conv2d(channels, out, kernel, padding=kernel // 2)
    _glorot(convolution)
    return nn.Sequential(convolution, BatchNorm2d(out, eps=1e-3, momentum=0.01), nn.ReLU())


def _glorot(layer: nn.Conv2d | nn.Linear) -> None:
    """Keras's initialisation."""
    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _gradual(channels: int, layer: str, group: int, reverse: bool) -> nn.Module:
    if layer == "gunn":
        return Gunn2d(channels, group, reverse=reverse)
    if layer == "sunn_shared":
        return SharedSunn2d(channels, group)
    return Sunn2d(channels, channels if layer == "sunn" else matched_inner(channels, group))
