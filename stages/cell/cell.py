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

    @property
    def group(self) -> str:
        """What one stage trains together: the study of the cell, or the cell by itself."""
        return self.study or self.key

    @property
    def address(self) -> str:
        """Where its files lie in the folders of results: ``key``, or ``study/key``."""
        return self.key if self.study is None else f"{self.study}/{self.key}"

    def stage(self, verb: str) -> str:
        """The name of the DVC stage that does ``verb`` (train, evaluate) to it."""
        in_grid = self.key == f"{self.dataset}-{self.architecture}-{self.options.get('depth')}"
        kind = "-study" if self.study is not None else "" if in_grid else "-run"
        return f"{verb}{kind}@{self.group}"
