"""Making a split in memory: which images it keeps, what every seed draws."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from stages.cell import Split
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.params import Params
from stages.split.image_folders import read_image_folder
from stages.split.official import Source, read_official
from stages.splits.facts import OFFICIAL
from stages.splits.format import Draw, ImageFiles, Part, SplitData
from stages.splits.streams import numpy_stream


def read_source(layout: Layout, params: Params, name: str) -> tuple[Source, str]:
    """The official images that the split ``name`` is made of, and what there is to say of an image folder.

    A :class:`StageError` names a key that is wrong.
    """
    dataset = params.split(name).source or name
    about = {**params.data, **params.folders}.get(dataset, Split())
    folder = about.folder
    if dataset in OFFICIAL and folder is None:
        return read_official(dataset, layout.raw(dataset)), ""
    if dataset in OFFICIAL:
        raise StageError(f"data.{dataset}.folder: {dataset} is an official dataset; give your own another name.")
    if folder is None:
        raise StageError(f"data.{name}: '{dataset}' is none of {', '.join(OFFICIAL)}, and has no `folder` of images.")
    return read_image_folder(layout.home / folder, layout.raw(dataset), store=about.store)


def make_split(name: str, split: Split, source: Source) -> SplitData:
    """The split called ``name``, in memory. A :class:`StageError` names the key that asks too much.

    Images keep their official order; the noisy copies follow, all of the first sigma, then all of the second. What
    ``fractions`` keeps of a label depends on seed, label and the label's count alone, and a smaller fraction keeps a
    subset of what a larger one keeps: splits of one source share their images, seed by seed.
    """
    _check_labels(name, split, len(source.classes))
    if split.noisy_copies is not None and isinstance(source.train.images, ImageFiles):
        raise StageError(
            f"data.{name}.noisy_copies: noise belongs to pixels, and these images are of different sizes or stay in "
            "their files; give all images one size, without `store: files`."
        )
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
        test = as_published(Part(test.images, source.train.labels[kept["train"][: len(test.labels)]]))
        train = as_published(train)
    draws = {seed: Draw(np.searchsorted(pool, draw.index), draw.sigma) for seed, draw in drawn.items()}
    return SplitData(name, classes, train, test, draws, digest="")


def as_published(part: Part) -> Part:
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
