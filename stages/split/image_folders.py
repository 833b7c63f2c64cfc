"""Reading image folders: as arrays, or left in their files."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import StageError
from stages.core.files import sha256
from stages.download.manifest import MANIFEST, list_images, parts
from stages.split.official import Source
from stages.splits.format import ImageFiles, Part


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

    train, test = (part(name) for name in parts(folder))
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

    train, test = (part(name) for name in parts(folder))
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
