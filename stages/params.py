"""The parameters: what params.yaml may hold, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stages.errors import StageError

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Option = bool | int | float | str
Seeds = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]


class Frozen(BaseModel):
    """Immutable; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
    the image folder (train/<class>/*.png, test/<class>/*.png; relative to the home) of a dataset of the user's own.
    """

    source: str | None = None
    folder: str | None = None
    classes: tuple[int, ...] | None = None
    train_first: Positive | None = None
    test_first: Positive | None = None
    fractions: dict[int, Fraction] = {}
    noisy_copies: NoisyCopies | None = None
    seeds: Seeds = (0,)

    @property
    def random(self) -> bool:
        """Whether the training images depend on the seed."""
        return bool(self.fractions) or self.noisy_copies is not None


class Transform(Frozen):
    """What happens to an image on its way into a model.

    ``resize``: side in pixels, by PIL, bilinear, on uint8. ``crop_padding``: zero padding in pixels before a random
    crop back to size (training only; 0 does nothing). ``flip``: random horizontal flip (training only).
    ``mean``, ``std``: per channel, in the pixel scale 0..1.
    """

    resize: Positive | None = None
    crop_padding: Annotated[int, Field(ge=0)] = 0
    flip: bool = False
    mean: tuple[float, ...]
    std: tuple[Annotated[float, Field(gt=0)], ...]

    @model_validator(mode="after")
    def _same_channels(self) -> Transform:
        if len(self.mean) != len(self.std):
            raise ValueError("mean and std need one entry per channel each")
        return self


class Sgd(Frozen):
    """Stochastic gradient descent, as torch.optim.SGD defines it."""

    name: Literal["sgd"]
    lr: Annotated[float, Field(gt=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    nesterov: bool = False


class Adam(Frozen):
    """Adam, as torch.optim.Adam defines it, with its usual betas."""

    name: Literal["adam"]
    lr: Annotated[float, Field(gt=0)]
    eps: Annotated[float, Field(gt=0)] = 1e-8


class WarmupMilestones(Frozen):
    """lr * gamma**(milestones passed), and * (1 - exp(-(epoch + 1) / warmup_period)) in the first ``warmup_epochs``."""

    name: Literal["warmup_milestones"]
    warmup_epochs: Annotated[int, Field(ge=0)]
    warmup_period: Annotated[float, Field(gt=0)]
    milestones: tuple[Positive, ...]
    gamma: Annotated[float, Field(gt=0)]


class Steps(Frozen):
    """lr * gamma**(epoch // period), as torch.optim.lr_scheduler.StepLR."""

    name: Literal["steps"]
    period: Positive
    gamma: Annotated[float, Field(gt=0)]


class CrossEntropy(Frozen):
    """Mean cross-entropy. ``class_weights: balanced`` weighs a class by 1 / its share of the training images."""

    name: Literal["cross_entropy"] = "cross_entropy"
    class_weights: Literal["none", "balanced"] = "none"


class Focal(Frozen):
    """Focal loss (Lin et al., 2017), without class weights. Below gamma 1 its gradient has no bound."""

    name: Literal["focal"]
    gamma: Annotated[float, Field(ge=1)]


class LogitAdjusted(Frozen):
    """Cross-entropy of logits + tau * log(share of the class among the training images) (Menon et al., 2021)."""

    name: Literal["logit_adjusted"]
    tau: Annotated[float, Field(gt=0)]


class Irm(Frozen):
    """A penalty of invariant risk minimisation, ``weight`` times.

    ``environments``: ``same_batch`` takes a batch for one environment, ``split_half`` does so by the product of two
    halves, ``copies`` has two: images as they are, and noisy copies.
    """

    environments: Literal["same_batch", "split_half", "copies"]
    weight: Annotated[float, Field(gt=0)]


class Objective(Frozen):
    """What a training step minimises; see :mod:`stages.objectives`."""

    loss: Annotated[CrossEntropy | Focal | LogitAdjusted, Field(discriminator="name")] = CrossEntropy()
    irm: Irm | None = None


class Recipe(Frozen):
    """How a model is trained. Every seed is trained alike, from its own initialisation and order.

    ``sampling``: ``shuffled`` takes every image once per epoch; ``balanced`` draws as many with replacement, each class
    equally often on average.
    """

    seeds: Seeds
    epochs: Positive
    batch_size: Positive
    test_batch_size: Positive
    drop_last: bool
    optimizer: Annotated[Sgd | Adam, Field(discriminator="name")]
    schedule: Annotated[WarmupMilestones | Steps, Field(discriminator="name")]
    objective: Objective = Objective()
    sampling: Literal["shuffled", "balanced"] = "shuffled"


class Compute(Frozen):
    """Where and how the arithmetic is done. ``threads``: CPU threads, 0 for one per core."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[int, Field(ge=0)] = 0
    channels_last: bool = True


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
    options: dict[str, Option] = {}


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
    changes: dict[str, Any] = {}


class Cell(Frozen):
    """One thing to train: everything that decides its numbers, apart from code, data and machine.

    ``dataset``: the name of its split, whose ``source`` is always given.
    """

    key: str
    paper: str
    dataset: str
    architecture: str
    options: dict[str, Option]
    split: Split
    transform: Transform
    recipe: Recipe


class Params(Frozen):
    """The whole of params.yaml."""

    root: str
    home: str
    dataset: str
    architecture: str
    depth: Annotated[int, Field(ge=4)]
    grid: Grid
    data: dict[str, Split]
    recurnets: RecurNets
    subsets: dict[str, Split]
    transforms: dict[str, Transform]
    recipes: dict[str, Recipe]
    runs: dict[str, Run]
    compute: Compute

    @model_validator(mode="after")
    def _known_names(self) -> Params:
        for name in (self.dataset, *self.grid.datasets):
            _known("dataset", name, self.data, "data")
            _known("dataset", name, self.recurnets.transforms, "recurnets.transforms")
        _known("architecture", self.architecture, self.recurnets.models, "recurnets.models")
        for name, subset in self.subsets.items():
            if name in self.data:
                raise ValueError(f"subsets.{name}: data has a split of this name; give it another")
            _known(f"subsets.{name}.source", subset.source or name, self.data, "data")
        for key in self.runs:
            self._check_run(key)
        return self

    def _check_run(self, key: str) -> None:
        run = self.runs[key]
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
        """The cell called ``key``: a run's name, or dataset-architecture-depth of the recurnets grid.

        A :class:`StageError` names an unknown one.
        """
        if key not in self.runs:
            return self._grid_cell(key)
        run = self.runs[key]
        return Cell(
            key=key,
            paper=run.paper,
            dataset=run.data,
            architecture=run.model.name,
            options=run.model.options,
            split=self.split(run.data),
            transform=self.transforms[run.transform],
            recipe=self._recipe(run),
        )

    def _grid_cell(self, key: str) -> Cell:
        grid = self.recurnets
        dataset, architecture, depth = (["", "", *key.rsplit("-", 2)])[-3:]
        if not depth.isdecimal() or architecture not in grid.models:
            raise StageError(
                f"unknown cell '{key}': expected one of {', '.join(self.runs)}, or DATASET-ARCHITECTURE-DEPTH with an "
                f"architecture of {', '.join(grid.models)}."
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


def _known(where: str, name: str, known: Mapping[str, object], section: str) -> None:
    if name not in known:
        raise ValueError(f"unknown {where} '{name}': {section} has {', '.join(known)}")


def load_params(path: Path) -> Params:
    """Read and check a params.yaml; a :class:`StageError` names the file, the key, and what was expected."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StageError(f"{path} is missing; restore it with `git checkout {path}`.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StageError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from None
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
