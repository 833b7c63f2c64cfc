"""What the report knows of a figure, and what figures are called."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stages.core.text import slug
from stages.documents.paper import Paper
from stages.report.figures.kept import made
from stages.report.figures.style import Drawing


@dataclass(frozen=True, kw_only=True)
class FigureView:
    """A figure of the report. ``number`` is the document's, empty for our own; ``same_as`` an earlier figure's number.

    ``name`` is the stem of the file; ``draw`` makes the drawing, in another process if need be; ``live`` holds the
    numbers behind it (see :mod:`stages.report.figures.vega_data`), empty for a figure that is a picture only; ``note``
    says what is missing; ``sources`` are the files behind it, from the home; ``runs`` the keys of our runs in it.
    """

    name: str
    number: str = ""
    caption: str
    draw: Callable[[], Drawing]
    description: str
    live: str = ""
    note: str = ""
    sources: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    same_as: str = ""


def figure_name(paper: Paper, name: str) -> str:
    """The file stem of a figure, which is also its anchor: recurnets, 5.1 -> recurnets_figure_5_1."""
    return f"{slug(paper.id)}_figure_{slug(name)}"


def draw_all(figures: Iterable[FigureView], beside: Callable[[], str], kept: Path) -> tuple[dict[str, Drawing], str]:
    """Every figure's drawing by its name, as ``kept`` where it would be the same (:mod:`stages.report.figures.kept`).

    Also what ``beside`` gives, which is asked at the same time.
    """
    wanted = {figure.name: figure.draw for figure in figures}
    (text,), *drawn = made([partial(_text, beside), *(partial(_files, draw) for draw in wanted.values())], kept)
    drawings = (Drawing(svg.decode(), pdf) for svg, pdf in drawn)
    return dict(zip(wanted, drawings, strict=True)), text.decode()


def _files(draw: Callable[[], Drawing]) -> tuple[bytes, bytes]:
    drawing = draw()
    return drawing.svg.encode(), drawing.pdf


def _text(give: Callable[[], str]) -> tuple[bytes]:
    return (give().encode(),)
