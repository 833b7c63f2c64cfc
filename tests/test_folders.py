"""An image folder is read as recorded, or refused with one sentence that names what is odd."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from stages.cell import Split
from stages.cell.images import NoisyCopies, Transform
from stages.core.errors import StageError
from stages.core.torchvision_import import load_torchvision
from stages.download.manifest import list_images, record
from stages.learning.batches import load_images, ordered_batches, training_batches
from stages.split.image_folders import read_image_folder
from stages.split.make import make_split
from stages.splits.format import ImageFiles, Part
from stages.splits.pictures import SUFFIXES
from tests.small import small_cell


def make_folder(folder: Path, color: dict[str, str] | None = None) -> Path:
    """Two classes of two 6 x 4 images in each part, image k of grey level 10 * k."""
    for part in ("train", "test"):
        for label, name in enumerate(("cat", "dog")):
            (folder / part / name).mkdir(parents=True)
            for k in range(2):
                path = folder / part / name / f"{k}.png"
                mode = (color or {}).get(f"{part}/{name}/{k}", "L")
                Image.new(mode, (6, 4), 10 * k + label if mode == "L" else (1, 2, 3)).save(path)
    return folder


def test_an_image_folder_is_read_in_alphabetical_order(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "pets")
    (folder / "train" / "cat" / "notes.txt").write_text("not an image")
    assert record(folder, tmp_path / "raw") == 8
    source, said = read_image_folder(folder, tmp_path / "raw", store="arrays")
    assert source.classes == ("cat", "dog")
    assert source.train.array.shape == (4, 4, 6, 1)
    assert source.train.array[:, 0, 0, 0].tolist() == [0, 10, 1, 11]
    assert said == (
        "8 images read: 8 PNG; modes 8 L; 6 x 4 pixels. "
        "1 files are no images or in no class and were not read: train/cat/notes.txt"
    )
    assert source.test.labels.tolist() == [0, 0, 1, 1]


def test_one_colour_image_makes_an_image_folder_rgb(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "pets", {"test/dog/1": "RGB"})
    record(folder, tmp_path / "raw")
    source, _ = read_image_folder(folder, tmp_path / "raw", store="arrays")
    assert source.train.array[1, 0, 0].tolist() == [10, 10, 10]
    assert source.test.array[3, 0, 0].tolist() == [1, 2, 3]


def test_an_image_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="pets/train is not there"):
        list_images(tmp_path / "pets")
    (tmp_path / "pets" / "train").mkdir(parents=True)
    with pytest.raises(StageError, match="pets/train holds no class folders"):
        list_images(tmp_path / "pets")
    (tmp_path / "pets" / "train" / "cat").mkdir()
    with pytest.raises(StageError, match="pets/train/cat holds no images"):
        list_images(tmp_path / "pets")


def test_parts_of_an_image_folder_need_the_same_classes(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "pets")
    (folder / "test" / "dog").rename(folder / "test" / "wolf")
    with pytest.raises(StageError, match="the class 'dog' in one part only"):
        list_images(folder)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda path: path.unlink(), "was removed since"),
        (lambda path: Image.new("L", (6, 4), 99).save(path), "was changed since"),
        (lambda path: Image.new("L", (6, 4)).save(path.with_name("9.png")), "9.png was added since"),
    ],
)
def test_an_image_folder_that_changed_since_it_was_recorded_is_refused(
    change: Callable[[Path], None], sentence: str, tmp_path: Path
) -> None:
    folder = make_folder(tmp_path / "pets")
    record(folder, tmp_path / "raw")
    change(folder / "train" / "dog" / "1.png")
    with pytest.raises(StageError, match=sentence):
        read_image_folder(folder, tmp_path / "raw", store="arrays")


def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "pets")
    (folder / "train" / "cat" / "1.png").write_bytes(b"no image")
    record(folder, tmp_path / "raw")
    with pytest.raises(StageError, match=r"train/cat/1.png cannot be read as an image"):
        read_image_folder(folder, tmp_path / "raw", store="arrays")


def test_half_an_image_is_named_when_the_split_is_made_not_in_training(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "pets")
    whole = folder / "train" / "cat" / "1.png"
    Image.effect_noise((64, 64), 50).save(whole)
    whole.write_bytes(whole.read_bytes()[:2000])
    record(folder, tmp_path / "raw")
    with pytest.raises(StageError, match=r"train/cat/1.png cannot be read as an image"):
        read_image_folder(folder, tmp_path / "raw", store="files")


@pytest.mark.parametrize("name", ["._0.png", ".DS_Store", "Thumbs.db", "desktop.ini", ".hidden/0.png"])
def test_hidden_files_are_no_images_and_not_worth_a_word(name: str, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "pets")
    hidden = folder / "train" / "cat" / name
    hidden.parent.mkdir(exist_ok=True)
    hidden.write_bytes(b"\0\5\26\7")
    assert record(folder, tmp_path / "raw") == 8
    assert "not read" not in read_image_folder(folder, tmp_path / "raw", store="arrays")[1]


@pytest.mark.parametrize("name", [".ipynb_checkpoints", ".git"])
def test_a_hidden_folder_is_no_class(name: str, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "pets")
    (folder / "train" / name).mkdir()
    Image.new("L", (6, 4)).save(folder / "train" / name / "0.png")
    record(folder, tmp_path / "raw")
    assert read_image_folder(folder, tmp_path / "raw", store="arrays")[0].classes == ("cat", "dog")


def test_files_that_are_no_images_are_counted_and_the_first_ones_named(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "pets")
    for name in ("train/stray.png", "train/cat/list.csv", "test/dog/a.svg", "test/dog/b.gif"):
        (folder / name).write_bytes(b"?")
    record(folder, tmp_path / "raw")
    _, said = read_image_folder(folder, tmp_path / "raw", store="arrays")
    assert said.endswith("4 files are no images or in no class and were not read: "
                         "train/cat/list.csv, train/stray.png, test/dog/a.svg, ...")  # fmt: skip


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_kind_of_file_that_imagefolder_takes_is_read(suffix: str, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "pets")
    kind = Image.registered_extensions()[suffix]
    Image.new("L", (6, 4), 77).save(folder / "train" / "cat" / f"2{suffix.upper()}", kind)
    record(folder, tmp_path / "raw")
    source, _ = read_image_folder(folder, tmp_path / "raw", store="arrays")
    assert abs(int(source.train.array[2, 2, 2, 0]) - 77) <= 1  # what JPEG and WebP may lose of an even grey


def test_no_kind_of_file_of_imagefolder_is_missing() -> None:
    load_torchvision()
    from torchvision.datasets.folder import IMG_EXTENSIONS

    assert set(IMG_EXTENSIONS) <= set(SUFFIXES)


def test_images_in_folders_of_a_class_are_taken_as_imagefolder_does(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "pets")
    for part in ("train", "test"):
        deep = folder / part / "dog" / "big" / "old"
        deep.mkdir(parents=True)
        Image.new("L", (6, 4), 50).save(deep / "0.png")
    record(folder, tmp_path / "raw")
    source, _ = read_image_folder(folder, tmp_path / "raw", store="arrays")
    oracle = load_torchvision().datasets.ImageFolder(str(folder / "train"))
    theirs = sorted((label, image.getpixel((0, 0))[0]) for image, label in oracle)
    ours = sorted(zip(source.train.labels.tolist(), source.train.array[:, 0, 0, 0].tolist(), strict=True))
    assert ours == theirs
    assert len(ours) == 5


def test_images_of_different_sizes_stay_in_their_files_and_are_resized_as_the_transform_says(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "pets")
    odd = Image.effect_noise((9, 5), 60)
    odd.save(folder / "train" / "dog" / "1.png")
    record(folder, tmp_path / "raw")
    source, said = read_image_folder(folder, tmp_path / "raw", store="arrays")
    assert "2 sizes between 6 x 4 and 9 x 5 pixels, to be resized" in said
    transform = Transform(resize=8, crop_padding=2, flip=True, mean=(0.0,), std=(1.0,))
    images = load_images(source.train, transform, torch.device("cpu"), training=False, noise_seed=0)
    pixels = torch.cat([batch.pixels for batch in ordered_batches(images, 3)])
    expected = np.asarray(odd.resize((8, 8), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(np.rint(255 * pixels[3, 0].numpy()), expected)
    assert len(pixels) == 4


def test_images_of_different_sizes_train_on_the_pixels_that_arrays_of_one_size_would(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "pets")
    Image.effect_noise((9, 5), 60).save(folder / "train" / "dog" / "1.png")
    record(folder, tmp_path / "raw")
    files = read_image_folder(folder, tmp_path / "raw", store="arrays")[0].train
    assert isinstance(files.images, ImageFiles)
    arrays = Part(np.stack([files.images.read(index, 8) for index in range(4)]), files.labels)
    transform = Transform(resize=8, crop_padding=2, flip=True, mean=(0.0,), std=(1.0,))
    recipe = small_cell(batch_size=3, drop_last=False).recipe
    seen = []
    for part in (files, arrays):
        images = load_images(part, transform, torch.device("cpu"), training=True, noise_seed=0)
        seen.append([batch.pixels for batch in training_batches(images, recipe, seed=1, epoch=2)])
    assert len(seen[0]) == 2
    for first, second in zip(*seen, strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_images_of_different_sizes_without_resize_are_refused_in_a_sentence(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "pets")
    Image.new("L", (9, 5)).save(folder / "train" / "dog" / "1.png")
    record(folder, tmp_path / "raw")
    source, _ = read_image_folder(folder, tmp_path / "raw", store="arrays")
    with pytest.raises(StageError, match=r"give their transform in params.yaml a `resize`"):
        load_images(source.train, Transform(mean=(0.0,), std=(1.0,)), torch.device("cpu"), training=True, noise_seed=0)


def test_noisy_copies_of_images_of_different_sizes_are_refused_in_a_sentence(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "pets")
    Image.new("L", (9, 5)).save(folder / "train" / "dog" / "1.png")
    record(folder, tmp_path / "raw")
    source, _ = read_image_folder(folder, tmp_path / "raw", store="arrays")
    copies = Split(source="pets", noisy_copies=NoisyCopies(labels=(0,), sigmas=(0.1,)))
    with pytest.raises(StageError, match=r"data.noisy.noisy_copies: noise belongs to pixels"):
        make_split("noisy", copies, source)
