"""Batches of images: resized once, held in memory as uint8, cropped, flipped and normalised on the way out.

Images that stay in their files are decoded and resized batch by batch, a batch ahead of the one in use.

The order of an epoch and its augmentation are pure functions of (seed, epoch), drawn on the CPU whatever the device, so
nothing of them has to be saved to resume, and every device sees the same images.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.cell import Transform
from stages.cell.recipe import Recipe
from stages.core.errors import StageError
from stages.splits.format import ImageFiles, Part, noise
from stages.splits.streams import stream_seed


@dataclass(frozen=True)
class Decoder:
    """Images that stay in their files, as squares of ``resized`` pixels with a black border of ``padding``."""

    files: ImageFiles
    resized: int
    padding: int

    def __getitem__(self, index: Tensor) -> Tensor:
        """The images at ``index``: uint8, shape (B, side, side, channels), on the CPU; decoded side by side."""
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            read = threads.map(lambda one: self.files.read(one, self.resized), index.tolist())
            return torch.from_numpy(np.pad(np.stack(list(read)), _border(self.padding)))


@dataclass(frozen=True)
class Images:
    """A part of a split on a device.

    ``pixels``: uint8, shape (N, *size, channels), ``size`` being height and width with any padding. ``labels``: int64,
    shape (N,). ``environments``: int64, shape (N,), 1 for a copy with noise, else 0. ``noise``: float32 like
    ``pixels``, in the scale 0..1, or None. ``importance``: float32, shape (N,), or None where all count alike.
    ``mean``, ``std``: float32, (channels,). ``side``: height and width of an image as the model sees it. It is
    cut out at random in training, from the centre in evaluation, and with ``flip`` flipped at random.
    """

    pixels: Tensor | Decoder
    size: tuple[int, int]
    labels: Tensor
    environments: Tensor
    noise: Tensor | None
    importance: Tensor | None
    mean: Tensor
    std: Tensor
    side: tuple[int, int]
    flip: bool

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def device(self) -> torch.device:
        """Where the batches come out."""
        return self.labels.device


class Batch(NamedTuple):
    """Images float32 (B, channels, height, width), labels int64 (B,), environments int64 (B,), importance or None."""

    pixels: Tensor
    labels: Tensor
    environments: Tensor
    importance: Tensor | None = None


def load_images(part: Part, transform: Transform, device: torch.device, *, training: bool, noise_seed: int) -> Images:
    """Bring a part of a split onto ``device``. Only training images are ever padded, cropped or flipped.

    Raises ValueError if the transform's channels differ from the images', or if noisy images would be resized. A
    :class:`StageError` if images that stay in their files are not resized.
    """
    if len(transform.mean) != part.channels:
        raise ValueError(f"mean has {len(transform.mean)} entries, but the images have {part.channels} channels")
    sigma = np.zeros(len(part.labels), np.float32) if part.sigma is None else part.sigma
    pixels, drawn, size = _pixels(part, sigma, transform, device, training, noise_seed)
    padding = transform.crop_padding if training else 0
    side = (size[0] - 2 * padding, size[1] - 2 * padding) if transform.crop is None else (transform.crop,) * 2
    if transform.crop is not None and (size[0] != size[1] or transform.crop > size[0]):
        raise ValueError(f"a square of {transform.crop} pixels was to be cut out of images of {size[0]} x {size[1]}")
    return Images(
        pixels=pixels,
        size=size,
        labels=torch.from_numpy(part.labels).to(device),
        environments=torch.from_numpy((sigma > 0).astype(np.int64)).to(device),
        noise=drawn,
        importance=None if part.importance is None else torch.from_numpy(part.importance).to(device),
        mean=torch.tensor(transform.mean, device=device),
        std=torch.tensor(transform.std, device=device),
        side=side,
        flip=transform.flip and training,
    )


def _pixels(
    part: Part, sigma: NDArray[np.float32], transform: Transform, device: torch.device, training: bool, noise_seed: int
) -> tuple[Tensor | Decoder, Tensor | None, tuple[int, int]]:
    """Pixels, noise and size of :class:`Images`."""
    padding = transform.crop_padding if training else 0
    if isinstance(part.images, ImageFiles):
        if transform.resize is None:
            raise StageError(
                f"the images of {part.images.folder} are not all of one size, or stay in their files (`store: files`); "
                "give their transform in params.yaml a `resize`."
            )
        if sigma.any():
            raise ValueError("images that stay in their files have no noisy copies")
        return Decoder(part.images, transform.resize, padding), None, (transform.resize + 2 * padding,) * 2
    images = np.asarray(part.array)
    drawn = noise(sigma, images.shape[1:], noise_seed) if sigma.any() else None
    if transform.resize is not None and transform.resize != images.shape[1]:
        if drawn is not None:
            raise ValueError("noisy copies cannot be resized: the noise belongs to the original pixels")
        images = resize(images, transform.resize)
    images = np.pad(images, _border(padding)) if padding else images.copy()
    extra = None if drawn is None else torch.from_numpy(np.pad(drawn, _border(padding))).to(device)
    return torch.from_numpy(images).to(device), extra, images.shape[1:3]


def _border(padding: int) -> tuple[tuple[int, int], ...]:
    """What np.pad adds to images of shape (N, height, width, channels)."""
    return (0, 0), (padding, padding), (padding, padding), (0, 0)


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


def training_batches(images: Images, recipe: Recipe, seed: int, epoch: int, first: int = 0) -> Iterator[Batch]:
    """The batches of one training epoch, from step ``first`` on."""
    batches = _training_batches(images, recipe, seed, epoch, first)
    return _ahead(batches) if isinstance(images.pixels, Decoder) else batches


def _training_batches(images: Images, recipe: Recipe, seed: int, epoch: int, first: int) -> Iterator[Batch]:
    count, device = len(images), images.device
    order = _order(images, recipe, _generator("order", seed, epoch)).to(device)
    draws = _generator("augmentation", seed, epoch)
    # Height and width have the same room: images are square where there is a crop, and otherwise it is the padding.
    room = images.size[0] - images.side[0]
    shifts = torch.randint(0, room + 1, (count, 2), generator=draws).to(device)
    flips = (torch.rand(count, generator=draws) < 0.5).to(device) & images.flip
    for step in range(first, steps_per_epoch(count, recipe)):
        chosen = slice(step * recipe.batch_size, (step + 1) * recipe.batch_size)
        index = order[chosen]
        yield _batch(images, index, _window(images, index, shifts[chosen], flips[chosen]))


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches, each made while the one before it is in use."""
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(next, batches, None)
        while (batch := following.result()) is not None:
            following = thread.submit(next, batches, None)
            yield batch


