"""An image file gives the picture that it shows, whatever kind of file and mode holds it, or is refused by name."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.core.errors import StageError
from stages.splits.pictures import decode, look

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)
COLOURS = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
CLEAR = np.linspace(0, 255, 256).astype(np.uint8).reshape(16, 16)  # alpha, from hidden to opaque


def saved(path: Path, picture: Image.Image, **options: object) -> Path:
    picture.save(path, **options)  # type: ignore[arg-type]
    return path


def grey(path: Path) -> np.ndarray:
    assert look(path).grey
    return decode(path, channels=1)[..., 0]


def on_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """A colour laid on white by the definition of alpha, before rounding."""
    share = alpha[..., np.newaxis] / 255 if colour.ndim == 3 else alpha / 255
    return colour * share + 255 * (1 - share)


@pytest.mark.parametrize("name", ["0.png", "0.tif"])
def test_16_bits_of_grey_are_the_8_bit_picture_that_they_were_made_of(name: str, tmp_path: Path) -> None:
    path = saved(tmp_path / name, Image.fromarray(RAMP.astype(np.uint16) * 257))
    assert look(path).mode == "I;16"
    np.testing.assert_array_equal(grey(path), RAMP)


def test_16_bits_of_grey_between_two_grey_values_go_to_the_nearer(tmp_path: Path) -> None:
    values = np.array([[0, 128, 129, 65406, 65407, 65535]], np.uint16)
    path = saved(tmp_path / "0.png", Image.fromarray(values))
    assert grey(path).tolist() == [[0, 0, 1, 254, 255, 255]]


def test_16_bits_of_big_endian_tiff_are_read_as_such(tmp_path: Path) -> None:
    picture = Image.frombytes("I;16B", (16, 16), (RAMP.astype(">u2") * 257).tobytes())
    np.testing.assert_array_equal(grey(saved(tmp_path / "0.tif", picture)), RAMP)


@pytest.mark.parametrize(("highest", "kind"), [(15, "u1"), (255, "u1"), (1023, ">u2"), (65535, ">u2")])
def test_a_pgm_is_scaled_by_its_own_highest_value(highest: int, kind: str, tmp_path: Path) -> None:
    values = np.array([0, highest // 3, highest], kind)
    path = tmp_path / "0.pgm"
    path.write_bytes(b"P5 3 1 %d\n" % highest + values.tobytes())
    expected = values.astype(float) * 255 / highest
    assert np.abs(grey(path)[0] - expected).max() <= 0.5 + 255 / 65535  # rounded to 8 bits, by way of 16


def test_black_and_white_is_0_and_255(tmp_path: Path) -> None:
    path = saved(tmp_path / "0.png", Image.fromarray(RAMP > 100))
    np.testing.assert_array_equal(grey(path), np.where(RAMP > 100, 255, 0))


@pytest.mark.parametrize("name", ["0.png", "0.webp", "0.tif"])
def test_transparent_parts_of_a_colour_image_show_white_not_the_hidden_colour(name: str, tmp_path: Path) -> None:
    picture = Image.fromarray(np.dstack([COLOURS, CLEAR]), "RGBA")
    path = saved(tmp_path / name, picture, **({"lossless": True, "exact": True} if name.endswith("webp") else {}))
    assert not look(path).grey
    shown = decode(path, channels=3)
    assert shown[0, 0].tolist() == [255, 255, 255]
    assert np.abs(shown - on_white(COLOURS, CLEAR)).max() <= 1  # Pillow blends in whole numbers


def test_transparent_parts_of_a_grey_image_show_white_and_it_stays_grey(tmp_path: Path) -> None:
    path = saved(tmp_path / "0.png", Image.merge("LA", [Image.fromarray(RAMP), Image.fromarray(CLEAR[::-1].copy())]))
    assert np.abs(grey(path) - on_white(RAMP, CLEAR[::-1])).max() <= 1


def test_one_colour_declared_transparent_shows_white(tmp_path: Path) -> None:
    path = saved(tmp_path / "0.png", Image.new("RGB", (2, 2), (9, 8, 7)), transparency=(9, 8, 7))
    assert decode(path, channels=3).tolist() == np.full((2, 2, 3), 255).tolist()


def test_one_grey_value_of_16_bits_declared_transparent_shows_white(tmp_path: Path) -> None:
    path = saved(tmp_path / "0.png", Image.fromarray(RAMP.astype(np.uint16) * 257), transparency=2570)
    expected = RAMP.copy()
    expected[RAMP == 10] = 255
    np.testing.assert_array_equal(grey(path), expected)


def test_a_palette_gives_its_colours_and_its_transparent_entries_show_white(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putdata([0, 1])
    assert decode(saved(tmp_path / "0.png", picture), channels=3).tolist() == [[[10, 20, 30], [200, 100, 50]]]
    clear = decode(saved(tmp_path / "1.png", picture, transparency=1), channels=3)
    assert clear.tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_cmyk_becomes_colour_by_its_formula(tmp_path: Path) -> None:
    ink = np.dstack([COLOURS, RAMP // 2])
    path = saved(tmp_path / "0.tif", Image.fromarray(ink, "CMYK"))
    expected = (255.0 - ink[..., :3]) * (255.0 - ink[..., 3:]) / 255
    assert np.abs(decode(path, channels=3) - expected).max() <= 1


def test_of_several_frames_the_first_is_taken_and_the_number_known(tmp_path: Path) -> None:
    first, second = Image.new("L", (3, 3), 40), Image.new("L", (3, 3), 200)
    path = saved(tmp_path / "0.tif", first, save_all=True, append_images=[second])
    assert look(path).frames == 2
    assert np.unique(decode(path, channels=1)).tolist() == [40]


@pytest.mark.parametrize("mode", ["I", "F"])
def test_a_mode_whose_white_is_not_known_is_refused_by_name(mode: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "0.tif", Image.new(mode, (4, 4), 1000))
    for read in (look, lambda path: decode(path, channels=1)):
        with pytest.raises(StageError, match=re.escape(f"{path}: TIFF in Pillow's mode '{mode}' has no known black")):
            read(path)


@pytest.mark.parametrize(("tag", "value"), [(258, 12), (262, 0)])
def test_a_tiff_whose_16_bits_are_fewer_or_turned_round_is_refused_by_name(
    tag: int, value: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "0.tif", Image.fromarray(RAMP.astype(np.uint16)))
    content = bytearray(path.read_bytes())
    start = int.from_bytes(content[4:8], "little")  # of the directory: a count, then entries of 12 bytes
    for entry in range(start + 2, start + 2 + 12 * int.from_bytes(content[start : start + 2], "little"), 12):
        if int.from_bytes(content[entry : entry + 2], "little") == tag:
            content[entry + 8 : entry + 10] = value.to_bytes(2, "little")
    path.write_bytes(content)
    with pytest.raises(StageError, match=r"0.tif"):
        decode(path, channels=1)


def test_every_mode_of_pillow_is_known_here_by_name() -> None:
    from stages.splits import pictures

    handled = {*pictures._GREY, *pictures._COLOUR, "I", "F", "I;16", "I;16L", "I;16B", "I;16N"}
    assert set(Image.MODES) <= handled
