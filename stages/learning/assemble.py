"""Putting a cell together: its architecture, its images, its trained weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from models.registry import UnknownModelError, build, check_options
from stages.cell import Cell
from stages.core.errors import StageError
from stages.learning.batches import Images, load_images
from stages.splits.format import SplitData


def check_cell(cell: Cell) -> None:
    """A :class:`StageError` if the architecture or one of its options does not exist."""
    try:
        check_options(cell.architecture, cell.options)
    except UnknownModelError as error:
        raise StageError(f"{cell.key}: {error}.") from None


def builder(cell: Cell, split: SplitData) -> Callable[[], nn.Module]:
    """What builds the cell's network for the images and classes of its split, freshly initialised, on the CPU."""
    return partial(build, cell.architecture, split.pool.channels, len(split.classes), cell.options)


def training_images(cell: Cell, split: SplitData, seed: int, device: torch.device) -> Images:
    """What ``seed`` is trained on."""
    return load_images(split.train(seed), cell.transform, device, training=True, noise_seed=seed)


def test_images(cell: Cell, split: SplitData, device: torch.device) -> Images:
    """What every seed is tested on."""
    return load_images(split.test, cell.transform, device, training=False, noise_seed=0)


def set_weights(model: nn.Module, weights: Mapping[str, Tensor], where: object) -> None:
    """Give ``model`` weights, which lie ``where``; a :class:`StageError` if they are of another architecture."""
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise StageError(
            f"the weights in {where} are not of this architecture ({str(error).splitlines()[-1].strip()}); "
            "run `dvc repro` to train the cell again."
        ) from None
