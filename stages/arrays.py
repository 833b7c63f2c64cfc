"""The on-disk format of a split, shared by the stage that writes it and those that read it.

A folder with, for each part ``train`` and ``test``:

- ``<part>_images.npy``: uint8, shape (N, height, width, channels), 0..255, C order, memory-mappable;
- ``<part>_labels.npy``: int64, shape (N,), 0..classes-1;

where the training images depend on a seed, for every seed what it draws from them:

- ``draw-<seed>_index.npy``: int64, shape (M,), positions in ``train_images``; an image may occur more than once;
- ``draw-<seed>_sigma.npy``: float32, shape (M,), the standard deviation of the Gaussian noise of each in the pixel
  scale 0..1 (0 for none). The noise itself is unbounded, so it cannot be stored in uint8; :func:`noise` draws it from
  sigma and seed, always the same;

and ``dataset.json``: name, class names, counts, the split's parameters, and the SHA-256 of every array file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.errors import StageError
from stages.files import read_json, sha256
from stages.streams import numpy_stream

PARTS = ("train", "test")


@dataclass(frozen=True)
class Part:
    """Images and labels as in the module's docstring. ``sigma`` is None where nothing is a copy with noise."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    sigma: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Draw:
    """What a seed draws from the training images; arrays as in the module's docstring."""

    index: NDArray[np.int64]
    sigma: NDArray[np.float32]


@dataclass(frozen=True)
class SplitData:
    """A split as read from disk; images are memory-mapped. ``digest``: SHA-256 over the digests of its arrays.

    ``pool``: the images that training draws from; all of them, where there are no ``draws``.
    """

    name: str
    classes: tuple[str, ...]
    pool: Part
    test: Part
    draws: Mapping[int, Draw]
    digest: str

    def train(self, seed: int) -> Part:
        """The training part of a seed; a :class:`StageError` if the split was not drawn for it."""
        if not self.draws:
            return self.pool
        if seed not in self.draws:
            raise StageError(f"{self.name} was drawn for seeds {', '.join(map(str, self.draws))}, not for {seed}.")
        draw = self.draws[seed]
        return Part(self.pool.images[draw.index], self.pool.labels[draw.index], draw.sigma)


def noise(sigma: NDArray[np.float32], shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    """The noise of a part: float32, shape (N, *shape), zero where ``sigma`` is 0; a pure function of its arguments."""
    values = np.zeros((len(sigma), *shape), np.float32)
    noisy = np.flatnonzero(sigma)
    drawn = numpy_stream("noisy copies", seed).standard_normal((len(noisy), *shape), np.float32)
    values[noisy] = drawn * sigma[noisy].reshape(-1, *(1 for _ in shape))
    return values


def array_files(folder: Path) -> list[Path]:
    """The array files of a split, in the order in which their digests are listed."""
    return sorted(folder.glob("*.npy"))


def read_split(folder: Path, *, verify: bool = True) -> SplitData:
    """Open a split; a :class:`StageError` names a file that is missing, or altered since the split was made."""
    about = read_json(folder / "dataset.json")
    digests: dict[str, str] = about["sha256"]
    for name, expected in digests.items():
        path = folder / name
        if not path.is_file():
            raise StageError(f"{path} is missing; run `dvc repro` to make it again.")
        if verify and (found := sha256(path)) != expected:
            raise StageError(
                f"{path} is damaged: SHA-256 {expected} was expected, {found} was found; delete it and run `dvc repro`."
            )
    pool, test = (
        Part(np.load(folder / f"{part}_images.npy", mmap_mode="r"), np.load(folder / f"{part}_labels.npy"))
        for part in PARTS
    )
    draws = {
        seed: Draw(np.load(folder / f"draw-{seed}_index.npy"), np.load(folder / f"draw-{seed}_sigma.npy"))
        for seed in about["draws"]
    }
    return SplitData(about["name"], tuple(about["classes"]), pool, test, draws, about["digest"])
