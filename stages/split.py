"""Make a training and a test set of a downloaded dataset: ``python -m stages.split HOME NAME``.

``NAME`` is a key of ``data`` or ``subsets`` in HOME/params.yaml; :class:`stages.params.Split` says what its entries do.
The split lands in ``HOME/data/NAME`` (see :mod:`stages.arrays`); a table of what is in it (columns: part, label, class,
images, clean, noisy, and official, the number in the official part) and sample sheets in ``HOME/results/splits/NAME``.
The same parameters and files give the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import math
import shutil
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.arrays import PARTS, Draw, ImageFiles, Part, SplitData, array_files, noise
from stages.datasets import DATASETS, Source, read_official
from stages.errors import StageError, run_stage
from stages.files import atomic_folder, sha256, sha256_of, write_json
from stages.folders import MANIFEST, list_image_folder, read_image_folder
from stages.layout import Layout
from stages.params import Params, Split, load_params
from stages.sheets import COLUMNS, ROWS, write_sheet
from stages.streams import numpy_stream


def read_source(layout: Layout, params: Params, name: str) -> Source:
    """The official images that the split ``name`` is made of; a :class:`StageError` names a key that is wrong."""
    dataset = params.split(name).source or name
    about = params.data.get(dataset, Split())
    folder = about.folder
    if dataset in DATASETS and folder is None:
        return read_official(dataset, layout.raw(dataset))
    if dataset in DATASETS:
        raise StageError(f"data.{dataset}.folder: {dataset} is an official dataset; give your own another name.")
    if folder is None:
        raise StageError(f"data.{name}: '{dataset}' is none of {', '.join(DATASETS)}, and has no `folder` of images.")
    read = list_image_folder if about.store == "files" else read_image_folder
    return read(layout.home / folder, layout.raw(dataset))


def make_split(name: str, split: Split, source: Source) -> SplitData:
    """The split called ``name``, in memory. A :class:`StageError` names the key that asks too much.

    Images keep their official order; the noisy copies follow, all of the first sigma, then all of the second. What
    ``fractions`` keeps of a label depends on seed, label and the label's count alone, and a smaller fraction keeps a
    subset of what a larger one keeps: splits of one source share their images, seed by seed.
    """
    _check_labels(name, split, len(source.classes))
    kept = {}
    for part, first in (("train", split.train_first), ("test", split.test_first)):
        labels = getattr(source, part).labels
        index = np.arange(len(labels)) if split.classes is None else np.flatnonzero(np.isin(labels, split.classes))
        if first is not None and first > len(index):
            raise StageError(f"data.{name}.{part}_first: {first} is more than the {len(index)} images there are.")
        kept[part] = index[:first]
    drawn = _draws(split, source.train.labels, kept["train"]) if split.random else {}
    pool = np.unique(np.concatenate([draw.index for draw in drawn.values()])) if drawn else kept["train"]
    for part, index in (("training", pool), ("test", kept["test"])):
        if not len(index):
            raise StageError(f"data.{name} leaves no image in the {part} part; keep at least one.")
    # Labels keep their numbers, so a model needs as many outputs as the highest of them.
    classes = source.classes if split.classes is None else source.classes[: max(split.classes) + 1]
    train = Part(source.train.images[pool], source.train.labels[pool])
    test = Part(source.test.images[kept["test"]], source.test.labels[kept["test"]])
    if split.labels == "as_published":
        # Target columns 1 to n instead of 0 to n - 1 are called by the classes that they stand for.
        classes = source.classes[1 : len(classes) + 1]
        test = _as_published(Part(test.images, source.train.labels[kept["train"][: len(test.labels)]]))
        train = _as_published(train)
    draws = {seed: Draw(np.searchsorted(pool, draw.index), draw.sigma) for seed, draw in drawn.items()}
    return SplitData(name, classes, train, test, draws, digest="")


def _as_published(part: Part) -> Part:
    """One-hot rows without their first column: the label that Keras's accuracy sees, and the sum of the row."""
    return Part(part.images, np.maximum(part.labels - 1, 0), importance=(part.labels > 0).astype(np.float32))


