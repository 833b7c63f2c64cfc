"""The networks of "Combining Convolutional and Recurrent Neural Networks for Efficient Image Classification".

The document (Johnson et al.) describes them in a few words; what is chosen here stands in papers/cnn-gru/paper.yaml.
Parameters for CIFAR-10: cnn 2,197,706; rnn 274,442 (Elman cell 93,194); lrcn 1,675,210; tsn and cnn_pool 1,148,874;
cnn_gru 1,543,626, of four rows 2,133,450.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from models.layers.normalisation import BatchNorm2d
from models.layers.stepwise import states
from models.registry import register

CHANNELS = (64, 128, 256, 512, 512)
CELLS = {"gru": nn.GRU, "elman": nn.RNN}
READINGS = ("raster", "rows", "shuffled")


class Trunk(nn.Sequential):
    """``stages`` of ``layers / stages`` times (convolution 3x3, batch normalisation, ReLU) and a max pool by 2.

    Channels are the first of 64, 128, 256, 512, 512, times ``width``. Raises ValueError unless ``layers`` is a multiple
    of ``stages``.
    """

    def __init__(self, in_channels: int, layers: int, width: float, stages: int) -> None:
        if layers < 1 or layers % stages:
            raise ValueError(f"layers is {layers}: expected a multiple of {stages}, the number of pooled stages")
        channels = [in_channels, *(max(1, round(width * count)) for count in CHANNELS[:stages])]
        parts: list[nn.Module] = []
        for before, out in pairwise(channels):
            for number in range(layers // stages):
                convolution = nn.Conv2d(out if number else before, out, 3, padding=1, bias=False)
                parts += [convolution, BatchNorm2d(out), nn.ReLU()]
            parts.append(nn.MaxPool2d(2))
        super().__init__(*parts)
        self.channels = channels[-1]


@register("cnn")
class Cnn(nn.Module):
    """The trunk, flattened, a hidden layer of ``hidden`` units, dropout 0.5; images of ``side`` x ``side`` pixels."""

    def __init__(
        self, in_channels: int, classes: int, *, layers: int = 6, hidden: int = 256, width: float = 1.0,
        stages: int = 3, side: int = 32,
    ) -> None:  # fmt: skip
        super().__init__()
        self.trunk = Trunk(in_channels, layers, width, stages)
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(self.trunk.channels * (side >> stages) ** 2, hidden), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(hidden, classes),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, side, side)."""
        logits: Tensor = self.head(self.trunk(images))
        return logits


@register("rnn")
class Rnn(nn.Module):
    """An image read row by row, channels * ``side`` values each.

    ``cell``: gru, or elman, the document's equation 1 with tanh (torch's cell has two bias vectors where it has one).
    """

    def __init__(self, in_channels: int, classes: int, *, cell: str = "gru", hidden: int = 256, side: int = 32) -> None:
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f"cell is '{cell}': expected one of {', '.join(CELLS)}")
        self.recurrent = CELLS[cell](in_channels * side, hidden, batch_first=True)
        self.head = nn.Linear(hidden, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, height, side)."""
        rows = images.permute(0, 2, 3, 1).flatten(2)
        logits: Tensor = self.head(states(self.recurrent, rows)[:, -1])
        return logits


def crops(images: Tensor, tops: Tensor, lefts: Tensor, side: int) -> Tensor:
    """One square per image, its corner at ``tops``, ``lefts``, both (N,): (N, channels, side, side)."""
    along = torch.arange(side, device=images.device)
    number = torch.arange(len(images), device=images.device)
    rows, columns = tops[:, None] + along, lefts[:, None] + along
    return images.permute(0, 2, 3, 1)[number[:, None, None], rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def frames(trunk: Trunk, crops: list[Tensor]) -> Tensor:
    """The trunk's average-pooled features of crops of the same images: (N, crops, channels)."""
    features = trunk(torch.cat(crops)).mean(dim=(2, 3))
    return features.unflatten(0, (len(crops), -1)).transpose(0, 1)


