"""Do a cell's images, transform and network go together? Asked before training, so that the answer is a sentence.

The check of params.yaml asks it of official images; the size of a user's own is known only here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from stages.cell import Cell
from stages.core.errors import StageError
from stages.learning.assemble import training_images
from stages.learning.batches import Images
from stages.splits.format import SplitData

_MISFITS = (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError)


def fitting_images(
    cell: Cell, split: SplitData, seeds: Sequence[int], device: torch.device, build: Callable[[], nn.Module]
) -> dict[int, Images]:
    """What every seed is trained on; a :class:`StageError` says why the transform or the network cannot take it."""
    try:
        images = {seed: training_images(cell, split, seed, device) for seed in seeds}
    except ValueError as error:
        raise StageError(f"{cell.key}: {error}; correct its transform in params.yaml.") from None
    _try(cell, build, images[seeds[0]])
    return images


def _try(cell: Cell, build: Callable[[], nn.Module], images: Images) -> None:
    """Two black images, since batch normalisation cannot be trained on one value per channel."""
    height, width = images.side
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        try:
            build()(torch.zeros(2, len(images.mean), height, width))
        except _MISFITS as error:
            raise StageError(
                f"{cell.key}: {cell.architecture} does not take images of {height} x {width} pixels "
                f"({' '.join(str(error).split())}); give its transform another `resize` or `crop` in "
                "params.yaml, or the network other options."
            ) from None
