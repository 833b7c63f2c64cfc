"""Reading image folders: as arrays, or left in their files."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import StageError
from stages.core.files import sha256
from stages.download.manifest import MANIFEST, Listing, list_folder, parts
from stages.split.official import Source
from stages.splits.format import ImageFiles, Part
from stages.splits.pictures import Seen, decode, look

Result = TypeVar("Result")
NAMED = 3  # files that are no images: how many of them are told by name


def read_image_folder(folder: Path, raw: Path, *, store: str) -> tuple[Source, str]:
    """Read the images of the manifest in ``raw``; also a line that says what they are.

    Classes and images are in alphabetical order. As ``arrays`` images have one channel if all are greyscale, otherwise
    three; images of different sizes stay in their files, to be resized as a transform says. As ``files`` they have
    three channels. A :class:`StageError` names the first image that was added, removed or changed since the manifest
    was made, that cannot be read, or that has a mode not known.
    """
    listing = list_folder(folder)
    _compare(folder, listing.images, raw / MANIFEST)
    seen = _side_by_side(lambda image: look(folder / image), listing.images)
    channels = 3 if store == "files" or not all(one.grey for one in seen) else 1
    one_size = len({one.size for one in seen}) == 1
    read = _arrays if store == "arrays" and one_size else _files
    return _source(folder, listing.images, read(folder, listing.images, channels)), described(seen, listing)


def _arrays(folder: Path, images: Sequence[str], channels: int) -> NDArray[np.uint8]:
    return np.stack(_side_by_side(lambda image: decode(folder / image, channels=channels), images))


def _files(folder: Path, images: Sequence[str], channels: int) -> ImageFiles:
    """Every image is decoded once: better now than in the middle of training."""
    for _ in _side_by_side(lambda image: decode(folder / image, channels=channels).shape, images):
        pass
    return ImageFiles(folder, images, channels)


def _side_by_side(work: Callable[[str], Result], images: Sequence[str]) -> list[Result]:
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(work, images))


def _source(folder: Path, images: Sequence[str], pictures: NDArray[np.uint8] | ImageFiles) -> Source:
    classes = tuple(sorted({image.split("/")[1] for image in images}))
    number = {name: label for label, name in enumerate(classes)}

    def part(name: str) -> Part:
        chosen = np.array([index for index, image in enumerate(images) if image.startswith(f"{name}/")])
        labels = np.array([number[images[index].split("/")[1]] for index in chosen], np.int64)
        return Part(pictures[chosen], labels)

    train, test = (part(name) for name in parts(folder))
    return Source(classes, train, test)


def described(seen: Sequence[Seen], listing: Listing) -> str:
    """How many images of which kinds, modes and sizes there are, and which files are none."""
    sizes = Counter(one.size for one in seen)
    (width, height), (widest, highest) = ([f(side) for side in zip(*sizes, strict=True)] for f in (min, max))
    size = f"{width} x {height} pixels"
    if len(sizes) > 1:
        size = f"{len(sizes)} sizes between {width} x {height} and {widest} x {highest} pixels, to be resized"
    counted = [_counts(one.kind for one in seen), f"modes {_counts(one.mode for one in seen)}", size]
    if several := sum(one.frames > 1 for one in seen):
        counted.append(f"the first frame of {several} that have more")
    line = f"{len(seen)} images read: {'; '.join(counted)}"
    if not listing.others:
        return line
    named = ", ".join(listing.others[:NAMED]) + (", ..." if len(listing.others) > NAMED else "")
    return f"{line}. {len(listing.others)} files are no images or in no class and were not read: {named}"


def _counts(values: Iterable[str]) -> str:
    return ", ".join(f"{count} {value}" for value, count in sorted(Counter(values).items()))


def _compare(folder: Path, images: Sequence[str], manifest: Path) -> None:
    if not manifest.is_file():
        raise StageError(f"{manifest} is missing; run the download stage for this dataset.")
    with manifest.open(encoding="utf-8", newline="") as stream:
        recorded = {row["path"]: row["sha256"] for row in csv.DictReader(stream)}
    present = {image: sha256(folder / image) for image in images}
    for image in sorted(recorded.keys() | present.keys()):
        if recorded.get(image) != present.get(image):
            what = "added" if image not in recorded else "removed" if image not in present else "changed"
            raise StageError(
                f"{folder / image} was {what} since {manifest} was made (SHA-256 {recorded.get(image, 'none')} was "
                f"expected, {present.get(image, 'none')} was found); run the download stage for this dataset again."
            )
