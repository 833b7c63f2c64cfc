"""Every network's forward pass, written out with torch's functions: an oracle for what models/ makes of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Weights:
    """The parameters of a network in the order of its layers, each used once."""

    def __init__(self, model: nn.Module) -> None:
        self.left: Iterator[Tensor] = iter(list(model.parameters()))

    def conv(self, x: Tensor, *, padding: int = 0, stride: int = 1, bias: bool = False) -> Tensor:
        return F.conv2d(x, next(self.left), next(self.left) if bias else None, stride, padding)

    def norm(self, x: Tensor, eps: float = 1e-5) -> Tensor:
        mean, variance = x.mean(dim=(0, 2, 3), keepdim=True), x.var(dim=(0, 2, 3), keepdim=True, unbiased=False)
        weight, bias = (next(self.left)[:, None, None] for _ in range(2))
        return (x - mean) / torch.sqrt(variance + eps) * weight + bias

    def linear(self, x: Tensor) -> Tensor:
        return x @ next(self.left).T + next(self.left)

    def block(self, x: Tensor, stride: int = 1, projected: bool = False) -> Tensor:
        """A residual block, figure 1 of recnet."""
        inner = self.norm(self.conv(x, padding=1, stride=stride)).relu()
        inner = self.norm(self.conv(inner, padding=1))
        return (inner + (self.norm(self.conv(x, stride=stride)) if projected else x)).relu()

    def trunk(self, x: Tensor, layers: int, stages: int) -> Tensor:
        for _ in range(stages):
            for _ in range(layers // stages):
                x = self.norm(self.conv(x, padding=1)).relu()
            x = F.max_pool2d(x, 2)
        return x

    def recurrent(self, steps: list[Tensor], step: Callable[..., tuple[Tensor, Tensor]]) -> list[Tensor]:
        w_ih, w_hh, b_ih, b_hh = (next(self.left) for _ in range(4))
        hidden = cell = steps[0].new_zeros(len(steps[0]), w_hh.shape[1])
        states = []
        for x in steps:
            hidden, cell = step(x @ w_ih.T + b_ih, hidden @ w_hh.T + b_hh, hidden, cell)
            states.append(hidden)
        return states


def elman(x: Tensor, h: Tensor, _hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    return torch.tanh(x + h), cell


def gru(x: Tensor, h: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    (x_r, x_z, x_n), (h_r, h_z, h_n) = x.chunk(3, 1), h.chunk(3, 1)
    z = torch.sigmoid(x_z + h_z)
    return (1 - z) * torch.tanh(x_n + torch.sigmoid(x_r + h_r) * h_n) + z * hidden, cell


def lstm(x: Tensor, h: Tensor, _hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    i, f, g, o = (x + h).chunk(4, 1)
    cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(cell), cell


def rows(x: Tensor) -> list[Tensor]:
    return [x[:, :, row].transpose(1, 2).flatten(1) for row in range(x.shape[2])]


def recurnet1(w: Weights, x: Tensor) -> Tensor:
    x = w.norm(w.conv(x, bias=True).relu())
    x = w.norm(w.conv(x, bias=True).relu())
    weight, bias = next(w.left), next(w.left)
    for _ in range(3):
        x = F.conv2d(x, weight, bias, padding=1).relu()
    x = w.conv(F.max_pool2d(x, 3), bias=True).relu()
    return w.linear(w.norm(F.max_pool2d(x, 3)).flatten(1))


def recurnet2(w: Weights, x: Tensor) -> Tensor:
    x = w.conv(w.conv(x, bias=True, padding=1).relu(), bias=True, padding=1).relu()
    weight, bias = next(w.left), next(w.left)
    for _ in range(3):
        x = F.conv2d(x, weight, bias, padding=1).relu()
    x = F.max_pool2d(w.conv(x, bias=True, padding=1), 2)
    x = F.max_pool2d(w.conv(x, bias=True, padding=2).relu(), 3)
    return w.linear(F.max_pool2d(w.conv(x, bias=True).relu(), 2).flatten(1))


def gunn_layer(w: Weights, x: Tensor, group: int) -> Tensor:
    """The document's Gunn2D, section 3.1: sweeps over groups, then over channels."""
    a = list(x.split(1, dim=1))
    for size, padding in ((group, 0), (group, 1), (1, 0)):
        weight, bias = next(w.left), next(w.left)
        for start in range(0, len(a), size):
            a[start : start + size] = F.conv2d(torch.cat(a, 1), weight, bias, padding=padding).split(1, dim=1)
        if size > 1:
            a = [each.relu() for each in a]
    return x + torch.cat(a, 1)


