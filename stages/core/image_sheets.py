"""Sheets of sample images, as a deterministic PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.core.files import atomic_path

COLUMNS = 10  # at most
ROWS = 10  # at most
SIDE = 64  # pixels of a tile, at most; small images are enlarged by a whole factor, large ones thinned out
GAP = 2  # pixels between tiles


def write_sheet(target: Path, rows: Sequence[tuple[str, NDArray[np.uint8]]]) -> None:
    """Write a sheet of one row of images per entry: its title, and uint8 images (K, height, width, channels), 0..255.

    Colours are reduced to a palette of 256: a sheet is to be looked at, and photographs would need three times the
    space. The same images give the same bytes, for the same version of Pillow.
    """
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default_imagefont()  # the bitmap font: it draws alike on every machine, Latin-1 only
    rows = [(title.encode("latin-1", "replace").decode("latin-1"), images) for title, images in rows[:ROWS]]
    margin = 8 + max(round(font.getlength(title)) for title, _ in rows)
    tiles = [[_tile(image) for image in images[:COLUMNS]] for _, images in rows]
    height, width, channels = tiles[0][0].shape
    columns = max(len(row) for row in tiles)
    mode = "L" if channels == 1 else "RGB"
    sheet = Image.new(mode, (margin + columns * (width + GAP), len(rows) * (height + GAP)), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (title, _) in enumerate(rows):
        top = number * (height + GAP)
        pen.text((4, top + height // 2 - 5), title, fill="black", font=font)
        for column, tile in enumerate(tiles[number]):
            sheet.paste(
                Image.fromarray(tile.squeeze(2) if channels == 1 else tile), (margin + column * (width + GAP), top)
            )
    if mode == "RGB":
        sheet = sheet.quantize(256, dither=Image.Dither.NONE)
    with atomic_path(target) as temporary:
        sheet.save(temporary, "PNG", optimize=True)


def _tile(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    side = max(image.shape[:2])
    if side > SIDE:
        step = -(-side // SIDE)
        return image[::step, ::step]
    return image.repeat(SIDE // side, axis=0).repeat(SIDE // side, axis=1)
