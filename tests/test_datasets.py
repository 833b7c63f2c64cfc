"""The readers give back exactly what official files hold, and refuse everything else with one sentence."""

from __future__ import annotations

import gzip
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.core.torchvision_import import load_torchvision
from stages.download.dataset import download
from stages.download.official_files import OFFICIAL_FILES
from stages.split.official import read_official
from stages.split.readers import read_cifar_batch, read_idx, read_idx_part, read_svhn
from stages.splits.facts import CIFAR10
from tests.official_files import cifar_batch, idx, images_and_labels, pin, small, svhn_mat

SHARED = Path(__file__).parents[2] / "shared" / "datasets"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="no official files beside the repository")
Write = Callable[[str, bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return written


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_are_read_compressed_or_not(suffix: str, write: Write) -> None:
    images, labels = images_and_labels(7, (28, 28), 3)
    pack = gzip.compress if suffix else bytes
    part = read_idx_part(write("i" + suffix, pack(idx(images))), write("l" + suffix, pack(idx(labels))))
    assert part.images.shape == (7, 28, 28, 1)
    assert part.images.dtype == np.uint8
    assert part.labels.dtype == np.int64
    np.testing.assert_array_equal(part.images[..., 0], images)
    np.testing.assert_array_equal(part.labels, labels)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a", b"", "the idx magic number 00000803 was expected, nothing was found"),
        ("a", idx(np.zeros(5)), "the idx magic number 00000803 was expected, 00000801 was found"),
        ("a", idx(np.zeros((1, 2, 2)))[:9], "an idx header of 16 bytes was expected, 9 bytes was found"),
        ("a", idx(np.zeros((1, 2, 2)))[:-1], r"4 bytes after the header \(shape \(1, 2, 2\)\) was expected, 3 was"),
        ("a", idx(np.zeros((1, 2, 2))) + b"x", "4 bytes after the header .* was expected, 5 was found"),
        ("a", b"\0\0\x08\x03" + b"\xff" * 12, f"{(2**32 - 1) ** 3} bytes after the header"),
        ("a.gz", gzip.compress(idx(np.zeros((1, 2, 2))), mtime=0)[:-9], "a whole gzip file was expected"),
        ("a.gz", b"<html>not found</html>", "a whole gzip file was expected"),
    ],
)
def test_a_malformed_idx_file_is_refused(name: str, content: bytes, sentence: str, write: Write) -> None:
    with pytest.raises(StageError, match=rf"{name} is damaged: {sentence}.*delete it and run"):
        read_idx(write(name, content), 3)


def test_images_and_labels_must_be_as_many(write: Write) -> None:
    with pytest.raises(StageError, match="one label for each of the 3 images was expected, 2 was found"):
        read_idx_part(write("i", idx(np.zeros((3, 2, 2)))), write("l", idx(np.zeros(2))))


def test_a_python_2_batch_is_read(write: Write) -> None:
    images, labels = images_and_labels(12, (32, 32, 3), 4)
    part = read_cifar_batch(write("batch", cifar_batch(images, list(labels))))
    assert part.images.dtype == np.uint8
    np.testing.assert_array_equal(part.images, images)
    np.testing.assert_array_equal(part.labels, labels)


class Hostile:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return Path.touch, (Path("touched"),)  # type: ignore[return-value]


def test_a_pickle_that_would_run_something_is_refused(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hostile = write("batch", pickle.dumps({b"data": Hostile()}, protocol=2))
    with pytest.raises(StageError, match=r"a reference to \w+\.\w+, which no official file has was found"):
        read_cifar_batch(hostile)
    assert not Path("touched").exists()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "EOFError|Ran out of input"),
        (cifar_batch(*images_and_labels(2, (32, 32, 3), 5))[:-2000], "truncated"),
        (b"no pickle at all", "."),
        (pickle.dumps([1], protocol=2), "no such `data`"),
        (pickle.dumps({"labels": [1]}, protocol=2), "no such `data`"),
        (cifar_batch(images_and_labels(2, (32, 32, 3), 5)[0], [1]), "something else"),
    ],
)
def test_a_malformed_batch_is_refused(content: bytes, found: str, write: Write) -> None:
    with pytest.raises(StageError, match=rf"batch is damaged: .* was expected, .*({found}).* was found; delete it"):
        read_cifar_batch(write("batch", content))


def test_svhn_is_read_with_its_zeros(write: Write) -> None:
    images, labels = images_and_labels(11, (32, 32, 3), 6)
    part = read_svhn(write("train_32x32.mat", svhn_mat(images, labels)))
    assert part.images.dtype == np.uint8
    np.testing.assert_array_equal(part.images, images)
    np.testing.assert_array_equal(part.labels, labels)


