"""Batches of images: resized once, held in memory as uint8, cropped, flipped and normalised on the way out.

The order of an epoch and its augmentation are pure functions of (seed, epoch), drawn on the CPU whatever the device, so
nothing of them has to be saved to resume, and every device sees the same images.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.arrays import Part, noise
from stages.params import Recipe, Transform
from stages.streams import stream_seed


@dataclass(frozen=True)
class Images:
    """A part of a split on a device.

    ``pixels``: uint8, shape (N, height, width, channels), zero-padded by ``padding`` on each side. ``labels``: int64,
    shape (N,). ``environments``: int64, shape (N,), 1 for a copy with noise, else 0. ``noise``: float32 like
    ``pixels``, in the scale 0..1, or None. ``mean``, ``std``: float32, (channels,).
    """

    pixels: Tensor
    labels: Tensor
    environments: Tensor
    noise: Tensor | None
    mean: Tensor
    std: Tensor
    padding: int
    flip: bool

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def side(self) -> tuple[int, int]:
        """Height and width of an image as the model sees it."""
        return self.pixels.shape[1] - 2 * self.padding, self.pixels.shape[2] - 2 * self.padding


class Batch(NamedTuple):
    """Images float32 (B, channels, height, width), labels int64 (B,), environments int64 (B,)."""

    pixels: Tensor
    labels: Tensor
    environments: Tensor


def load_images(part: Part, transform: Transform, device: torch.device, *, training: bool, noise_seed: int) -> Images:
    """Bring a part of a split onto ``device``. Only training images are ever padded, cropped or flipped.

    Raises ValueError if the transform's channels differ from the images', or if noisy images would be resized.
    """
    if len(transform.mean) != part.images.shape[3]:
        raise ValueError(f"mean has {len(transform.mean)} entries, but the images have {part.images.shape[3]} channels")
    images = np.asarray(part.images)
    sigma = np.zeros(len(images), np.float32) if part.sigma is None else part.sigma
    drawn = noise(sigma, images.shape[1:], noise_seed) if sigma.any() else None
    if transform.resize is not None and transform.resize != images.shape[1]:
        if drawn is not None:
            raise ValueError("noisy copies cannot be resized: the noise belongs to the original pixels")
        images = resize(images, transform.resize)
    padding = transform.crop_padding if training else 0
    border = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    return Images(
        pixels=torch.from_numpy(np.pad(images, border) if padding else images.copy()).to(device),
        labels=torch.from_numpy(part.labels).to(device),
        environments=torch.from_numpy((sigma > 0).astype(np.int64)).to(device),
        noise=None if drawn is None else torch.from_numpy(np.pad(drawn, border)).to(device),
        mean=torch.tensor(transform.mean, device=device),
        std=torch.tensor(transform.std, device=device),
        padding=padding,
        flip=transform.flip and training,
    )


def resize(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Resize to ``side`` x ``side`` pixels by PIL, bilinear, on uint8, as torchvision's Resize does to PIL images."""
    from PIL import Image

    count, _, _, channels = images.shape
    resized = np.empty((count, side, side, channels), np.uint8)
    for source, target in zip(images, resized, strict=True):
        picture = Image.fromarray(source[:, :, 0] if channels == 1 else source)
        target[:] = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR)).reshape(side, side, channels)
    return resized


def steps_per_epoch(count: int, recipe: Recipe) -> int:
    """How many batches ``count`` training images make."""
    whole, rest = divmod(count, recipe.batch_size)
    return whole if recipe.drop_last or rest == 0 else whole + 1


def training_batches(images: Images, recipe: Recipe, seed: int, epoch: int) -> Iterator[Batch]:
    """The batches of one training epoch."""
    count, device = len(images), images.pixels.device
    order = _order(images, recipe, _generator("order", seed, epoch)).to(device)
    draws = _generator("augmentation", seed, epoch)
    shifts = torch.randint(0, 2 * images.padding + 1, (count, 2), generator=draws).to(device)
    flips = (torch.rand(count, generator=draws) < 0.5).to(device) & images.flip
    for step in range(steps_per_epoch(count, recipe)):
        chosen = slice(step * recipe.batch_size, (step + 1) * recipe.batch_size)
        index = order[chosen]
        pixels = _window(images, index, shifts[chosen], flips[chosen])
        yield Batch(pixels, images.labels[index], images.environments[index])


def _order(images: Images, recipe: Recipe, draws: torch.Generator) -> Tensor:
    count = len(images)
    if recipe.sampling == "shuffled":
        return torch.randperm(count, generator=draws)
    labels = images.labels.cpu()
    return torch.multinomial(1 / labels.bincount()[labels], count, replacement=True, generator=draws)


def ordered_batches(images: Images, batch_size: int) -> Iterator[Batch]:
    """All images in order, unchanged but for normalisation."""
    for start in range(0, len(images), batch_size):
        chosen = slice(start, start + batch_size)
        extra = None if images.noise is None else images.noise[chosen]
        pixels = _normalise(images, images.pixels[chosen], extra)
        yield Batch(pixels, images.labels[chosen], images.environments[chosen])


def _window(images: Images, index: Tensor, shifts: Tensor, flips: Tensor) -> Tensor:
    """Crop at ``shifts`` and flip in one gather."""
    height, width = images.side
    rows = shifts[:, :1] + torch.arange(height, device=index.device)
    across = torch.arange(width, device=index.device)
    columns = shifts[:, 1:] + torch.where(flips[:, None], width - 1 - across, across)
    where = index[:, None, None], rows[:, :, None], columns[:, None, :]
    return _normalise(images, images.pixels[where], None if images.noise is None else images.noise[where])


def _normalise(images: Images, pixels: Tensor, extra: Tensor | None) -> Tensor:
    """Scale to 0..1, add noise, subtract the mean, divide by the standard deviation; NHWC in, NCHW (a view) out."""
    values = pixels.to(torch.float32).div_(255)
    if extra is not None:
        values += extra
    return values.sub_(images.mean).div_(images.std).permute(0, 3, 1, 2)


def _generator(*name: str | int) -> torch.Generator:
    return torch.Generator().manual_seed(stream_seed(*name))