@register("lrcn")
class Lrcn(nn.Module):
    """The document's reference [13], Donahue et al. (2015), for a single image: crops of it stand for the frames.

    Four corners and the centre, each three quarters of the side; trunk, average pool, LSTM of ``hidden`` units, and a
    decision at every step.
    """

    def __init__(
        self, in_channels: int, classes: int, *, layers: int = 6, hidden: int = 256, width: float = 1.0, stages: int = 3
    ) -> None:
        super().__init__()
        self.trunk = Trunk(in_channels, layers, width, stages)
        self.recurrent = nn.LSTM(self.trunk.channels, hidden, batch_first=True)
        self.head = nn.Linear(hidden, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, 5, classes), one decision per crop, of images (N, channels, side, side)."""
        room = images.shape[2] // 4
        side = images.shape[2] - room
        corners = [(0, 0), (0, room), (room, 0), (room, room), (room // 2, room // 2)]
        cut = [images[:, :, top : top + side, left : left + side] for top, left in corners]
        logits: Tensor = self.head(states(self.recurrent, frames(self.trunk, cut)))
        return logits


@register("tsn")
class Tsn(nn.Module):
    """The document's reference [14], Wang et al. (2016), for a single image: three crops stand for the snippets.

    The positions of a square of three quarters of the side are cut into an upper, a middle and a lower third, with one
    crop of each: drawn at random in training, the middle one in evaluation. Trunk, average pool, dropout 0.5, one
    linear layer, the mean of the three.
    """

    def __init__(self, in_channels: int, classes: int, *, layers: int = 6, width: float = 1.0, stages: int = 3) -> None:
        super().__init__()
        self.trunk = Trunk(in_channels, layers, width, stages)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(self.trunk.channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, side, side)."""
        room = images.shape[2] // 4
        cut = [self._crop(images, room, segment) for segment in range(3)]
        logits: Tensor = self.head(self.dropout(frames(self.trunk, cut))).mean(dim=1)
        return logits

    def _crop(self, images: Tensor, room: int, segment: int) -> Tensor:
        first, after = (room + 1) * segment // 3, (room + 1) * (segment + 1) // 3
        after = max(after, first + 1)  # an image with less than three positions has the same for several thirds
        side = images.shape[2] - room
        if self.training:
            tops = torch.randint(first, after, (len(images),), device=images.device)
            lefts = torch.randint(0, room + 1, (len(images),), device=images.device)
        else:
            tops = images.new_full((len(images),), (first + after - 1) // 2, dtype=torch.int64)
            lefts = images.new_full((len(images),), room // 2, dtype=torch.int64)
        return crops(images, tops, lefts, side)


@register("cnn_gru")
class CnnGru(nn.Module):
    """The proposed network: the trunk's map as a sequence, a GRU of ``hidden`` units, its last state, dropout 0.5.

    ``reading``: raster takes the map's cells row by row; rows takes whole rows of ``side >> stages`` cells; shuffled
    takes the cells in an order drawn anew at every training step (raster in evaluation), which a network that uses
    their order cannot stand.
    """

    def __init__(
        self, in_channels: int, classes: int, *, layers: int = 6, hidden: int = 256, width: float = 1.0,
        stages: int = 3, reading: str = "raster", side: int = 32,
    ) -> None:  # fmt: skip
        super().__init__()
        if reading not in READINGS:
            raise ValueError(f"reading is '{reading}': expected one of {', '.join(READINGS)}")
        self.reading = reading
        self.trunk = Trunk(in_channels, layers, width, stages)
        cells = side >> stages if reading == "rows" else 1
        self.recurrent = nn.GRU(self.trunk.channels * cells, hidden, batch_first=True)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(hidden, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, height, width); of width ``side`` where rows are read."""
        cells = self.trunk(images).permute(0, 2, 3, 1)
        sequence = cells.flatten(2) if self.reading == "rows" else cells.flatten(1, 2)
        if self.reading == "shuffled" and self.training:
            order = torch.rand(sequence.shape[:2], device=sequence.device).argsort(dim=1)
            sequence = sequence.gather(1, order[:, :, None].expand_as(sequence))
        logits: Tensor = self.head(self.dropout(states(self.recurrent, sequence)[:, -1]))
        return logits


@register("cnn_pool")
class CnnPool(nn.Module):
    """The proposed network without its recurrence: trunk, average pool, dropout 0.5, one linear layer."""

    def __init__(self, in_channels: int, classes: int, *, layers: int = 6, width: float = 1.0, stages: int = 3) -> None:
        super().__init__()
        self.trunk = Trunk(in_channels, layers, width, stages)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(self.trunk.channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, height, width)."""
        logits: Tensor = self.head(self.dropout(self.trunk(images).mean(dim=(2, 3))))
        return logits
