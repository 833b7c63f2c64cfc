"""The on-disk format of a split, shared by the stage that writes it and those that read it.

A folder with, for each part ``train`` and ``test``:

- ``<part>_images.npy``: uint8, shape (N, height, width, channels), 0..255, C order, memory-mappable;
- ``<part>_labels.npy``: int64, shape (N,), 0..classes-1;
- ``<part>_importance.npy``, where not every image counts: float32, shape (N,), factor on the loss of each;

in place of the images, where they stay in their files, ``<part>_files.txt``: a path per line, the image folder in the
first, with how many channels they have in ``dataset.json``;

where the training images depend on a seed, for every seed what it draws from them:

- ``draw-<seed>_index.npy``: int64, shape (M,), positions in ``train_images``; an image may occur more than once;
- ``draw-<seed>_sigma.npy``: float32, shape (M,), the standard deviation of the Gaussian noise of each in the pixel
  scale 0..1 (0 for none). The noise itself is unbounded, so it cannot be stored in uint8; :func:`noise` draws it from
  sigma and seed, always the same;

and ``dataset.json``: name, class names, counts, the split's parameters, and the SHA-256 of every array file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import StageError
from stages.core.files import read_json, sha256
from stages.splits.pictures import decode
from stages.splits.streams import numpy_stream

PARTS = ("train", "test")


@dataclass(frozen=True)
class ImageFiles:
    """Images that stay in their files: ``names``, relative to ``folder``; ``channels``: 1, all are grey, or 3."""

    folder: Path
    names: Sequence[str]
    channels: int

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: NDArray[np.int64]) -> ImageFiles:
        """The images at ``index``, as an array would give them."""
        return ImageFiles(self.folder, [self.names[i] for i in index], self.channels)

    def read(self, index: int, side: int) -> NDArray[np.uint8]:
        """An image as uint8, shape (side, side, channels), resized by PIL, bilinear; see :func:`decode`."""
        return decode(self.folder / self.names[index], channels=self.channels, side=side)


@dataclass(frozen=True)
class Part:
    """Images and labels as in the module's docstring.

    ``sigma`` is None where nothing is a copy with noise, ``importance`` where all images count alike.
    """

    images: NDArray[np.uint8] | ImageFiles
    labels: NDArray[np.int64]
    sigma: NDArray[np.float32] | None = None
    importance: NDArray[np.float32] | None = None

    @property
    def array(self) -> NDArray[np.uint8]:
        """The images as an array; TypeError if they stay in their files."""
        if isinstance(self.images, ImageFiles):
            raise TypeError("these images stay in their files")
        return self.images

    @property
    def channels(self) -> int:
        """1 for greyscale, 3 for colour."""
        return self.images.channels if isinstance(self.images, ImageFiles) else self.images.shape[3]


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
        importance = None if self.pool.importance is None else self.pool.importance[draw.index]
        return Part(self.pool.images[draw.index], self.pool.labels[draw.index], draw.sigma, importance)

    def seen_by(self, seed: int) -> str:
        """SHA-256 of all that a seed is trained and tested on: alike in all splits that give it the same images."""
        digest = hashlib.sha256(str(len(self.classes)).encode())
        for part in (self.train(seed), self.test):
            arrays: list[NDArray[Any] | None] = [part.labels, part.sigma, part.importance]
            if isinstance(part.images, ImageFiles):  # their content is in the digest of the split
                digest.update("\0".join([self.digest, *part.images.names]).encode())
            else:
                arrays.append(part.images)
            for values in arrays:
                digest.update(b"none" if values is None else f"{values.dtype} {values.shape}".encode())
                if values is not None:
                    digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()


def noise(sigma: NDArray[np.float32], shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    """The noise of a part: float32, shape (N, *shape), zero where ``sigma`` is 0; a pure function of its arguments."""
    values = np.zeros((len(sigma), *shape), np.float32)
    noisy = np.flatnonzero(sigma)
    drawn = numpy_stream("noisy copies", seed).standard_normal((len(noisy), *shape), np.float32)
    values[noisy] = drawn * sigma[noisy].reshape(-1, *(1 for _ in shape))
    return values


def array_files(folder: Path) -> list[Path]:
    """The files that hold a split's images and labels, in the order in which their digests are listed."""
    return sorted([*folder.glob("*.npy"), *folder.glob("*_files.txt")])


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
    pool, test = (_read_part(folder, part, about.get("channels", 0)) for part in PARTS)
    draws = {
        seed: Draw(np.load(folder / f"draw-{seed}_index.npy"), np.load(folder / f"draw-{seed}_sigma.npy"))
        for seed in about["draws"]
    }
    return SplitData(about["name"], tuple(about["classes"]), pool, test, draws, about["digest"])


def _read_part(folder: Path, part: str, channels: int) -> Part:
    listed, importance = folder / f"{part}_files.txt", folder / f"{part}_importance.npy"
    if listed.is_file():
        root, *names = listed.read_text(encoding="utf-8").splitlines()
        images: NDArray[np.uint8] | ImageFiles = ImageFiles(Path(root), names, channels)
    else:
        images = np.load(folder / f"{part}_images.npy", mmap_mode="r")
    return Part(
        images,
        np.load(folder / f"{part}_labels.npy"),
        importance=np.load(importance) if importance.is_file() else None,
    )
