"""The networks of "Recurrent Networks in Residual Networks" (Thukral, Sharma, Srinivasan).

The document leaves most of its architectures open; what it says and what is chosen here stands in
papers/recnet/paper.yaml. Parameters with 10 classes: mnist_cnn 30,080; for colour images and 16 channels resnet 5,306
with 1 block and 38,010 with 8, recnet 9,978 (10,362 with a normalisation per iteration), recnet_flat 154,138 (15,386
without its recurrent layer); resnet18 11,173,962.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from models.layers.normalisation import BatchNorm2d
from models.registry import register


def _conv(channels: int, out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, stride, padding=1, bias=False)


def _stem(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(_conv(channels, out), BatchNorm2d(out), nn.ReLU())


class ResidualBlock(nn.Module):
    """relu(x + f(x)), f = convolution, norm, ReLU, convolution, norm; the document's figure 1.

    A projection (1x1 convolution and norm) takes the place of x where stride or channels change.
    """

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.first, self.first_norm = _conv(channels, out, stride), BatchNorm2d(out)
        self.second, self.second_norm = _conv(out, out), BatchNorm2d(out)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != out:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) to (N, out, height / stride, width / stride)."""
        inner = self.first_norm(self.first(x)).relu()
        return (self.shortcut(x) + self.second_norm(self.second(inner))).relu()


class RecurrentBlock(nn.Module):
    """A residual block that is applied again and again, with the same convolutions.

    ``own_norms``: every iteration up to ``iterations`` has a batch normalisation of its own; any further iteration uses
    the last one's.
    """

    def __init__(self, channels: int, iterations: int, own_norms: bool) -> None:
        super().__init__()
        self.first, self.second = _conv(channels, channels), _conv(channels, channels)
        norms = iterations if own_norms else 1
        self.first_norms = nn.ModuleList(BatchNorm2d(channels) for _ in range(norms))
        self.second_norms = nn.ModuleList(BatchNorm2d(channels) for _ in range(norms))

    def states(self, x: Tensor, iterations: int) -> Iterator[Tensor]:
        """The state after each of ``iterations`` applications, starting from ``x``, all of its shape."""
        for number in range(iterations):
            norm = min(number, len(self.first_norms) - 1)
            inner = self.first_norms[norm](self.first(x)).relu()
            x = (x + self.second_norms[norm](self.second(inner))).relu()
            yield x


@register("mnist_cnn")
class MnistCnn(nn.Module):
    """The convolutional network of section 3.11; ``activation``: relu, as the text calls it, or softplus, as it prints.

    Images of ``side`` x ``side`` pixels, 8 or more. Raises ValueError for another activation or a smaller side.
    """

    def __init__(self, in_channels: int, classes: int, *, activation: str = "relu", side: int = 28) -> None:
        super().__init__()
        if activation not in ("relu", "softplus"):
            raise ValueError(f"activation is '{activation}': expected relu or softplus")
        if side < 8:
            raise ValueError(f"side is {side}: mnist_cnn needs images of 8 pixels or more")
        last = (side + 1) // 2 // 2 // 2
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 20, 5, stride=2, padding=2),
            nn.MaxPool2d(2),
            nn.Conv2d(20, 50, 5, padding=2),
            nn.MaxPool2d(2),
            nn.ReLU() if activation == "relu" else nn.Softplus(),
        )
        self.head = nn.Linear(50 * last * last, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, side, side)."""
        logits: Tensor = self.head(self.features(images).flatten(1))
        return logits


@register("resnet")
class ResNet(nn.Module):
    """Stem, ``blocks`` residual blocks of ``channels``, global average pool, one linear layer; images of any size."""

    def __init__(self, in_channels: int, classes: int, *, blocks: int = 1, channels: int = 16) -> None:
        super().__init__()
        self.stem = _stem(in_channels, channels)
        self.blocks = nn.Sequential(*(ResidualBlock(channels, channels) for _ in range(blocks)))
        self.head = nn.Linear(channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, height, width)."""
        logits: Tensor = self.head(self.blocks(self.stem(images)).mean(dim=(2, 3)))
        return logits


