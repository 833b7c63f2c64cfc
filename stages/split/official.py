"""Reading the official datasets from their files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.core.errors import StageError
from stages.core.files import sha256
from stages.download.official_files import OFFICIAL_FILES
from stages.split.readers import damaged, read_cifar_batch, read_idx_part, read_svhn
from stages.splits.facts import OFFICIAL
from stages.splits.format import Part


@dataclass(frozen=True)
class Source:
    """A dataset as read: class names in the order of the labels, and its two parts in official order.

    Images are uint8, shape (N, height, width, channels), 0..255; labels int64, shape (N,), 0..classes-1.
    """

    classes: tuple[str, ...]
    train: Part
    test: Part


def _read_mnist(folder: Path) -> tuple[Part, Part]:
    train, test = (
        read_idx_part(folder / f"{part}-images-idx3-ubyte.gz", folder / f"{part}-labels-idx1-ubyte.gz")
        for part in ("train", "t10k")
    )
    return train, test


def _read_cifar10(folder: Path) -> tuple[Part, Part]:
    batches = [read_cifar_batch(folder / f"data_batch_{number}") for number in range(1, 6)]
    images = np.concatenate([batch.images for batch in batches])
    labels = np.concatenate([batch.labels for batch in batches])
    return Part(images, labels), read_cifar_batch(folder / "test_batch")


def _read_svhn(folder: Path) -> tuple[Part, Part]:
    return read_svhn(folder / "train_32x32.mat"), read_svhn(folder / "test_32x32.mat")


def _read_digits(folder: Path) -> tuple[Part, Part]:
    """scikit-learn's digits have no official parts: the first 1,437 train, the other 360 test. 0..16 becomes 0..255."""
    whole = read_idx_part(folder / "images-idx3-ubyte", folder / "labels-idx1-ubyte")
    images = np.rint(whole.array * (255 / 16)).astype(np.uint8)
    return Part(images[:1437], whole.labels[:1437]), Part(images[1437:], whole.labels[1437:])


READERS: dict[str, Callable[[Path], tuple[Part, Part]]] = {
    "mnist": _read_mnist,
    "svhn": _read_svhn,
    "cifar10": _read_cifar10,
    "digits": _read_digits,
}


def read_official(dataset: str, folder: Path) -> Source:
    """Read an official dataset from its downloaded files, whose SHA-256 are checked first.

    A :class:`StageError` names a file that is missing, altered or malformed, or a part that has not its official size.
    """
    facts = OFFICIAL[dataset]
    for file in OFFICIAL_FILES[dataset]:
        path = folder / file.name
        if not path.is_file():
            raise StageError(f"{path} is missing; run the download stage for {dataset}.")
        if (found := sha256(path)) != file.sha256:
            raise damaged(path, f"SHA-256 {file.sha256}", found)
    train, test = READERS[dataset](folder)
    for name, part, count in (("training", train, facts.counts[0]), ("test", test, facts.counts[1])):
        if len(part.labels) != count:
            raise damaged(folder, f"a {name} part of {count} images", str(len(part.labels)))
        if not np.isin(part.labels, np.arange(len(facts.classes))).all():
            raise damaged(folder, f"{name} labels 0..{len(facts.classes) - 1}", f"others up to {np.max(part.labels)}")
    return Source(facts.classes, train, test)
