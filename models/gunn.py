"""Gradually updated networks: the document's GUNN-15 in Keras, its simultaneous counterparts, the original GUNN-15.

"Implementing Gradually Updated Neural Networks for Large-Scale Image Recognition" (Radhakrishnan), sections 4 and 5,
and Qiao et al., "Gradually Updated Neural Networks for Large-Scale Image Recognition" (ICML 2018). Parameters:
gunn15_keras 772,686 with 3 classes (775,334 as Keras counts, running statistics included); gunn15 1,585,746 with 10.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.gradual import Gunn2d, SharedSunn2d, Sunn2d, matched_inner
from models.registry import register

LAYERS = ("gunn", "sunn_shared", "sunn", "sunn_matched")
HEADS = ("softmax3", "relu")


@register("gunn15_keras")
class Gunn15Keras(nn.Module):
    """The document's network (its figures 4 and 6), for images whose sides are multiples of 4.

    ``head``: softmax3 puts a softmax on every one of the three last layers, as the code does (that of the last is part
    of the loss); relu has rectifiers between them. ``layer``: gunn, or what stands in its place: sunn_shared, the same
    kernels applied to all groups at once; sunn, an ordinary bottleneck of full width; sunn_matched, one of as many
    parameters. ``group``: channels updated at a time; ``reverse``: the last first; ``width``: factor on all channels
    (rounded to groups).
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
        first, second, third = (max(1, round(width * count / group)) * group for count in (240, 300, 360))
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
    return nn.Sequential(convolution, nn.BatchNorm2d(out, eps=1e-3, momentum=0.01), nn.ReLU())


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


def keras_rows(model: Gunn15Keras) -> list[tuple[str, int]]:
    """Every layer that has parameters, and how many Keras counts: figure 6 of the document, in its order.

    Keras counts a batch normalisation's running mean and variance, two more per channel.
    """
    rows = []
    for block in (*model.features, model.fc1, model.fc2, model.fc3):
        for part in block if type(block) is nn.Sequential else (block,):
            kept = sum(value.numel() for name, value in part.named_buffers() if name.startswith("running"))
            if count := kept + sum(parameter.numel() for parameter in part.parameters()):
                rows.append((type(part).__name__, count))
    return rows


class Segment(nn.Module):
    """What replaces 12 of ``channels`` channels in the original: a bottleneck of all, a projection of all, and the old.

    No activation follows.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.bottleneck = nn.Sequential(
            nn.Conv2d(channels, 2 * size, 1, bias=False), nn.BatchNorm2d(2 * size), nn.ReLU(),
            nn.Conv2d(2 * size, 2 * size, 3, padding=1, bias=False), nn.BatchNorm2d(2 * size), nn.ReLU(),
            nn.Conv2d(2 * size, size, 1, bias=False), nn.BatchNorm2d(size),
        )  # fmt: skip
        self.projection = nn.Sequential(nn.Conv2d(channels, size, 1, bias=False), nn.BatchNorm2d(size))

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
            return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU())

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