@register("recnet")
class RecNet(nn.Module):
    """Stem, a residual block, then a second one applied ``iterations`` times with the same weights (section 5)."""

    def __init__(
        self, in_channels: int, classes: int, *, iterations: int = 7, channels: int = 16, own_norms: bool = False
    ) -> None:
        super().__init__()
        self.iterations = iterations
        self.stem = _stem(in_channels, channels)
        self.block = ResidualBlock(channels, channels)
        self.recurrent = RecurrentBlock(channels, iterations, own_norms)
        self.head = nn.Linear(channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, height, width)."""
        for state in self.states(images, self.iterations):
            last = state
        return self.readout(last)

    def states(self, images: Tensor, iterations: int) -> Iterator[Tensor]:
        """The state before the first iteration and after each of ``iterations``, all of one shape."""
        x = self.block(self.stem(images))
        yield x
        yield from self.recurrent.states(x, iterations)

    def readout(self, state: Tensor) -> Tensor:
        """Logits of a state."""
        logits: Tensor = self.head(state.mean(dim=(2, 3)))
        return logits


@register("recnet_flat")
class FlatRecNet(nn.Module):
    """Section 5 to the letter: "feeding flattened input to an RNN block".

    Stem, a residual block, average pool by 4, flattened; the same vector at each of ``iterations`` steps of a tanh
    recurrent layer of ``hidden`` units, dropout 0.5, one linear layer. With 0 iterations the vector goes to the linear
    layer. Images of ``side`` x ``side`` pixels, a multiple of 4.
    """

    def __init__(
        self,
        in_channels: int,
        classes: int,
        *,
        iterations: int = 7,
        channels: int = 16,
        hidden: int = 128,
        side: int = 32,
    ) -> None:
        super().__init__()
        if side % 4:
            raise ValueError(f"side is {side}: recnet_flat needs a multiple of 4 pixels")
        features = channels * (side // 4) ** 2
        self.iterations = iterations
        self.features = nn.Sequential(
            _stem(in_channels, channels), ResidualBlock(channels, channels), nn.AvgPool2d(4), nn.Flatten()
        )
        self.recurrent = nn.RNN(features, hidden, batch_first=True) if iterations else None
        self.dropout = nn.Dropout(0.5 if iterations else 0.0)
        self.head = nn.Linear(hidden if iterations else features, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, side, side)."""
        features = self.features(images)
        if self.recurrent is not None:
            features = self.recurrent(features[:, None].expand(-1, self.iterations, -1))[0][:, -1]
        return self.readout(features)

    def states(self, images: Tensor, iterations: int) -> Iterator[Tensor]:
        """Zeros and the state after each of ``iterations`` steps; without a recurrent layer the features alone."""
        features = self.features(images)
        if self.recurrent is None:
            yield features
            return
        steps: Tensor = self.recurrent(features[:, None].expand(-1, iterations, -1))[0]
        yield torch.zeros_like(steps[:, 0])
        yield from steps.unbind(dim=1)

    def readout(self, state: Tensor) -> Tensor:
        """Logits of a state."""
        logits: Tensor = self.head(self.dropout(state))
        return logits


@register("resnet18")
class ResNet18(nn.Module):
    """The 18 layers of He et al. (2015) for small images: 3x3 stem without pooling, four stages of two blocks each.

    ``width``: factor on the 64, 128, 256, 512 channels.
    """

    def __init__(self, in_channels: int, classes: int, *, width: float = 1.0) -> None:
        super().__init__()
        channels: Sequence[int] = [round(width * count) for count in (64, 64, 128, 256, 512)]
        stages = ((*pair, stride) for pair, stride in zip(pairwise(channels), (1, 2, 2, 2), strict=True))
        self.stem = _stem(in_channels, channels[0])
        self.stages = nn.Sequential(
            *(
                nn.Sequential(ResidualBlock(before, out, stride), ResidualBlock(out, out))
                for before, out, stride in stages
            )
        )
        self.head = nn.Linear(channels[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, height, width)."""
        logits: Tensor = self.head(self.stages(self.stem(images)).mean(dim=(2, 3)))
        return logits
