"""What the engine's tests train: a network on a few images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.registry import build
from stages.core.layout import Layout
from stages.learning.batches import Images, load_images
from stages.learning.engine import History, train
from stages.splits.format import read_split
from tests.small import small_cell, write_split

CELL = small_cell()


def few_images(home: Path) -> tuple[Images, Images]:
    """A training and a test set."""
    layout = Layout(home)
    write_split(layout)
    split = read_split(layout.data("digits"))
    train_images, test_images = (
        load_images(part, CELL.transform, torch.device("cpu"), training=training, noise_seed=0)
        for part, training in ((split.train(0), True), (split.test, False))
    )
    return train_images, test_images


def make() -> nn.Module:
    return build(CELL.architecture, 1, 10, CELL.options)


def run(data: tuple[Images, Images], **options: Any) -> tuple[nn.Module, History]:
    return train(make, *data, CELL.recipe, 0, classes=10, **options)


def identical(one: nn.Module, other: nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in mine.items())
