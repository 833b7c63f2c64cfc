"""What can be trained: the sections of params.yaml that cells follow from, whether their names fit, and the cells.

The stage `check` writes these sections to checked/cells.json, in full. What compares results reads them there, so that
it runs again when one of them changes, and not for a remark, for other arithmetic or for another headline.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError, model_validator

from stages.cell import Cell, Split, Transform
from stages.cell.recipe import Frozen, Recipe
from stages.core.errors import StageError
from stages.core.files import read_json
from stages.core.validation import first_mistake
from stages.params.machine import Energy
from stages.params.mistakes import check_known, check_name, explain
from stages.params.runs import AuthorWeights, Explanation, RecurNets, Run, Study


class Cells(Frozen):
    """The sections. ``folders``: image folders of the user's own, for runs with a name."""

    data: dict[str, Split]
    folders: dict[str, Split] = {}  # noqa: RUF012
    recurnets: RecurNets
    subsets: dict[str, Split]
    transforms: dict[str, Transform]
    recipes: dict[str, Recipe]
    runs: dict[str, Run]
    studies: dict[str, Study]
    explanations: dict[str, Explanation]
    author_weights: dict[str, AuthorWeights] = {}  # noqa: RUF012
    energy: Energy = Energy()

    @model_validator(mode="after")
    def _known_names(self) -> Cells:
        official = {**self.data, **self.folders}
        for section in ("folders", "subsets"):
            for name in getattr(self, section):
                if name in self.data or (section == "subsets" and name in self.folders):
                    where = "data" if name in self.data else "folders"
                    raise ValueError(f"{section}.{name}: {where} has a split of this name; give it another")
        for name, subset in self.subsets.items():
            check_known(f"subsets.{name}.source", subset.source or name, official, "data")
        for section in ("data", "folders", "subsets", "runs", "studies", "author_weights"):
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
            self._check_explanation(key, explained)
        for key, published in self.author_weights.items():
            check_known(f"author_weights.{key}.data", published.data, self.splits, "data and subsets")
        return self

    @cached_property
    def named(self) -> dict[str, Run]:
        """Every run that has a name, those of studies included."""
        return self.runs | {key: run for name, study in self.studies.items() for key, run in study.runs(name).items()}

    @cached_property
    def _study_of(self) -> dict[str, str]:
        """The study that a cell belongs to, by the cell's name."""
        return {key: name for name, study in self.studies.items() for key in study.runs(name)}

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy; its runs and studies may be others, so that it has to find them for itself."""
        copied = super().model_copy(update=update, deep=deep)
        for name in ("named", "_study_of"):
            copied.__dict__.pop(name, None)
        return copied

    @property
    def splits(self) -> dict[str, Split]:
        """Every split by its name."""
        return {**self.data, **self.folders, **self.subsets}

    def _check_run(self, key: str, run: Run) -> None:
        check_known(f"runs.{key}.data", run.data, self.splits, "data and subsets")
        check_known(f"runs.{key}.transform", run.transform, self.transforms, "transforms")
        check_known(f"runs.{key}.recipe", run.recipe, self.recipes, "recipes")
        try:
            recipe = self._recipe(run)
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(explain((f"runs.{key}.changes", *first["loc"]), first["type"], first["msg"])) from None
        split = self.splits[run.data]
        if split.random and (missing := set(recipe.seeds) - set(split.seeds)):
            raise ValueError(f"runs.{key}: seed {min(missing)} is none of the seeds that {run.data} is drawn for")

    def _check_explanation(self, key: str, explained: Explanation) -> None:
        check_known("explanations", key, self.named, "runs and studies")
        for name, said, right in (
            ("data", explained.data, self.named[key].data),
            ("trained_in", explained.trained_in, self._study_of.get(key, key)),
        ):
            if said != right:
                raise ValueError(f"explanations.{key}.{name}: of {key} it is {right}, not {said}")

    def _recipe(self, run: Run) -> Recipe:
        return Recipe.model_validate({**self.recipes[run.recipe].model_dump(), **run.changes})

    def split(self, name: str) -> Split:
        """The split of this name, with its source; a :class:`StageError` names an unknown one."""
        splits = self.splits
        if name not in splits:
            raise StageError(f"unknown split '{name}': params.yaml has {', '.join(splits)}.")
        return splits[name].model_copy(update={"source": splits[name].source or name})

    def cell(self, key: str) -> Cell:
        """The cell called ``key``: the name of a run, also of a study, or dataset-architecture-depth of recurnets.

        A :class:`StageError` names an unknown one.
        """
        if key not in self.named:
            return self._grid_cell(key)
        run = self.named[key]
        return Cell(
            key=key,
            study=self._study_of.get(key),
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


def load_cells(path: Path) -> Cells:
    """Read a checked/cells.json; a :class:`StageError` names what is wrong."""
    try:
        return Cells.model_validate(read_json(path))
    except ValidationError as error:
        key, mistake = first_mistake(error)
        raise StageError(f"{path}: key '{key}': {mistake}; delete it and run `dvc repro`.") from None
