"""The training loop as one would first write it, and as the recurnets authors did: the engine's oracle and baseline.

torchvision's transforms on PIL images in a DataLoader, plain layers in torch's default memory layout, and `.item()` of
loss and correct answers at every step. Their networks apply the head to every iterate, stack the outputs and use the
last, so that gradients, all zero but one, run back through every head. The row-by-row networks are torch's own layers.

Nothing in it waits or works in vain beyond that: images are decoded and in memory before the clock starts, a transform
that does nothing is left out. ``workers`` is the DataLoader's ``num_workers``: 0 here, as the default of torch, since
the machines meant have few cores; the authors set 4. `python -m benchmarks.throughput` sets it beside the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from models.mnist_rnn import RowNetwork
from models.recurnets import RecurNet1, RecurNet2
from models.registry import build
from stages.cell import Transform
from stages.cell.recipe import Adam, Objective, Recipe
from stages.core.torchvision_import import load_torchvision
from stages.splits.format import Part


class EveryIterate(nn.Module):
    """A recurnet whose head works on every iterate, forward and backward, though only the last output counts."""

    def __init__(self, model: RecurNet1 | RecurNet2) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the last iterate."""
        states = self.model.states(images, self.model.iterations)
        next(states)  # the stem's output
        return torch.stack([self.model.readout(state) for state in states])[-1]


class PlainRows(nn.Module):
    """A row-by-row network whose recurrence is torch's layer, in training, too."""

    def __init__(self, model: RowNetwork) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the last state."""
        rows = images.permute(0, 2, 3, 1).flatten(2)
        logits: Tensor = self.model.head(self.model.recurrent(rows)[0][:, -1])
        return logits


def network(architecture: str, in_channels: int, classes: int, options: Mapping[str, object]) -> nn.Module:
    """The registered architecture in its plain form; initialised as the engine's would be."""
    return plain(build(architecture, in_channels, classes, options))


def plain(model: nn.Module) -> nn.Module:
    """The plain form of ``model``, with its weights: itself where it has no other."""
    if isinstance(model, RecurNet1 | RecurNet2):
        return EveryIterate(model)
    return PlainRows(model) if isinstance(model, RowNetwork) else model


class Pictures(Dataset[tuple[Tensor, int]]):
    """Images in memory as PIL has them, transformed one by one when they are asked for. ``chain``: of the transforms.

    Training images: they are cropped and flipped at random where ``transform`` says so.
    """

    def __init__(self, part: Part, transform: Transform) -> None:
        load_torchvision()
        from PIL import Image
        from torchvision import transforms

        images = part.array
        self.pictures = [Image.fromarray(image[:, :, 0] if part.channels == 1 else image) for image in images]
        self.labels: list[int] = part.labels.tolist()
        side, steps = transform.resize or images.shape[1], []
        if transform.resize:
            steps.append(transforms.Resize((side, side)))
        if transform.crop or transform.crop_padding:
            steps.append(transforms.RandomCrop(transform.crop or side, padding=transform.crop_padding or None))
        if transform.flip:
            steps.append(transforms.RandomHorizontalFlip())
        normalise = transforms.Normalize(transform.mean, transform.std)
        self.chain: Any = transforms.Compose([*steps, transforms.ToTensor(), normalise])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """One image, float32 (channels, height, width), and its label."""
        return self.chain(self.pictures[index]), self.labels[index]


def load(
    pictures: Dataset[tuple[Tensor, int]], recipe: Recipe, *, workers: int = 0, sampler: Any = None
) -> DataLoader[tuple[Tensor, int]]:
    """The batches of an epoch, shuffled by torch unless a ``sampler`` says in which order."""
    if recipe.sampling != "shuffled" or recipe.objective != Objective():
        raise ValueError("the naive loop knows shuffled images and plain cross-entropy only")
    return DataLoader(
        pictures,
        batch_size=recipe.batch_size,
        shuffle=sampler is None,
        sampler=sampler,
        drop_last=recipe.drop_last,
        num_workers=workers,
        persistent_workers=workers > 0,
    )


def optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer."""
    options = recipe.optimizer
    if isinstance(options, Adam):
        return torch.optim.Adam(model.parameters(), lr=options.lr, eps=options.eps)
    chosen = {"momentum": options.momentum, "weight_decay": options.weight_decay, "nesterov": options.nesterov}
    return torch.optim.SGD(model.parameters(), lr=options.lr, **chosen)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Epoch:
    """The loss of every step, and the share of right answers over the epoch, both while training."""

    losses: list[float]
    accuracy: float


def train_epoch(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    device: torch.device,
) -> Epoch:
    """One pass over ``batches``."""
    model.train()
    losses, correct, total = [], 0.0, 0
    for pixels, labels in batches:
        pixels, labels = pixels.to(device), labels.to(device)
        optimizer.zero_grad()
        logits = model(pixels)
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        correct += (logits.argmax(1) == labels).sum().item()
        total += len(labels)
    return Epoch(losses, correct / total)
