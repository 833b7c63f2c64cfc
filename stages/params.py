"""The parameters: what params.yaml may hold, checked before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stages.errors import StageError

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Option = bool | int | float | str


class Frozen(BaseModel):
    """Immutable; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NoisyCopies(Frozen):
    """Copies of training images with Gaussian noise, one copy per entry of ``sigmas`` (pixel scale 0..1)."""

    labels: tuple[int, ...]
    sigmas: tuple[Annotated[float, Field(gt=0)], ...]


class Split(Frozen):
    """How a dataset's official images become a training and a test set. The default takes them all.

    Applied in this order: ``classes`` keeps images of these labels only (labels keep their numbers), ``train_first``
    and ``test_first`` keep the first n in official order, ``fractions`` keeps floor(fraction * count) training images
    of a label, chosen at random without replacement by ``seed``, ``noisy_copies`` appends copies of what is left.

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
    seed: int = 0


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


class WarmupMilestones(Frozen):
    """lr * gamma**(milestones passed), and * (1 - exp(-(epoch + 1) / warmup_period)) in the first ``warmup_epochs``."""

    name: Literal["warmup_milestones"]
    warmup_epochs: Annotated[int, Field(ge=0)]
    warmup_period: Annotated[float, Field(gt=0)]
    milestones: tuple[Positive, ...]
    gamma: Annotated[float, Field(gt=0)]


class Recipe(Frozen):
    """How a model is trained. Every seed is trained alike, from its own initialisation and order."""

    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
    epochs: Positive
    batch_size: Positive
    test_batch_size: Positive
    drop_last: bool
    optimizer: Sgd
    schedule: WarmupMilestones


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


class Cell(Frozen):
    """One thing to train: everything that decides its numbers, apart from code, data and machine."""

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
    compute: Compute

    @model_validator(mode="after")
    def _known_names(self) -> Params:
        for name in (self.dataset, *self.grid.datasets):
            for section, known in (("data", self.data), ("recurnets.transforms", self.recurnets.transforms)):
                if name not in known:
                    raise ValueError(f"unknown dataset '{name}': {section} has {', '.join(known)}")
        if self.architecture not in self.recurnets.models:
            known_models = ", ".join(self.recurnets.models)
            raise ValueError(f"unknown architecture '{self.architecture}': recurnets.models has {known_models}")
        return self

    def cell(self, dataset: str, architecture: str, depth: int) -> Cell:
        """The cell of the recurnets grid with these coordinates; a :class:`StageError` names an unknown one."""
        grid = self.recurnets
        if dataset not in self.data or dataset not in grid.transforms:
            raise StageError(f"unknown dataset '{dataset}': params.yaml has {', '.join(grid.transforms)}.")
        if architecture not in grid.models:
            raise StageError(f"unknown architecture '{architecture}': params.yaml has {', '.join(grid.models)}.")
        return Cell(
            key=f"{dataset}-{architecture}-{depth}",
            paper="recurnets",
            dataset=dataset,
            architecture=architecture,
            options={**grid.models[architecture], "depth": depth},
            split=self.data[dataset],
            transform=grid.transforms[dataset],
            recipe=grid.recipe,
        )


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
    key = ".".join(str(part) for part in location)
    if kind == "extra_forbidden":
        return f"unknown key '{key}'; remove it or correct its spelling"
    if kind == "missing":
        return f"key '{key}' is missing"
    message = message.removeprefix("Value error, ")
    return f"key '{key}': {message[0].lower()}{message[1:]}" if key else message
