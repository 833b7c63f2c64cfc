"""Small files in the official layouts, written independently of the readers, and a way to pin them."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stages.core.torchvision_import import load_torchvision
from stages.download.fetch import OfficialFile
from stages.download.official_files import OFFICIAL_FILES
from stages.splits.facts import OFFICIAL


def idx(values: np.ndarray) -> bytes:
    """An idx file of unsigned bytes."""
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.astype(np.uint8).tobytes()


def cifar_batch(images: np.ndarray, labels: Iterable[int]) -> bytes:
    """A python batch of images (N, 32, 32, 3), pickled by protocol 2 as Python 2 did (NumPy data as a byte string)."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    raw = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).tobytes()
    array = b"cnumpy.core.multiarray\n_reconstruct\n" + b"cnumpy\nndarray\n" + b"K\x00\x85" + text(b"b") + b"\x87R"
    array += b"(K\x01J" + struct.pack("<i", len(images)) + b"M\x00\x0c\x86"
    array += b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R(K\x03" + text(b"|") + b"NNN"
    array += b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T" + struct.pack("<I", len(raw)) + raw + b"tb"
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"labels") + numbers + text(b"data") + array + b"u."


def svhn_mat(images: np.ndarray, labels: np.ndarray) -> bytes:
    """A MATLAB 5 file of images (N, 32, 32, 3) and labels 0..9, where the file says 10 for 0."""
    from scipy.io import savemat

    stream = io.BytesIO()
    y = np.where(labels == 0, 10, labels).astype(np.uint8)[:, np.newaxis]
    savemat(stream, {"X": images.transpose(1, 2, 3, 0), "y": y}, do_compression=True)
    return stream.getvalue()


def images_and_labels(count: int, shape: tuple[int, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random images (count, *shape), and labels 0..9 in turn."""
    images = np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)
    return images, np.arange(count) % 10


def small(dataset: str) -> dict[str, bytes]:
    """The files of a dataset with 50 training and 20 test images, by name."""
    shape = (28, 28) if dataset == "mnist" else (32, 32, 3)
    train, test = images_and_labels(50, shape, 1), images_and_labels(20, shape, 2)
    if dataset == "mnist":
        return {
            f"{part}-{kind}-idx{values.ndim}-ubyte.gz": gzip.compress(idx(values), mtime=0)
            for part, (images, labels) in (("train", train), ("t10k", test))
            for kind, values in (("images", images), ("labels", labels))
        }
    if dataset == "svhn":
        return {"train_32x32.mat": svhn_mat(*train), "test_32x32.mat": svhn_mat(*test)}
    batches = {f"data_batch_{n + 1}": cifar_batch(train[0][n * 10 :][:10], list(range(10))) for n in range(5)}
    return {"batches.meta": b"names", **batches, "test_batch": cifar_batch(test[0], [*range(10), *range(10)])}


def pin(monkeypatch: pytest.MonkeyPatch, dataset: str, files: Mapping[str, bytes], archive: bytes = b"") -> None:
    """Make ``files`` the official ones: their size and SHA-256 in the registry, their MD5 in torchvision's classes."""
    from stages.download import dataset as download

    def md5(content: bytes) -> str:
        return hashlib.md5(content).hexdigest()

    def official(name: str, content: bytes) -> OfficialFile:
        return OfficialFile(name, len(content), hashlib.sha256(content).hexdigest())

    facts = OFFICIAL[dataset]
    pinned = tuple(official(name, content) for name, content in files.items())
    monkeypatch.setitem(OFFICIAL, dataset, replace(facts, counts=(50, 20)))
    monkeypatch.setitem(OFFICIAL_FILES, dataset, pinned)
    known = load_torchvision().datasets
    if dataset == "mnist":
        monkeypatch.setattr(known.MNIST, "resources", [(name, md5(content)) for name, content in files.items()])
    elif dataset == "svhn":
        for part, (url, name, _) in {part: known.SVHN.split_list[part] for part in ("train", "test")}.items():
            monkeypatch.setitem(known.SVHN.split_list, part, [url, name, md5(files[name])])
    else:
        batches = [[name, md5(files[name])] for name in files if name.startswith("data_batch_")]
        monkeypatch.setattr(known.CIFAR10, "train_list", batches)
        monkeypatch.setattr(known.CIFAR10, "test_list", [["test_batch", md5(files["test_batch"])]])
        monkeypatch.setitem(known.CIFAR10.meta, "md5", md5(files["batches.meta"]))
        monkeypatch.setattr(known.CIFAR10, "tgz_md5", md5(archive))
        monkeypatch.setattr(download, "ARCHIVE", official("cifar-10-python.tar.gz", archive))


def fill(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}