def _check_labels(name: str, split: Split, classes: int) -> None:
    everything = tuple(range(classes))
    known = everything if split.classes is None else split.classes
    copied = split.noisy_copies.labels if split.noisy_copies else ()
    for key, labels, allowed in (
        ("classes", split.classes or (), everything),
        ("fractions", tuple(split.fractions), known),
        ("noisy_copies.labels", copied, known),
    ):
        for label in labels:
            if label not in allowed:
                raise StageError(
                    f"data.{name}.{key}: unknown class label {label}; the labels are {', '.join(map(str, allowed))}."
                )


def _draws(split: Split, labels: NDArray[np.int64], kept: NDArray[np.int64]) -> dict[int, Draw]:
    """What every seed draws from the official training images at ``kept``; the indices are official ones."""
    draws = {}
    for seed in split.seeds:
        index = _thin_out(split, seed, labels, kept)
        sigma = np.zeros(len(index), np.float32)
        if split.noisy_copies is not None:
            copied = index[np.isin(labels[index], split.noisy_copies.labels)]
            sigmas = np.array(split.noisy_copies.sigmas, np.float32)
            index = np.concatenate([index, np.tile(copied, len(sigmas))])
            sigma = np.concatenate([sigma, sigmas.repeat(len(copied))])
        draws[seed] = Draw(index, sigma)
    return draws


def _thin_out(split: Split, seed: int, labels: NDArray[np.int64], kept: NDArray[np.int64]) -> NDArray[np.int64]:
    dropped: list[NDArray[np.int64]] = []
    for label, fraction in split.fractions.items():
        candidates = kept[labels[kept] == label]
        # The decimal fraction as written: 0.29 * 100 is 28.999... in binary.
        count = math.floor(Fraction(str(fraction)) * len(candidates))
        order = numpy_stream("subset", seed, label).permutation(len(candidates))
        dropped.append(candidates[order[count:]])
    return np.setdiff1d(kept, np.concatenate(dropped)) if dropped else kept


def write_split(target: Path, split: Split, content: SplitData, manifest: Path | None = None) -> None:
    """Write a split in the format of :mod:`stages.arrays`, all of it or nothing.

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
        about = {
            "name": content.name,
            "classes": list(content.classes),
            "counts": {"train": len(_first_draw(split, content).labels), "test": len(content.test.labels)},
            "draws": list(content.draws),
            "split": split.model_dump(mode="json"),
            "sha256": digests,
            "digest": sha256_of(digests),
        }
        write_json(folder / "dataset.json", about)


def _first_draw(split: Split, content: SplitData) -> Part:
    """The training part of the first seed; every seed draws as many images of every label."""
    return content.train(split.seeds[0])


def composition(source: Source, train: Part, test: Part) -> Iterable[tuple[str | int, ...]]:
    """The rows of the composition table, one per part and label, labels without images included."""
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
    train = _first_draw(split, content)
    if split.labels == "as_published":
        source = Source(source.classes[1:], _as_published(source.train), _as_published(source.test))
    with atomic_folder(target) as folder:
        with (folder / "composition.csv").open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(["part", "label", "class", "images", "clean", "noisy", "official"])
            table.writerows(composition(source, train, content.test))
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


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make a training and a test set of a downloaded dataset.")
    parser.add_argument("home", type=Path, help="the folder with params.yaml")
    parser.add_argument("name", help="a key of `data` or `subsets` in params.yaml")
    arguments = parser.parse_args()
    layout = Layout(arguments.home)
    params = load_params(layout.params)
    source = read_source(layout, params, arguments.name)
    split = params.split(arguments.name)
    content = make_split(arguments.name, split, source)
    write_split(layout.data(arguments.name), split, content, manifest=layout.raw(split.source or "") / MANIFEST)
    write_composition(layout.composition(arguments.name), split, source, content)
    train, test = len(content.train(split.seeds[0]).labels), len(content.test.labels)
    print(f"{arguments.name}: {train} train, {test} test images", flush=True)


if __name__ == "__main__":
    run_stage(main)
