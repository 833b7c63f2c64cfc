"""Which of a dataset's images a split takes, and in which order."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from stages.cell import NoisyCopies, Split
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.download.dataset import download
from stages.split.make import make_split
from stages.split.official import Source, read_official
from stages.split.write import write_composition, write_split
from stages.splits.format import Part, read_split
from stages.splits.streams import numpy_stream

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "datasets"
MNIST = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]  # training images of each digit


def source_of(train: list[int], test: list[int], classes: int = 10) -> Source:
    """A dataset whose image i has all pixels i (training) or 100 + i (test)."""

    def part(labels: list[int], start: int) -> Part:
        values = np.arange(start, start + len(labels), dtype=np.uint8)
        return Part(np.broadcast_to(values[:, None, None, None], (len(labels), 4, 4, 1)), np.array(labels, np.int64))

    return Source(tuple("abcdefghij"[:classes]), part(train, 0), part(test, 100))


def ids(part: Part) -> list[int]:
    return [int(value) for value in part.images[:, 0, 0, 0]]


LABELS = [2, 0, 1, 2, 0, 1, 1, 2, 0, 0]
SOURCE = source_of(LABELS, [0, 1, 2, 0], classes=3)


def test_the_default_split_takes_everything_in_official_order() -> None:
    split = make_split("x", Split(), SOURCE)
    assert ids(split.train(0)) == list(range(10))
    assert ids(split.test) == [100, 101, 102, 103]
    assert split.train(0).labels.tolist() == LABELS
    assert split.train(0).sigma is None
    assert split.train(7) is split.train(0)


def test_classes_come_before_first_and_labels_keep_their_numbers() -> None:
    split = make_split("x", Split(classes=(2, 0), train_first=3, test_first=2), SOURCE)
    assert ids(split.train(0)) == [0, 1, 3]
    assert split.train(0).labels.tolist() == [2, 0, 2]
    assert ids(split.test) == [100, 102]
    assert split.classes == ("a", "b", "c")
    assert make_split("x", Split(classes=(0, 1)), SOURCE).classes == ("a", "b")


def test_fractions_keep_the_floor_of_a_label_and_leave_others_and_the_test_set_alone() -> None:
    split = make_split("x", Split(fractions={0: 0.5, 1: 0.5}), SOURCE)
    train = split.train(0)
    assert np.bincount(train.labels).tolist() == [2, 1, 3]
    assert ids(train) == sorted(ids(train))
    assert set(ids(train)) >= {0, 3, 7}
    assert len(split.test.labels) == 4


@pytest.mark.parametrize(
    ("fraction", "count", "kept"), [(0.29, 100, 29), (0.1, 30, 3), (0.7, 10, 7), (1, 5, 5), (0.57, 100, 57)]
)
def test_fractions_are_decimal(fraction: float, count: int, kept: int) -> None:
    split = make_split("x", Split(fractions={1: fraction}), source_of([0] + [1] * count, [0]))
    assert (split.train(0).labels == 1).sum() == kept


def test_another_seed_chooses_others_and_a_smaller_fraction_a_subset() -> None:
    source = source_of([0, 1] * 50, [0])

    def chosen(fraction: float, seed: int) -> set[int]:
        split = Split(fractions={0: fraction, 1: fraction}, seeds=(0, 1))
        return set(ids(make_split("x", split, source).train(seed)))

    assert chosen(0.2, 0) != chosen(0.2, 1)
    assert chosen(0.2, 0) == chosen(0.2, 0)
    assert chosen(0.2, 0) < chosen(0.5, 0)


def test_a_seed_draws_the_same_subset_whatever_other_seeds_and_copies_there_are() -> None:
    source = source_of([0, 1] * 50, [0])
    copies = NoisyCopies(labels=(0,), sigmas=(0.0, 0.5))
    alone = make_split("x", Split(fractions={0: 0.2}, seeds=(4,)), source).train(4)
    among = make_split("x", Split(fractions={0: 0.2}, seeds=(0, 4, 9)), source).train(4)
    copied = make_split("x", Split(fractions={0: 0.2}, seeds=(4, 0), noisy_copies=copies), source).train(4)
    assert ids(among) == ids(alone)
    assert ids(copied)[: len(ids(alone))] == ids(alone)


def test_a_seed_that_was_not_drawn_is_refused() -> None:
    split = make_split("x", Split(fractions={0: 0.5}, seeds=(0, 3)), SOURCE)
    with pytest.raises(StageError, match="x was drawn for seeds 0, 3, not for 1"):
        split.train(1)


def test_noisy_copies_follow_the_clean_images_of_what_is_left() -> None:
    copies = NoisyCopies(labels=(0,), sigmas=(0.25, 0.5))
    plain = make_split("x", Split(fractions={0: 0.5}, seeds=(3,)), SOURCE).train(3)
    noisy = make_split("x", Split(fractions={0: 0.5}, seeds=(3,), noisy_copies=copies), SOURCE).train(3)
    zeros = [value for value, label in zip(ids(plain), plain.labels, strict=True) if label == 0]
    assert ids(noisy) == ids(plain) + zeros + zeros
    assert noisy.labels.tolist() == plain.labels.tolist() + [0] * 4
    assert noisy.sigma is not None
    assert noisy.sigma.dtype == np.float32
    assert noisy.sigma.tolist() == [0] * 8 + [0.25, 0.25, 0.5, 0.5]


@pytest.mark.parametrize(
    ("split", "sentence"),
    [
        (Split(train_first=11), r"data\.x\.train_first: 11 is more than the 10 images there are"),
        (Split(classes=(1,), test_first=2), r"data\.x\.test_first: 2 is more than the 1 images"),
        (Split(classes=(0, 3)), r"data\.x\.classes: unknown class label 3; the labels are 0, 1, 2"),
        (Split(fractions={-1: 0.5}), r"data\.x\.fractions: unknown class label -1"),
        (Split(classes=(1, 2), fractions={0: 0.5}), r"data\.x\.fractions: unknown class label 0; the labels are 1, 2"),
        (Split(noisy_copies=NoisyCopies(labels=(9,), sigmas=(1,))), r"noisy_copies\.labels: unknown class label 9"),
        (Split(fractions={0: 0, 1: 0, 2: 0}), r"data\.x leaves no image in the training part"),
        (Split(classes=()), r"data\.x leaves no image in the training part"),
    ],
)
def test_a_split_that_asks_too_much_is_refused_with_its_key(split: Split, sentence: str) -> None:
    with pytest.raises(StageError, match=sentence):
        make_split("x", split, SOURCE)


def made_up_mnist() -> Source:
    """60,000 labels in the numbers of MNIST; an image is four bytes that spell its position."""
    labels = numpy_stream("made-up mnist").permutation(np.repeat(np.arange(10), MNIST))
    images = np.arange(60_000, dtype=np.uint32).view(np.uint8).reshape(-1, 1, 1, 4)
    return Source(tuple("0123456789"), Part(images, labels), Part(images[:1], labels[:1]))


@pytest.fixture(params=["made up", "real"])
def mnist(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    if request.param == "made up":
        return made_up_mnist()
    if not SHARED.is_dir():
        pytest.skip("no official files beside the repository")
    monkeypatch.setenv("RECURNETS_MIRROR", str(SHARED))
    download(Layout(tmp_path), "mnist")
    return read_official("mnist", Layout(tmp_path).raw("mnist"))


def test_mnist_unbalanced_augmented_and_oversampled_share_one_subset_of_the_published_size(mnist: Source) -> None:
    def drawn(seeds: tuple[int, ...], *sigmas: float) -> Part:
        copies = NoisyCopies(labels=tuple(range(5)), sigmas=sigmas) if sigmas else None
        split = Split(fractions=dict.fromkeys(range(5), 0.1), noisy_copies=copies, seeds=seeds)
        return make_split("x", split, mnist).train(1)

    unbalanced, rest = drawn((1,)), MNIST[5:]
    assert np.bincount(unbalanced.labels).tolist() == [592, 674, 595, 613, 584, *rest]
    assert len(unbalanced.labels) == 32_462
    rare = unbalanced.labels < 5
    for seeds, sigmas in (((0, 1), [0.03 * k for k in range(1, 10)]), ((1, 2), [0.0] * 9)):
        copied = drawn(seeds, *sigmas)
        assert np.bincount(copied.labels).tolist() == [5920, 6740, 5950, 6130, 5840, *rest]
        assert len(copied.labels) == 59_984
        for name in ("images", "labels"):
            clean, ours = getattr(unbalanced, name), getattr(copied, name)
            np.testing.assert_array_equal(ours, np.concatenate([clean, *[clean[rare]] * 9]))
        assert copied.sigma is not None
        np.testing.assert_array_equal(copied.sigma, np.repeat(np.float32([0, *sigmas]), [32_462, *[rare.sum()] * 9]))


def test_labels_as_published_lose_their_first_column_and_come_from_the_training_set(tmp_path: Path) -> None:
    source = source_of([0, 1, 2, 3, 2, 1, 0, 2], [2, 0, 1, 0], classes=4)
    split = Split(classes=(0, 1, 2), test_first=3, labels="as_published")
    made = make_split("x", split, source)
    one_hot = np.eye(4)[source.train.labels[[0, 1, 2, 4, 5, 6, 7]]][:, 1:]  # columns 1 to 3 of the kept images
    assert made.pool.labels.tolist() == one_hot.argmax(axis=1).tolist()  # of an all-zero row, argmax is 0
    assert made.pool.importance is not None
    assert made.pool.importance.tolist() == one_hot.sum(axis=1).tolist()
    assert ids(made.test) == [100, 101, 102]  # the test images are the right ones
    assert made.test.labels.tolist() == made.pool.labels[:3].tolist()
    assert made.classes == ("b", "c", "d")
    write_split(tmp_path / "x", split, made)
    again = read_split(tmp_path / "x")
    assert again.train(0).importance.tolist() == made.pool.importance.tolist()
    write_composition(tmp_path / "table", split, source, again)
    rows = list(csv.DictReader((tmp_path / "table" / "composition.csv").open()))
    assert [(row["class"], row["images"], row["official"]) for row in rows if row["part"] == "train"] == [
        ("b", "4", "4"), ("c", "3", "3"), ("d", "0", "1"),
    ]  # fmt: skip
