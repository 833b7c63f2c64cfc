"""The parameters: what params.yaml may hold, checked before anything runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from stages.errors import StageError
from stages.files import read_yaml
from stages.recipe import Fraction, Frozen, Positive, Recipe, Seeds

Option = bool | int | float | str


class NoisyCopies(Frozen):
    """Copies of training images with Gaussian noise, one copy per entry of ``sigmas`` (pixel scale 0..1; 0: exact)."""

    labels: tuple[int, ...]
    sigmas: tuple[Annotated[float, Field(ge=0)], ...]


class Split(Frozen):
    """How a dataset's official images become a training and a test set. The default takes them all.

    Applied in this order: ``classes`` keeps images of these labels only (labels keep their numbers, and a model gets an
    output for every label up to the highest), ``train_first`` and ``test_first`` keep the first n in official order,
    ``fractions`` keeps floor(fraction * count) training images of a label, chosen at random without replacement,
    ``noisy_copies`` appends copies of what is left. The random ones are drawn once for every entry of ``seeds``:
    training with a seed uses the draw of that seed, and all splits of one source share their draws.

    ``source``: the dataset whose images are taken, when it is not the one that the split is named after. ``folder``:
    the image folder (train/<class>/*.png, test/<class>/*.png; relative to the home) of a dataset of the user's own;
    ``store: files`` leaves its images where they are and decodes them batch by batch.

    ``labels: as_published`` repeats two mistakes of the document gunn, last of all. The test images get the labels of
    the first training images. And the target of every image is its one-hot row without the first column, so that label
    0 has an all-zero target, which adds nothing to a loss and which Keras's accuracy takes for the new label 0.
    """

    source: str | None = None
    folder: str | None = None
    classes: tuple[int, ...] | None = None
    train_first: Positive | None = None
    test_first: Positive | None = None
    fractions: dict[int, Fraction] = {}  # noqa: RUF012
    noisy_copies: NoisyCopies | None = None
    seeds: Seeds = (0,)
    labels: Literal["correct", "as_published"] = "correct"
    store: Literal["arrays", "files"] = "arrays"

    @property
    def random(self) -> bool:
        """Whether the training images depend on the seed."""
        return bool(self.fractions) or self.noisy_copies is not None


class Transform(Frozen):
    """What happens to an image on its way into a model.

    ``resize``: side in pixels, by PIL, bilinear, on uint8. ``crop``: side of the square that is cut out, at random in
    training, from the centre in evaluation. ``crop_padding``: zero padding in pixels before a random crop, back to size
    where there is no ``crop`` (training only; 0 does nothing). ``flip``: random horizontal flip (training only).
    ``mean``, ``std``: per channel, in the pixel scale 0..1.
    """

    resize: Positive | None = None
    crop: Positive | None = None
    crop_padding: Annotated[int, Field(ge=0)] = 0
    flip: bool = False
    mean: tuple[float, ...]
    std: tuple[Annotated[float, Field(gt=0)], ...]

    @model_validator(mode="after")
    def _same_channels(self) -> Transform:
        if len(self.mean) != len(self.std):
            raise ValueError("mean and std need one entry per channel each")
        return self


class Compute(Frozen):
    """Where and how the arithmetic is done. The defaults compute what the papers describe, in single precision.

    ``threads``: CPU threads, 0 for one per core. ``precision``: of training steps; ``tf32`` (GPU only) shortens the
    factors of matrix products and convolutions to 10 bits of mantissa, ``bfloat16`` computes these in 7 bits; weights
    and evaluation stay float32, though tf32 also acts on the latter. ``cuda_graphs``: launch a step's kernels at once;
    on a CPU it does nothing. ``seeds_together``: how many seeds of a cell are trained as one network.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[int, Field(ge=0)] = 0
    channels_last: bool = True
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    cuda_graphs: bool = False
    seeds_together: Annotated[int, Field(ge=1)] = 1


class Energy(Frozen):
    """What energy and CO2 are reckoned with.

    ``country``: whose electricity, an ISO 3166 code of three letters. ``watts_per_thread`` and ``watts_per_gpu``
    are for runs whose energy no counter measured.
    """

    country: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "DEU"
    watts_per_thread: Annotated[float, Field(gt=0)] = 4.0
    watts_per_gpu: Annotated[float, Field(gt=0)] = 300.0


class Ray(Frozen):
    """What training one cell, or one study, asks of a Ray cluster (see :mod:`stages.remote`); no stage depends on it.

    ``cpus``: cores of a node. ``gpus``: a share of a GPU, or 1, where the cluster has any.
    """

    cpus: Annotated[float, Field(gt=0)] = 1.0
    gpus: Fraction = 0.25


class RecurNets(Frozen):
    """The depth grid of the recurnets paper."""

    transforms: dict[str, Transform]
    models: dict[str, dict[str, Option]]
    recipe: Recipe


class Grid(Frozen):
    """The datasets that the grid always covers, beside the one asked for."""

    datasets: Annotated[tuple[str, ...], Field(min_length=3, max_length=3)]


class Model(Frozen):
    """An architecture: the file in ``models/`` that defines it, its registered name, and its options."""

    file: str
    name: str
    options: dict[str, Option] = {}  # noqa: RUF012


class Run(Frozen):
    """A run with a name: what is trained on which split.

    ``data``: a key of ``data`` or ``subsets``; ``transform`` of ``transforms``; ``recipe`` of ``recipes``. ``changes``
    replaces entries of the recipe.
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
    """Runs that differ in their model or a few settings, trained one after another by one process.

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


class Explanation(Frozen):
    """Which saliency maps are made: of the run's first seed, on the first ``images`` of its test set.

    ``data`` and ``weights`` (a folder in ``runs/``) are those of the run; DVC has to know them. ``steps``: in how many
    steps pixels are deleted or inserted.
    """

    data: str
    weights: str
    images: Positive
    steps: Positive


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


class Params(Frozen):
    """The whole of params.yaml. ``folders``: datasets of the user's own that runs need, beside those of the grid."""

    root: str
    home: str
    dataset: str
    architecture: str
    depth: Annotated[int, Field(ge=4)]
    grid: Grid
    data: dict[str, Split]
    folders: dict[str, None] = {}  # noqa: RUF012
    recurnets: RecurNets
    subsets: dict[str, Split]
    transforms: dict[str, Transform]
    recipes: dict[str, Recipe]
    runs: dict[str, Run]
    studies: dict[str, Study]
    explanations: dict[str, Explanation]
    compute: Compute
    energy: Energy = Energy()
    ray: Ray = Ray()

    @model_validator(mode="after")
    def _known_names(self) -> Params:
        for name in (self.dataset, *self.grid.datasets):
            _known("dataset", name, self.data, "data")
            _known("dataset", name, self.recurnets.transforms, "recurnets.transforms")
        _known("architecture", self.architecture, self.recurnets.models, "recurnets.models")
        for name in self.folders:
            _known("folders", name, self.data, "data")
        for name, subset in self.subsets.items():
            if name in self.data:
                raise ValueError(f"subsets.{name}: data has a split of this name; give it another")
            _known(f"subsets.{name}.source", subset.source or name, self.data, "data")
        for section in ("data", "subsets", "runs", "studies"):
            for name in getattr(self, section):
                _check_name(f"{section}.{name}", name)
        for key, study in self.studies.items():
            for name in study.runs(key):
                _check_name(f"studies.{key}.{name}", name)
        names = Counter([*self.runs, *self.studies, *(key for name, s in self.studies.items() for key in s.runs(name))])
        if twice := [name for name, count in names.items() if count > 1]:
            raise ValueError(f"two runs or studies are called '{twice[0]}'; give every one a name of its own")
        for key, run in self.named.items():
            self._check_run(key, run)
        for key, explained in self.explanations.items():
            _known("explanations", key, self.named, "runs and studies")
            if explained.data != self.named[key].data:
                raise ValueError(f"explanations.{key}.data: {key} is of {self.named[key].data}, not {explained.data}")
        return self

    @property
    def named(self) -> dict[str, Run]:
        """Every run that has a name, those of studies included."""
        return {
            **self.runs,
            **{key: run for name, study in self.studies.items() for key, run in study.runs(name).items()},
        }

    def _check_run(self, key: str, run: Run) -> None:
        splits = {**self.data, **self.subsets}
        _known(f"runs.{key}.data", run.data, splits, "data and subsets")
        _known(f"runs.{key}.transform", run.transform, self.transforms, "transforms")
        _known(f"runs.{key}.recipe", run.recipe, self.recipes, "recipes")
        try:
            recipe = self._recipe(run)
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(_explain((f"runs.{key}.changes", *first["loc"]), first["type"], first["msg"])) from None
        if splits[run.data].random and (missing := set(recipe.seeds) - set(splits[run.data].seeds)):
            raise ValueError(f"runs.{key}: seed {min(missing)} is none of the seeds that {run.data} is drawn for")

    def _recipe(self, run: Run) -> Recipe:
        return Recipe.model_validate({**self.recipes[run.recipe].model_dump(), **run.changes})

    def split(self, name: str) -> Split:
        """The split of this name, with its source; a :class:`StageError` names an unknown one."""
        splits = {**self.data, **self.subsets}
        if name not in splits:
            raise StageError(f"unknown split '{name}': params.yaml has {', '.join(splits)}.")
        return splits[name].model_copy(update={"source": splits[name].source or name})

    def cell(self, key: str) -> Cell:
        """The cell called ``key``: the name of a run, also of a study, or dataset-architecture-depth of recurnets.

        A :class:`StageError` names an unknown one.
        """
        named = self.named
        if key not in named:
            return self._grid_cell(key)
        run = named[key]
        return Cell(
            key=key,
            study=next((name for name, study in self.studies.items() if key in study.runs(name)), None),
            paper=run.paper,
            dataset=run.data,
            architecture=run.model.name,
            options=run.model.options,
            split=self.split(run.data),
            transform=self.transforms[run.transform],
            recipe=self._recipe(run),
        )

    def cells(self, key: str) -> list[Cell]:
        """The cell called ``key``, or all cells of the study of that name."""
        return [self.cell(name) for name in self.studies[key].runs(key)] if key in self.studies else [self.cell(key)]

    def _grid_cell(self, key: str) -> Cell:
        grid = self.recurnets
        dataset, architecture, depth = (["", "", *key.rsplit("-", 2)])[-3:]
        if not depth.isdecimal() or architecture not in grid.models:
            raise StageError(
                f"unknown cell '{key}': expected one of {', '.join([*self.named, *self.studies])}, or "
                f"DATASET-ARCHITECTURE-DEPTH with an architecture of {', '.join(grid.models)}."
            )
        if dataset not in self.data or dataset not in grid.transforms:
            raise StageError(f"unknown dataset '{dataset}': params.yaml has {', '.join(grid.transforms)}.")
        return Cell(
            key=key,
            paper="recurnets",
            dataset=dataset,
            architecture=architecture,
            options={**grid.models[architecture], "depth": int(depth)},
            split=self.split(dataset),
            transform=grid.transforms[dataset],
            recipe=grid.recipe,
        )

    @property
    def headline(self) -> str:
        """The key of the cell that was asked for."""
        return f"{self.dataset}-{self.architecture}-{self.depth}"


def _check_name(where: str, name: str) -> None:
    """A name is that of a folder, too."""
    if not re.fullmatch(r"\w[\w.+-]*", name):
        raise ValueError(f"{where}: a name has letters, digits and _ . + -, and starts with a letter, a digit or _")


def _known(where: str, name: str, known: Mapping[str, object], section: str) -> None:
    if name not in known:
        raise ValueError(f"unknown {where} '{name}': {section} has {', '.join(known)}")


def load_params(path: Path) -> Params:
    """Read and check a params.yaml; a :class:`StageError` names the file, the key, and what was expected."""
    raw = read_yaml(path)
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        raise StageError(
            f"{path}: {'; '.join(_explain(e['loc'], e['type'], e['msg']) for e in error.errors())}."
        ) from None


def _explain(location: tuple[int | str, ...], kind: str, message: str) -> str:
    # Pydantic puts the chosen alternative behind the name of a key that has several.
    chosen = [position for position, part in enumerate(location) if part in ("optimizer", "schedule", "loss")]
    key = ".".join(str(part) for position, part in enumerate(location) if position - 1 not in chosen)
    if kind == "extra_forbidden":
        return f"unknown key '{key}'; remove it or correct its spelling"
    if kind == "missing":
        return f"key '{key}' is missing"
    message = message.removeprefix("Value error, ")
    return f"key '{key}': {message[0].lower()}{message[1:]}" if key else message
