"""An image folder is read as recorded, or refused with one sentence that names what is odd."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from stages.core.errors import StageError
from stages.download.manifest import list_images, record
from stages.split.image_folders import read_image_folder


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
    source = read_image_folder(folder, tmp_path / "raw")
    assert source.classes == ("cat", "dog")
    assert source.train.images.shape == (4, 4, 6, 1)
    assert source.train.images[:, 0, 0, 0].tolist() == [0, 10, 1, 11]
    assert source.test.labels.tolist() == [0, 0, 1, 1]


def test_one_colour_image_makes_an_image_folder_rgb(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "pets", {"test/dog/1": "RGB"})
    record(folder, tmp_path / "raw")
    source = read_image_folder(folder, tmp_path / "raw")
    assert source.train.images[1, 0, 0].tolist() == [10, 10, 10]
    assert source.test.images[3, 0, 0].tolist() == [1, 2, 3]


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
        read_image_folder(folder, tmp_path / "raw")


def test_the_first_image_of_another_size_or_none_at_all_is_named(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "pets")
    Image.new("L", (5, 4)).save(folder / "train" / "dog" / "0.png")
    record(folder, tmp_path / "raw")
    with pytest.raises(StageError, match=r"train/dog/0.png has 5 x 4 pixels where 6 x 4"):
        read_image_folder(folder, tmp_path / "raw")
    (folder / "train" / "cat" / "1.png").write_bytes(b"no image")
    record(folder, tmp_path / "raw")
    with pytest.raises(StageError, match=r"train/cat/1.png cannot be read as an image"):
        read_image_folder(folder, tmp_path / "raw")
