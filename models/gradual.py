"""Gunn2D: a layer whose channels are updated group after group, each group seeing the new values of those before it.

From "Implementing Gradually Updated Neural Networks for Large-Scale Image Recognition" (Radhakrishnan), section 3.1,
after Qiao et al. (2018). One set of kernels serves all groups: W1 (1x1, n to K), W2 (3x3, n to K), W3 (1x1, n to 1).

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


class Gunn2d(nn.Module):
    """The layer for ``channels`` = n, ``group`` = K of them at a time: 201 n + 41 parameters with K = 20.

    ``reverse``: the last group first. Kernels and biases are drawn from N(0, 0.05^2). Maps of any size. Raises
    ValueError if ``group`` does not divide ``channels``.
    """

    def __init__(self, channels: int, group: int = 20, *, reverse: bool = False) -> None:
        super().__init__()
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
    for start in range(0, a.shape[1], group):
        new.append(z)
        if start + group < a.shape[1]:
            kernel = layer.weight[:, start : start + group]
            z = z + F.conv2d(z - a[:, start : start + group], kernel, padding=padding)
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
    budget = channels * group + group + 9 * channels * group + group + channels + 1
    inner = 1
    while 2 * channels * (inner + 1) + 9 * (inner + 1) ** 2 + 2 * (inner + 1) + channels <= budget:
        inner += 1
    return inner
