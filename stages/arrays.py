"""The on-disk format of a split, shared by the stage that writes it and those that read it.

A folder with, for each part ``train`` and ``test``:

- ``<part>_images.npy``: uint8, shape (N, height, width, channels), 0..255, C order, memory-mappable;
- ``<part>_labels.npy``: int64, shape (N,), 0..classes-1;
- ``<part>_sigma.npy``, only where there are noisy copies: float32, shape (N,), the standard deviation of the Gaussian
  noise of each image in the pixel scale 0..1 (0 for a clean one). The noise itself is unbounded, so it cannot be stored
  in uint8; :func:`noise` draws it, always the same;

and ``dataset.json``: name, class names, counts, the split's parameters, and the SHA-256 of every array file.
"""

from __future__ import annotations

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
    """One part of a split. ``images`` and ``labels`` as in the module's docstring; ``sigma`` None when all is clean."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    sigma: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class SplitData:
    """A split as read from disk; images are memory-mapped. ``digest``: SHA-256 over the digests of its arrays."""

    name: str
    classes: tuple[str, ...]
    train: Part
    test: Part
    digest: str


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
    parts = {part: _read_part(folder, part, f"{part}_sigma.npy" in digests) for part in PARTS}
    return SplitData(about["name"], tuple(about["classes"]), parts["train"], parts["test"], about["digest"])


def _read_part(folder: Path, part: str, noisy: bool) -> Part:
    images = np.load(folder / f"{part}_images.npy", mmap_mode="r")
    labels = np.load(folder / f"{part}_labels.npy")
    return Part(images, labels, np.load(folder / f"{part}_sigma.npy") if noisy else None)
