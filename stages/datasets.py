"""What is known about the official datasets: their classes, part sizes and files, and how to read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.arrays import Part
from stages.errors import StageError
from stages.fetch import OfficialFile
from stages.files import sha256
from stages.readers import damaged, read_cifar_batch, read_idx_part, read_svhn

DIGITS = tuple("0123456789")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataclass(frozen=True)
class Source:
    """A dataset as read: class names in the order of the labels, and its two parts in official order.

    Images are uint8, shape (N, height, width, channels), 0..255; labels int64, shape (N,), 0..classes-1.
    """

    classes: tuple[str, ...]
    train: Part
    test: Part


@dataclass(frozen=True)
class Dataset:
    """The facts about a dataset. ``counts``: images in the training and the test part."""

    classes: tuple[str, ...]
    counts: tuple[int, int]
    files: tuple[OfficialFile, ...]
    read: Callable[[Path], tuple[Part, Part]]


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


# Dataset, file, bytes, SHA-256. MNIST's and CIFAR-10's were computed from files with the MD5 that torchvision states,
# SVHN's are those in TensorFlow Datasets, the digits' were computed from scikit-learn's bundle.
_FILES = """
mnist train-images-idx3-ubyte.gz 9912422 440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609
mnist train-labels-idx1-ubyte.gz 28881 3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c
mnist t10k-images-idx3-ubyte.gz 1648877 8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6
mnist t10k-labels-idx1-ubyte.gz 4542 f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6
svhn train_32x32.mat 182040794 435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8
svhn test_32x32.mat 64275384 cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b
cifar10 batches.meta 158 f962466ef690d46b226450fb9aadc74ba4bc64a76aa526b5827fe4bc5c7125cb
cifar10 data_batch_1 31035704 54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd
cifar10 data_batch_2 31035320 766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8
cifar10 data_batch_3 31035999 0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9
cifar10 data_batch_4 31035696 3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b
cifar10 data_batch_5 31035623 d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154
cifar10 test_batch 31035526 f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831
digits images-idx3-ubyte 115024 359cd13f0f514122884198b78a131df597421cbf5e93a76678fa96fc548f0d96
digits labels-idx1-ubyte 1805 ce71631c1f31ce56fa54f31d1d498fafacff59b001e6c30c4a5e29508aa277ad
"""


def _files(dataset: str) -> tuple[OfficialFile, ...]:
    rows = [line.split() for line in _FILES.strip().splitlines()]
    return tuple(OfficialFile(file, int(size), digest) for name, file, size, digest in rows if name == dataset)


DATASETS = {
    "mnist": Dataset(DIGITS, (60_000, 10_000), _files("mnist"), _read_mnist),
    "svhn": Dataset(DIGITS, (73_257, 26_032), _files("svhn"), _read_svhn),
    "cifar10": Dataset(CIFAR10, (50_000, 10_000), _files("cifar10"), _read_cifar10),
    "digits": Dataset(DIGITS, (1_437, 360), _files("digits"), _read_digits),
}


def read_official(dataset: str, folder: Path) -> Source:
    """Read a dataset of :data:`DATASETS` from its downloaded files, whose SHA-256 are checked first.

    A :class:`StageError` names a file that is missing, altered or malformed, or a part that has not its official size.
    """
    facts = DATASETS[dataset]
    for file in facts.files:
        path = folder / file.name
        if not path.is_file():
            raise StageError(f"{path} is missing; run the download stage for {dataset}.")
        if (found := sha256(path)) != file.sha256:
            raise damaged(path, f"SHA-256 {file.sha256}", found)
    train, test = facts.read(folder)
    for name, part, count in (("training", train, facts.counts[0]), ("test", test, facts.counts[1])):
        if len(part.labels) != count:
            raise damaged(folder, f"a {name} part of {count} images", str(len(part.labels)))
        if not np.isin(part.labels, np.arange(len(facts.classes))).all():
            raise damaged(folder, f"{name} labels 0..{len(facts.classes) - 1}", f"others up to {np.max(part.labels)}")
    return Source(facts.classes, train, test)