def test_a_malformed_mat_file_is_refused(write: Write) -> None:
    from scipy.io import savemat

    whole = svhn_mat(*images_and_labels(11, (32, 32, 3), 6))
    for content in (b"", b"text", whole[:300], whole[: len(whole) // 2], whole[:-1]):
        with pytest.raises(StageError, match=r"x\.mat is damaged: a MATLAB 5 file .* was expected"):
            read_svhn(write("x.mat", content))
    path = write("y.mat", b"")
    two = np.zeros((32, 32, 3, 2), np.uint8)
    for bad in ({"X": two}, {"X": two / 2, "y": [[1], [2]]}, {"X": two, "y": [[1]]}, {"X": two, "y": [[0], [1]]}):
        savemat(path, bad)
        with pytest.raises(StageError, match=r"y\.mat is damaged"):
            read_svhn(path)


@pytest.mark.parametrize("dataset", ["mnist", "svhn", "cifar10"])
def test_both_parts_of_a_dataset_are_read_in_official_order(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = small(dataset)
    pin(monkeypatch, dataset, files)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    source = read_official(dataset, tmp_path)
    shape = (28, 28) if dataset == "mnist" else (32, 32, 3)
    for part, count, seed in ((source.train, 50, 1), (source.test, 20, 2)):
        images, labels = images_and_labels(count, shape, seed)
        np.testing.assert_array_equal(part.images.reshape(images.shape), images)
        np.testing.assert_array_equal(part.labels, labels)


def test_a_missing_or_altered_official_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = small("svhn")
    pin(monkeypatch, "svhn", files)
    (tmp_path / "train_32x32.mat").write_bytes(files["train_32x32.mat"])
    with pytest.raises(StageError, match=r"test_32x32\.mat is missing; run the download stage for svhn"):
        read_official("svhn", tmp_path)
    (tmp_path / "test_32x32.mat").write_bytes(files["train_32x32.mat"])
    with pytest.raises(StageError, match=r"test_32x32\.mat is damaged: SHA-256 \w{64} was expected, \w{64} was found"):
        read_official("svhn", tmp_path)


def test_digits_are_scaled_to_full_range_and_split_in_their_order(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    bundle = load_digits()
    layout = Layout(tmp_path)
    download(layout, "digits")
    source = read_official("digits", layout.raw("digits"))
    images = np.concatenate([source.train.images, source.test.images])
    assert (len(source.train.labels), len(source.test.labels)) == (1437, 360)
    np.testing.assert_array_equal(np.concatenate([source.train.labels, source.test.labels]), bundle.target)
    assert images.shape == (1797, 8, 8, 1)
    assert images.max() == 255
    assert np.abs(images[..., 0] / 255 - bundle.images / 16).max() <= 0.5 / 255


def test_torchvision_loads_beside_any_torch() -> None:
    module = load_torchvision()
    assert load_torchvision() is module
    assert module.transforms.RandomCrop(28)(Image.new("L", (32, 32))).size == (28, 28)


@needs_shared
def test_real_mnist_has_its_published_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURNETS_MIRROR", str(SHARED))
    download(Layout(tmp_path), "mnist")
    source = read_official("mnist", Layout(tmp_path).raw("mnist"))
    assert np.bincount(source.train.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(source.test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    # The mean and standard deviation that everybody normalises with.
    assert round(source.train.images.mean() / 255, 4) == 0.1307
    assert round(source.train.images.std() / 255, 4) == 0.3081


@pytest.fixture(scope="session")
def cifar10_mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    mirror = tmp_path_factory.mktemp("mirror")
    batches = mirror / "cifar10" / "cifar-10-batches-py"
    command = [sys.executable, str(SHARED / "cifar10" / "rebuild_batches.py"), str(batches)]
    subprocess.run(command, check=True, timeout=120, stdout=subprocess.DEVNULL)
    (batches / "batches.meta").write_bytes((SHARED / "cifar10" / "batches.meta").read_bytes())
    return mirror


@needs_shared
def test_real_cifar10_is_read_like_torchvision_reads_it(
    cifar10_mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECURNETS_MIRROR", str(cifar10_mirror))
    download(Layout(tmp_path), "cifar10")
    raw = Layout(tmp_path).raw("cifar10")
    source = read_official("cifar10", raw)
    assert source.classes == CIFAR10
    assert sorted(path.name for path in raw.iterdir()) == sorted(file.name for file in OFFICIAL_FILES["cifar10"])
    reference = load_torchvision().datasets.CIFAR10(cifar10_mirror / "cifar10", train=True)
    assert tuple(reference.classes) == source.classes
    assert source.train.labels.tolist() == reference.targets
    assert np.array_equal(source.train.images, reference.data)
    assert np.bincount(source.test.labels).tolist() == [1000] * 10
