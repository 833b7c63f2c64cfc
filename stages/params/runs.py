"""What is trained: the grid, runs with a name, studies, and the cells that they come down to."""

from __future__ import annotations

from itertools import product
from typing import Any

from stages.cell.cell import Model, Option
from stages.cell.images import Transform
from stages.cell.recipe import Frozen, Positive, Recipe


class RecurNets(Frozen):
    """The depth grid of the recurnets paper."""

    transforms: dict[str, Transform]
    models: dict[str, dict[str, Option]]
    recipe: Recipe


class Grid(Frozen):
    """The datasets of the recurnets paper, and for each the one that the grid covers in its place."""

    mnist: str
    svhn: str
    cifar10: str

    @property
    def datasets(self) -> tuple[str, ...]:
        """The datasets that the grid always covers, beside the one asked for."""
        return tuple(dict.fromkeys((self.mnist, self.svhn, self.cifar10)))


class Run(Frozen):
    """A run with a name: what is trained on which split.

    ``data``: a key of ``data`` (one that the grid has), ``folders`` or ``subsets``; ``transform`` of ``transforms``;
    ``recipe`` of ``recipes``. ``changes`` replaces entries of the recipe.
    """

    paper: str
    data: str
    model: Model
    transform: str
    recipe: str
    changes: dict[str, Any] = {}  # noqa: RUF012


class Variation(Frozen):
    """What a cell of a study has of its own.

    ``name``: another model of the same file, with ``options`` for all of its options; without it, ``options`` replaces
    some of the study's. ``changes`` adds to the study's.
    """

    name: str | None = None
    options: dict[str, Option] = {}  # noqa: RUF012
    changes: dict[str, Any] = {}  # noqa: RUF012


class Study(Run):
    """Runs that differ in their model or a few settings, trained by one stage.

    ``cells``: each by its name. ``grid``: options of the model and the values that they take; every combination is a
    cell, called after the study and its values: sensitivity-3-64.
    """

    cells: dict[str, Variation] = {}  # noqa: RUF012
    grid: dict[str, tuple[Option, ...]] = {}  # noqa: RUF012

    def runs(self, key: str) -> dict[str, Run]:
        """Its cells by their names, as runs; ``key``: the study's own."""
        cells = dict(self.cells)
        for values in product(*self.grid.values()) if self.grid else ():
            name = "-".join([key, *(str(value).lower() for value in values)])
            cells[name] = Variation(options=dict(zip(self.grid, values, strict=True)))
        return {name: self._run(cell) for name, cell in cells.items()}

    def _run(self, cell: Variation) -> Run:
        options = cell.options if cell.name else {**self.model.options, **cell.options}
        model = Model(file=self.model.file, name=cell.name or self.model.name, options=options)
        shared = {name: getattr(self, name) for name in ("paper", "data", "transform", "recipe")}
        return Run(**shared, model=model, changes={**self.changes, **cell.changes})


class AuthorWeights(Frozen):
    """Which of the weights that a document's authors published are evaluated: those of this name in its paper.yaml.

    ``paper``: the folder of the document. ``data``: the split of the run whose weights they are.
    """

    paper: str
    data: str


class Explanation(Frozen):
    """Which saliency maps are made: of the run's first seed, on the first ``images`` of its test set.

    ``data``: the split of the run. ``trained_in``: the run itself, or the study that it is a cell of. ``steps``: in how
    many steps pixels are deleted or inserted.
    """

    data: str
    trained_in: str
    images: Positive
    steps: Positive
