"""The original GUNN-15: Qiao et al., "Gradually Updated Neural Networks for Large-Scale Image Recognition", ICML 2018.

1,585,746 parameters with 10 classes. Every segment of channels has kernels of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.layers.normalisation import BatchNorm2d
from models.registry import register


class Segment(nn.Module):
    """What replaces 12 of ``channels`` channels in the original: a bottleneck of all, a projection of all, and the old.

    No activation follows.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.bottleneck = nn.Sequential(
            nn.Conv2d(channels, 2 * size, 1, bias=False), BatchNorm2d(2 * size), nn.ReLU(),
            nn.Conv2d(2 * size, 2 * size, 3, padding=1, bias=False), BatchNorm2d(2 * size), nn.ReLU(),
            nn.Conv2d(2 * size, size, 1, bias=False), BatchNorm2d(size),
        )  # fmt: skip
        self.projection = nn.Sequential(nn.Conv2d(channels, size, 1, bias=False), BatchNorm2d(size))

    def forward(self, everything: Tensor, old: Tensor) -> Tensor:
        """New values (N, size, height, width) of the channels ``old``."""
        new: Tensor = self.bottleneck(everything) + self.projection(everything) + old
        return new


class GradualStage(nn.Module):
    """Segments of ``size`` channels replaced one after another, each seeing the new values of those before it."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.segments = nn.ModuleList(Segment(channels, size) for _ in range(channels // size))

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) to the same shape."""
        parts = list(x.split(self.size, dim=1))
        for index, segment in enumerate(self.segments):
            parts[index] = segment(torch.cat(parts, dim=1), parts[index])
        return torch.cat(parts, dim=1)


@register("gunn15")
class Gunn15(nn.Module):
    """The original GUNN-15 of Qiao et al. for small images: kernels of its own for every segment of 12 channels.

    ``width``: factor on the channels of all stages, rounded to whole segments. Images whose sides are multiples of 4.
    """

    def __init__(self, in_channels: int, classes: int, *, width: float = 1.0) -> None:
        super().__init__()
        size = 12
        first, second, third = (max(1, round(width * count / size)) * size for count in (240, 300, 360))
        narrow = max(1, round(width * 64))

        def unit(channels: int, out: int, kernel: int) -> nn.Sequential:
            convolution = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False)
            return nn.Sequential(convolution, BatchNorm2d(out), nn.ReLU())

        self.features = nn.Sequential(
            unit(in_channels, narrow, 3), unit(narrow, first, 1), GradualStage(first, size),
            unit(first, second, 1), nn.AvgPool2d(2), GradualStage(second, size),
            unit(second, third, 1), nn.AvgPool2d(2), GradualStage(third, size),
            unit(third, third, 1),
        )  # fmt: skip
        self.head = nn.Linear(third, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, height, width)."""
        logits: Tensor = self.head(self.features(images).mean(dim=(2, 3)))
        return logits
