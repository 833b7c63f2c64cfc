"""What the report knows of a figure, and what figures are called."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from stages.core.text import slug
from stages.documents.paper import Paper
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


def draw_all(figures: Iterable[FigureView], beside: Callable[[], str]) -> tuple[dict[str, Drawing], str]:
    """Every figure's drawing by its name, on all processors; figures that share a drawing have it made once.

    Also what ``beside`` gives, which is asked at the same time.
    """
    wanted = {figure.name: figure.draw for figure in figures}
    plans = {id(draw): draw for draw in wanted.values()}
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        text = pool.submit(beside)
        made = dict(zip(plans, pool.map(_call, plans.values(), chunksize=4), strict=True))
        return {name: made[id(draw)] for name, draw in wanted.items()}, text.result()


def _call(draw: Callable[[], Drawing]) -> Drawing:
    return draw()