def _batch(images: Images, index: Tensor | slice, pixels: Tensor) -> Batch:
    importance = None if images.importance is None else images.importance[index]
    return Batch(pixels, images.labels[index], images.environments[index], importance)


def _order(images: Images, recipe: Recipe, draws: torch.Generator) -> Tensor:
    count = len(images)
    if recipe.sampling == "shuffled":
        return torch.randperm(count, generator=draws)
    labels = images.labels.cpu()
    return torch.multinomial(1 / labels.bincount()[labels], count, replacement=True, generator=draws)


def ordered_batches(images: Images, batch_size: int) -> Iterator[Batch]:
    """All images in order, unchanged but for normalisation and a crop of the centre."""
    batches = _ordered_batches(images, batch_size)
    return _ahead(batches) if isinstance(images.pixels, Decoder) else batches


def _ordered_batches(images: Images, batch_size: int) -> Iterator[Batch]:
    centre = tuple(
        slice((size - side) // 2, (size + side) // 2) for size, side in zip(images.size, images.side, strict=True)
    )
    for start in range(0, len(images), batch_size):
        chosen = slice(start, start + batch_size)
        if isinstance(images.pixels, Decoder):
            pixels = images.pixels[torch.arange(start, min(start + batch_size, len(images)))].to(images.device)
        else:
            pixels = images.pixels[chosen]
        extra = None if images.noise is None else images.noise[chosen][:, *centre]
        yield _batch(images, chosen, _normalise(images, pixels[:, *centre], extra))


def _window(images: Images, index: Tensor, shifts: Tensor, flips: Tensor) -> Tensor:
    """Crop at ``shifts`` and flip in one gather."""
    height, width = images.side
    rows = shifts[:, :1] + torch.arange(height, device=index.device)
    across = torch.arange(width, device=index.device)
    columns = shifts[:, 1:] + torch.where(flips[:, None], width - 1 - across, across)
    if isinstance(images.pixels, Decoder):
        pixels = images.pixels[index].to(index.device)
        index = torch.arange(len(index), device=index.device)
    else:
        pixels = images.pixels
    where = index[:, None, None], rows[:, :, None], columns[:, None, :]
    return _normalise(images, pixels[where], None if images.noise is None else images.noise[where])


def _normalise(images: Images, pixels: Tensor, extra: Tensor | None) -> Tensor:
    """Scale to 0..1, add noise, subtract the mean, divide by the standard deviation; NHWC in, NCHW (a view) out."""
    values = pixels.to(torch.float32).div_(255)
    if extra is not None:
        values += extra
    return values.sub_(images.mean).div_(images.std).permute(0, 3, 1, 2)


def _generator(*name: str | int) -> torch.Generator:
    return torch.Generator().manual_seed(stream_seed(*name))
