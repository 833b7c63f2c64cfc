"""The whole of params.yaml: its sections, whether their names fit together, and the cells by their names."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from stages.cell.cell import Cell
from stages.cell.compute import Compute
from stages.cell.images import Split, Transform
from stages.cell.recipe import Frozen, Recipe
from stages.core.errors import StageError
from stages.core.files import read_yaml
from stages.params.machine import Energy, Ray
from stages.params.mistakes import check_known, check_name, explain
from stages.params.runs import Explanation, Grid, RecurNets, Run, Study


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
            check_known("dataset", name, self.data, "data")
            check_known("dataset", name, self.recurnets.transforms, "recurnets.transforms")
        check_known("architecture", self.architecture, self.recurnets.models, "recurnets.models")
        for name in self.folders:
            check_known("folders", name, self.data, "data")
        for name, subset in self.subsets.items():
            if name in self.data:
                raise ValueError(f"subsets.{name}: data has a split of this name; give it another")
            check_known(f"subsets.{name}.source", subset.source or name, self.data, "data")
        for section in ("data", "subsets", "runs", "studies"):
            for name in getattr(self, section):
                check_name(f"{section}.{name}", name)
        for key, study in self.studies.items():
            for name in study.runs(key):
                check_name(f"studies.{key}.{name}", name)
        names = Counter([*self.runs, *self.studies, *(key for name, s in self.studies.items() for key in s.runs(name))])
        if twice := [name for name, count in names.items() if count > 1]:
            raise ValueError(f"two runs or studies are called '{twice[0]}'; give every one a name of its own")
        for key, run in self.named.items():
            self._check_run(key, run)
        for key, explained in self.explanations.items():
            check_known("explanations", key, self.named, "runs and studies")
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
        check_known(f"runs.{key}.data", run.data, splits, "data and subsets")
        check_known(f"runs.{key}.transform", run.transform, self.transforms, "transforms")
        check_known(f"runs.{key}.recipe", run.recipe, self.recipes, "recipes")
        try:
            recipe = self._recipe(run)
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(explain((f"runs.{key}.changes", *first["loc"]), first["type"], first["msg"])) from None
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


def load_params(path: Path) -> Params:
    """Read and check a params.yaml; a :class:`StageError` names the file, the key, and what was expected."""
    raw = read_yaml(path)
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        raise StageError(
            f"{path}: {'; '.join(explain(e['loc'], e['type'], e['msg']) for e in error.errors())}."
        ) from None
