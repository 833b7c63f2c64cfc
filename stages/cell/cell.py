"""One thing to train, and the architecture of it."""

from __future__ import annotations

from stages.cell.images import Split, Transform
from stages.cell.recipe import Frozen, Recipe

Option = bool | int | float | str


class Model(Frozen):
    """An architecture: the file in ``models/`` that defines it, its registered name, and its options."""

    file: str
    name: str
    options: dict[str, Option] = {}  # noqa: RUF012


class Cell(Frozen):
    """One thing to train: everything that decides its numbers, apart from code, data and machine.

    ``study``: the one that it belongs to, if it does. ``dataset``: the name of its split, whose ``source`` is given.
    """

    key: str
    study: str | None = None
    paper: str
    dataset: str
    architecture: str
    options: dict[str, Option]
    split: Split
    transform: Transform
    recipe: Recipe
