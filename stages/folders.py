"""Image folders: a user's own dataset as ``train/<class>/<image>`` and ``test/<class>/<image>``, or ``val`` for test.

Downloading one records a manifest (CSV: path, sha256), so that a split is always made of the images that were recorded.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.arrays import PARTS, ImageFiles, Part
from stages.datasets import Source
from stages.errors import StageError
from stages.files import atomic_path, sha256

MANIFEST = "manifest.csv"
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
_LAYOUT = f"an image folder has train/<class>/ and test/<class>/ (or val/<class>/) with {', '.join(SUFFIXES)} files"


def list_images(folder: Path) -> list[str]:
    """The images of an image folder: paths relative to it, sorted, with ``/`` on every system.

    A :class:`StageError` names the folder if it, a part or a class is missing or without images.
    """
    classes: dict[str, list[str]] = {}
    images: list[str] = []
    for part, name in zip(PARTS, _parts(folder), strict=True):
        root = folder / name
        if not root.is_dir():
            raise StageError(f"{root} is not there: {_LAYOUT}; create it or correct `folder` in params.yaml.")
        classes[part] = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and entry.name[0] != ".")
        if not classes[part]:
            raise StageError(f"{root} holds no class folders: {_LAYOUT}; add them or correct `folder` in params.yaml.")
        for label in classes[part]:
            found = sorted(path.name for path in (root / label).iterdir() if path.suffix.lower() in SUFFIXES)
            if not found:
                raise StageError(f"{root / label} holds no images: {_LAYOUT}; add images or remove the class.")
            images += [f"{name}/{label}/{file}" for file in found]
    if odd := sorted(set(classes["train"]) ^ set(classes["test"])):
        raise StageError(f"{folder} has the class '{odd[0]}' in one part only; train and test need the same classes.")
    return images


def _parts(folder: Path) -> tuple[str, str]:
    """The folders of the training and the test part."""
    return "train", "val" if (folder / "val").is_dir() and not (folder / "test").is_dir() else "test"


def record(folder: Path, raw: Path) -> int:
    """Write the manifest of an image folder into ``raw``; returns the number of images."""
    images = list_images(folder)
    with atomic_path(raw / MANIFEST) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(["path", "sha256"])
        rows.writerows([image, sha256(folder / image)] for image in images)
    return len(images)


def list_image_folder(folder: Path, raw: Path) -> Source:
    """The images of the manifest in ``raw``, left in their files: of any size, grey ones to be read in colour.

    A :class:`StageError` names the first image that was added, removed or changed since, or that cannot be decoded.
    """
    _compare(folder, raw / MANIFEST)
    images = list_images(folder)
    classes = tuple(sorted({image.split("/")[1] for image in images}))
    number = {name: label for label, name in enumerate(classes)}
    _decode_all(folder, images)

    def part(name: str) -> Part:
        chosen = [image for image in images if image.startswith(f"{name}/")]
        labels = np.array([number[image.split("/")[1]] for image in chosen], np.int64)
        return Part(ImageFiles(folder, chosen), labels)

    train, test = (part(name) for name in _parts(folder))
    return Source(classes, train, test)


def _decode_all(folder: Path, images: Sequence[str]) -> None:
    """Read every image once, side by side: better now than in the middle of training."""
    files = ImageFiles(folder, images)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for _ in threads.map(lambda index: files.read(index, 8), range(len(images))):
            pass


def read_image_folder(folder: Path, raw: Path) -> Source:
    """Read the images of the manifest in ``raw``; classes and images are in alphabetical order.

    Images have one channel if all are greyscale, otherwise three. A :class:`StageError` names the first image that was
    added, removed or changed since the manifest was made, cannot be read, or has another size than the first one.
    """
    _compare(folder, raw / MANIFEST)
    images = list_images(folder)
    classes = tuple(sorted({image.split("/")[1] for image in images}))
    pictures = _open_all(folder, images)
    mode = "L" if all(picture.mode == "L" for picture in pictures) else "RGB"

    def part(name: str) -> Part:
        chosen = [index for index, image in enumerate(images) if image.split("/")[0] == name]
        labels = np.array([classes.index(images[index].split("/")[1]) for index in chosen], np.int64)
        return Part(np.stack([_pixels(pictures[index].convert(mode)) for index in chosen]), labels)

    train, test = (part(name) for name in _parts(folder))
    return Source(classes, train, test)


def _compare(folder: Path, manifest: Path) -> None:
    if not manifest.is_file():
        raise StageError(f"{manifest} is missing; run the download stage for this dataset.")
    with manifest.open(encoding="utf-8", newline="") as stream:
        recorded = {row["path"]: row["sha256"] for row in csv.DictReader(stream)}
    present = {image: sha256(folder / image) for image in list_images(folder)}
    for image in sorted(recorded.keys() | present.keys()):
        if recorded.get(image) != present.get(image):
            what = "added" if image not in recorded else "removed" if image not in present else "changed"
            raise StageError(
                f"{folder / image} was {what} since {manifest} was made (SHA-256 {recorded.get(image, 'none')} was "
                f"expected, {present.get(image, 'none')} was found); run the download stage for this dataset again."
            )


def _open_all(folder: Path, images: Sequence[str]) -> list[Any]:
    from PIL import Image

    pictures: list[Any] = []
    for image in images:
        try:
            with Image.open(folder / image) as picture:
                picture.load()
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise StageError(f"{folder / image} cannot be read as an image ({error}); replace or remove it.") from None
        if pictures and picture.size != pictures[0].size:
            raise StageError(
                f"{folder / image} has {picture.size[0]} x {picture.size[1]} pixels where {pictures[0].size[0]} x "
                f"{pictures[0].size[1]}, the size of {images[0]}, were expected; give all images one size."
            )
        pictures.append(picture)
    return pictures


def _pixels(picture: Any) -> NDArray[np.uint8]:
    pixels = np.asarray(picture, np.uint8)
    return pixels if pixels.ndim == 3 else pixels[..., np.newaxis]