def gunn15_keras(w: Weights, x: Tensor) -> Tensor:
    def unit(x: Tensor, padding: int = 0) -> Tensor:
        return w.norm(w.conv(x, bias=True, padding=padding), 1e-3).relu()

    x = unit(gunn_layer(w, unit(unit(x, 1)), 4))
    x = unit(gunn_layer(w, F.avg_pool2d(x, 2), 4))
    x = unit(gunn_layer(w, F.avg_pool2d(x, 2), 4)).mean(dim=(2, 3))
    for _ in range(2):
        x = w.linear(x).softmax(dim=1)
    return w.linear(x)


def gunn15(w: Weights, x: Tensor) -> Tensor:
    def unit(x: Tensor, padding: int = 0) -> Tensor:
        return w.norm(w.conv(x, padding=padding)).relu()

    def stage(x: Tensor) -> Tensor:
        parts = list(x.split(12, dim=1))
        for number, old in enumerate(parts):
            everything = torch.cat(parts, 1)
            inner = w.norm(w.conv(unit(unit(everything), 1)))
            parts[number] = inner + w.norm(w.conv(everything)) + old
        return torch.cat(parts, 1)

    x = unit(stage(unit(unit(x, 1))))
    x = unit(stage(F.avg_pool2d(x, 2)))
    return w.linear(unit(stage(F.avg_pool2d(x, 2))).mean(dim=(2, 3)))


def mnist_cnn(w: Weights, x: Tensor, activation: Callable[[Tensor], Tensor] = F.relu) -> Tensor:
    x = F.max_pool2d(w.conv(x, bias=True, stride=2, padding=2), 2)
    return w.linear(activation(F.max_pool2d(w.conv(x, bias=True, padding=2), 2)).flatten(1))


def resnet(w: Weights, x: Tensor) -> Tensor:
    x = w.norm(w.conv(x, padding=1)).relu()
    return w.linear(w.block(w.block(x)).mean(dim=(2, 3)))


def recnet(w: Weights, x: Tensor) -> Tensor:
    """Three iterations, each with its own normalisations, whose parameters come after both convolutions."""
    x = w.block(w.norm(w.conv(x, padding=1)).relu())
    first, second = next(w.left), next(w.left)
    norms = [next(w.left) for _ in range(2 * 2 * 3)]
    for number in range(3):
        inner = x
        for weight, own in ((first, norms[2 * number :]), (second, norms[6 + 2 * number :])):
            inner = F.conv2d(inner.relu(), weight, padding=1)  # x is not negative
            inner = F.batch_norm(inner, None, None, own[0], own[1], training=True)
        x = (x + inner).relu()
    return w.linear(x.mean(dim=(2, 3)))


def resnet18(w: Weights, x: Tensor) -> Tensor:
    x = w.block(w.block(w.norm(w.conv(x, padding=1)).relu()))
    for _ in range(3):
        x = w.block(w.block(x, stride=2, projected=True))
    return w.linear(x.mean(dim=(2, 3)))


def recnet_flat(w: Weights, x: Tensor) -> Tensor:
    x = F.avg_pool2d(w.block(w.norm(w.conv(x, padding=1)).relu()), 4).flatten(1)
    return w.linear(w.recurrent([x] * 3, elman)[-1])


def resnet_flat(w: Weights, x: Tensor) -> Tensor:
    return w.linear(F.avg_pool2d(w.block(w.norm(w.conv(x, padding=1)).relu()), 4).flatten(1))


def cnn(w: Weights, x: Tensor) -> Tensor:
    return w.linear(w.linear(w.trunk(x, 4, 2).flatten(1)).relu())


