"""Decoding image files into 8-bit pixels: the same picture, whatever kind of file holds it.

An image is greyscale or in colour. What has transparent parts is laid on white. Grey values of 16 bits become v / 257,
which gives back the 8-bit picture that they were made of (Pillow keeps the upper byte of colours of 16 bits itself).
CMYK becomes R = (255 - C)(255 - K) / 255 and so on, as in torchvision's ImageFolder. Of several frames the first is
taken. A mode whose white is not known (32-bit integers, floats) is refused by its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import StageError

if TYPE_CHECKING:
    from PIL import Image

# What torchvision's ImageFolder takes, and JPEG by its other name.
SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
BACKGROUND = 255
_GREY = ("1", "L", "LA", "La")
_COLOUR = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
_BITS_PER_SAMPLE, _PHOTOMETRIC, _ZERO_IS_BLACK = 258, 262, 1  # tags of TIFF


@dataclass(frozen=True)
class Seen:
    """What the head of an image file says. ``kind``: PNG, JPEG and so on; ``size``: width and height in pixels."""

    kind: str
    mode: str
    size: tuple[int, int]
    frames: int
    grey: bool


def look(path: Path) -> Seen:
    """Read the head of an image file; a :class:`StageError` names one that is no image or has a mode not known here."""
    with _Opened(path) as picture:
        grey = picture.mode in _GREY or _is_16_bit(picture)
        if not grey and picture.mode not in _COLOUR:
            raise _unknown(path, picture)
        frames = int(getattr(picture, "n_frames", 1))
        return Seen(str(picture.format), picture.mode, picture.size, frames, grey)


def decode(path: Path, *, channels: int, side: int | None = None) -> NDArray[np.uint8]:
    """An image as uint8, shape (height, width, channels), 0..255; with ``side`` resized to a square, bilinear, by PIL.

    ``channels``: 1, for an image that :func:`look` calls grey, or 3. A :class:`StageError` names a file that cannot be
    decoded, or has a mode not known here.
    """
    from PIL import Image

    with _Opened(path) as opened:
        picture = _eight_bits(path, opened).convert("L" if channels == 1 else "RGB")
        if side is not None:
            picture = picture.resize((side, side), Image.Resampling.BILINEAR)
        return np.asarray(picture, np.uint8).reshape(picture.height, picture.width, channels)


class _Opened:
    """``with _Opened(path) as picture``: Pillow's ways to say that a file is broken become a :class:`StageError`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Image.Image:
        from PIL import Image

        try:
            self.picture = Image.open(self.path)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise self._broken(error) from None
        return self.picture

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.picture.close()
        if isinstance(error, OSError | SyntaxError | ValueError):
            raise self._broken(error) from None

    def _broken(self, error: BaseException) -> StageError:
        return StageError(f"{self.path} cannot be read as an image ({error}); replace or remove it.")


def _eight_bits(path: Path, picture: Image.Image) -> Image.Image:
    """The image in 8 bits and without transparency, grey if it was grey."""
    from PIL import Image

    if _is_16_bit(picture):
        values = np.asarray(picture).astype(np.float64)
        values[values == picture.info.get("transparency")] = 257 * BACKGROUND
        return Image.fromarray(np.rint(values / 257).astype(np.uint8))
    if picture.mode not in (*_GREY, *_COLOUR):
        raise _unknown(path, picture)
    if not picture.has_transparency_data:
        return picture
    flat = Image.new("RGBA", picture.size, (BACKGROUND, BACKGROUND, BACKGROUND, 255))
    laid = Image.alpha_composite(flat, picture.convert("RGBA"))
    return laid.convert("L" if picture.mode in _GREY else "RGB")


def _is_16_bit(picture: Image.Image) -> bool:
    """Whether it holds grey values from 0, black, to 65,535, white; a TIFF may hold fewer bits, or white as 0."""
    if picture.format in ("TIFF", "MPO"):
        tags = getattr(picture, "tag_v2", {})
        told = tags.get(_BITS_PER_SAMPLE), tags.get(_PHOTOMETRIC)
        return picture.mode.startswith("I;16") and told == ((16,), _ZERO_IS_BLACK)
    # Pillow reads a PGM of more than 8 bits as 32-bit integers, scaled to 16 bits.
    return picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PPM")


def _unknown(path: Path, picture: Image.Image) -> StageError:
    return StageError(
        f"{path}: {picture.format} in Pillow's mode '{picture.mode}' has no known black and white; "
        "convert it to 8 or 16 bits of grey, or to colour."
    )
