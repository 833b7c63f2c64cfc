"""Writing a split: its arrays, its composition table, its sample sheets."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.cell import Split
from stages.core.files import atomic_folder, sha256, sha256_of, write_json
from stages.core.image_sheets import COLUMNS, ROWS, write_sheet
from stages.core.tables import write_csv
from stages.split.make import as_published
from stages.split.official import Source
from stages.splits.format import PARTS, ImageFiles, Part, SplitData, array_files, noise

COMPOSITION = ("part", "label", "class", "images", "clean", "noisy", "official")


def write_split(target: Path, split: Split, content: SplitData, manifest: Path | None = None) -> None:
    """Write a split in the format of :mod:`stages.splits.format`, all of it or nothing.

    ``manifest``: the hashes of images that stay in their files; a copy lies beside their names, so that the digest of
    the split is one of their content, too.
    """
    with atomic_folder(target) as folder:
        for name, part in zip(PARTS, (content.pool, content.test), strict=True):
            if isinstance(part.images, ImageFiles):
                lines = [str(part.images.folder), *part.images.names]
                (folder / f"{name}_files.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
                if manifest is not None:
                    shutil.copyfile(manifest, folder / "manifest_files.txt")
            else:
                np.save(folder / f"{name}_images.npy", np.ascontiguousarray(part.images))
            np.save(folder / f"{name}_labels.npy", part.labels)
            if part.importance is not None:
                np.save(folder / f"{name}_importance.npy", part.importance)
        for seed, draw in content.draws.items():
            np.save(folder / f"draw-{seed}_index.npy", draw.index)
            np.save(folder / f"draw-{seed}_sigma.npy", draw.sigma)
        digests = {path.name: sha256(path) for path in array_files(folder)}
        about: dict[str, object] = {
            "name": content.name,
            "classes": list(content.classes),
            "counts": {"train": len(first_draw(split, content).labels), "test": len(content.test.labels)},
            "draws": list(content.draws),
            "split": split.model_dump(mode="json"),
            "sha256": digests,
            "digest": sha256_of(digests),
        }
        if isinstance(content.pool.images, ImageFiles):
            about["channels"] = content.pool.channels
        write_json(folder / "dataset.json", about)


def first_draw(split: Split, content: SplitData) -> Part:
    """The training part of the first seed; every seed draws as many images of every label."""
    return content.train(split.seeds[0])


def composition(source: Source, train: Part, test: Part) -> Iterable[tuple[str | int, ...]]:
    """The rows of the composition table, one per part and label; columns :data:`COMPOSITION`."""
    for name, part in zip(PARTS, (train, test), strict=True):
        official = getattr(source, name).labels
        sigma = np.zeros(len(part.labels), np.float32) if part.sigma is None else part.sigma
        for label, title in enumerate(source.classes):
            images = part.labels == label
            noisy = int((images & (sigma > 0)).sum())
            total = int(images.sum())
            yield name, label, title, total, total - noisy, noisy, int((official == label).sum())


def write_composition(target: Path, split: Split, source: Source, content: SplitData) -> None:
    """Write composition.csv, samples.png and, where there are noisy copies, noise.png; all of them or nothing.

    The training part is that of the first seed.
    """
    train = first_draw(split, content)
    if split.labels == "as_published":
        source = Source(source.classes[1:], as_published(source.train), as_published(source.test))
    with atomic_folder(target) as folder:
        table = (dict(zip(COMPOSITION, row, strict=True)) for row in composition(source, train, content.test))
        write_csv(folder / "composition.csv", table, COMPOSITION)
        first = {label: np.flatnonzero(train.labels == label) for label in np.unique(train.labels)[:ROWS]}
        rows = [(content.classes[label], _shown(train, index[:COLUMNS])) for label, index in first.items()]
        write_sheet(folder / "samples.png", rows)
        if train.sigma is not None and train.sigma.any():
            write_sheet(folder / "noise.png", _noise_rows(split.seeds[0], source, train, train.sigma))


def _shown(part: Part, index: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Images for a sheet; those that stay in their files at 64 pixels."""
    if isinstance(part.images, ImageFiles):
        return np.stack([part.images.read(one, 64) for one in index])
    return part.images[index]


def _noise_rows(
    seed: int, source: Source, train: Part, sigma: NDArray[np.float32]
) -> list[tuple[str, NDArray[np.uint8]]]:
    """Per copied label its first image, clean and with each noise, cut to the range that a sheet can show."""
    drawn = noise(sigma, train.array.shape[1:], seed)
    rows = []
    for label in np.unique(train.labels[sigma > 0])[:ROWS]:
        clean = np.flatnonzero((train.labels == label) & (sigma == 0))
        copies = np.flatnonzero((train.labels == label) & (sigma > 0))[:: len(clean)]
        shown = np.concatenate([clean[:1], copies])
        pixels = train.array[shown] / 255 + drawn[shown]
        rows.append((source.classes[label], np.rint(pixels.clip(0, 1) * 255).astype(np.uint8)))
    return rows