def cnn_pool(w: Weights, x: Tensor) -> Tensor:
    return w.linear(w.trunk(x, 4, 2).mean(dim=(2, 3)))


def cnn_gru(w: Weights, x: Tensor) -> Tensor:
    cells = w.trunk(x, 4, 2).flatten(2).unbind(dim=2)
    return w.linear(w.recurrent(list(cells), gru)[-1])


def cnn_gru_rows(w: Weights, x: Tensor) -> Tensor:
    cells = w.trunk(x, 4, 2)
    steps = [torch.cat([cells[:, :, y, x] for x in range(cells.shape[3])], dim=1) for y in range(cells.shape[2])]
    return w.linear(w.recurrent(steps, gru)[-1])


def lrcn(w: Weights, x: Tensor) -> Tensor:
    """Crops of 12 of 16 pixels: four corners and the centre."""
    cut = [x[:, :, top : top + 12, left : left + 12] for top, left in ((0, 0), (0, 4), (4, 0), (4, 4), (2, 2))]
    features = w.trunk(torch.cat(cut), 4, 2).mean(dim=(2, 3)).chunk(5)
    states = torch.stack(w.recurrent(list(features), lstm), dim=1)
    return w.linear(states)


WRITTEN_OUT: dict[str, tuple[str, dict[str, object], int, Callable[[Weights, Tensor], Tensor]]] = {
    "recurnet1": ("recurnet1", {"depth": 6, "width": 0.1, "head_every_iterate": False}, 32, recurnet1),
    "recurnet2": ("recurnet2", {"depth": 6, "width": 0.1}, 32, recurnet2),
    "gunn15_keras": ("gunn15_keras", {"width": 0.05, "group": 4}, 8, gunn15_keras),
    "gunn15": ("gunn15", {"width": 0.1}, 8, gunn15),
    "mnist_cnn": ("mnist_cnn", {"side": 28}, 28, mnist_cnn),
    "softplus": ("mnist_cnn", {"side": 11, "activation": "softplus"}, 11, lambda w, x: mnist_cnn(w, x, F.softplus)),
    "resnet": ("resnet", {"blocks": 2, "channels": 4}, 6, resnet),
    "recnet": ("recnet", {"iterations": 3, "channels": 4, "own_norms": True}, 6, recnet),
    "resnet18": ("resnet18", {"width": 0.1}, 17, resnet18),
    "recnet_flat": ("recnet_flat", {"iterations": 3, "channels": 3, "hidden": 5, "side": 12}, 12, recnet_flat),
    "resnet_flat": ("recnet_flat", {"iterations": 0, "channels": 3, "side": 12}, 12, resnet_flat),
    "cnn": ("cnn", {"layers": 4, "stages": 2, "width": 0.1, "hidden": 6, "side": 12}, 12, cnn),
    "cnn_pool": ("cnn_pool", {"layers": 4, "stages": 2, "width": 0.1}, 12, cnn_pool),
    "cnn_gru": ("cnn_gru", {"layers": 4, "stages": 2, "width": 0.1, "hidden": 6}, 12, cnn_gru),
    "rows": (
        "cnn_gru", {"layers": 4, "stages": 2, "width": 0.1, "hidden": 6, "side": 12, "reading": "rows"}, 12,
        cnn_gru_rows,
    ),
    "lrcn": ("lrcn", {"layers": 4, "stages": 2, "width": 0.1, "hidden": 6}, 16, lrcn),
    "rnn": ("rnn", {"hidden": 6, "side": 5}, 5, lambda w, x: w.linear(w.recurrent(rows(x), gru)[-1])),
    "rnn elman": (
        "rnn", {"hidden": 6, "side": 5, "cell": "elman"}, 5, lambda w, x: w.linear(w.recurrent(rows(x), elman)[-1]),
    ),
    "elman": ("elman", {"hidden": 6, "width": 5}, 5, lambda w, x: w.linear(w.recurrent(rows(x), elman)[-1])),
    "lstm": ("lstm", {"hidden": 6, "width": 5}, 5, lambda w, x: w.linear(w.recurrent(rows(x), lstm)[-1])),
}  # fmt: skip
