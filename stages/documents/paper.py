"""What a document says of itself: paper.yaml, checked, and its authors' own logs.

papers/README.md explains the files; the classes here are the schema of paper.yaml. Numbers are in
:mod:`stages.documents.claims`.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, ValidationError, model_validator

from stages.cell import Cell
from stages.cell.recipe import Frozen
from stages.core.errors import StageError
from stages.documents.exhibits import (
    Chart,
    ChartGroup,
    Comparison,
    Deviation,
    Diagram,
    Finding,
    GridFigure,
    Headline,
    Iterations,
    Maps,
    Rule,
    Sample,
    Size,
    Statement,
    Sweep,
    Table,
)

PAPERS = Path(__file__).resolve().parents[2] / "papers"
# A cell's keys that the paper's recipe leaves free: its name and coordinates, and what no published number depends on.
FREE_KEYS = {
    "key", "study", "paper", "dataset", "architecture", "recipe.seeds", "split.seeds", "split.folder", "split.store"
}  # fmt: skip
ABSENT = "(absent)"
Titles = dict[str, str]


class Paper(Frozen):
    """A paper.yaml. ``datasets``: the names of splits as the document writes them. ``runs``: its runs and their titles.
    ``images``: how many training and test images a dataset has that is a folder of the user's own.

    ``variants``: runs of our own at the document's scale; a name may be a pattern, and its title a format of the
    fields of a cell and its options. ``own_title``: the title of any other run, a format of the
    fields of a cell and its options. ``own_charts``: drawn for every other dataset, ``{dataset}`` in the caption.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str
    title: str
    author: str
    institution: str = ""
    date: str = ""
    code: str = ""
    lead: str
    datasets: Titles
    images: dict[str, tuple[int, int]] = {}  # noqa: RUF012
    runs: Titles
    variants: Titles = {}  # noqa: RUF012
    own_title: str = "{key}"
    recipe: tuple[Rule, ...]
    headline: Headline = Headline(metric="test_accuracy", row="{row}", column="{column}")
    tables: tuple[Table, ...]
    statements: tuple[Statement, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    grids: tuple[GridFigure, ...] = ()
    iterations: tuple[Iterations, ...] = ()
    maps: tuple[Maps, ...] = ()
    sizes: tuple[Size, ...] = ()
    samples: tuple[Sample, ...] = ()
    diagrams: tuple[Diagram, ...] = ()
    charts: tuple[ChartGroup, ...] = ()
    own_charts: tuple[Chart, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    findings: tuple[Finding, ...] = ()

    @model_validator(mode="after")
    def _known_runs(self) -> Paper:
        known = {**self.runs, **self.variants}
        named = [
            *((f"statements, {s.id}", run) for s in self.statements for run in (s.first, s.second) if run),
            *((f"comparisons, {c.id}", run) for c in self.comparisons for run in (c.baseline, *c.runs)),
            *((f"iterations, {i.id}", run) for i in self.iterations for run in i.runs if "*" not in run),
            *((f"sweeps, {s.id}", run) for s in self.sweeps for run in s.points.values()),
            *((f"maps, {m.id}", m.run) for m in self.maps),
        ]
        for where, run in named:
            if not self.knows(run) and not self.matching(run):
                raise ValueError(f"{where}: unknown run '{run}'")
        charts = [chart for group in self.charts for chart in group.charts]
        for pattern in [*(rule.runs for rule in self.recipe), *(pattern for chart in charts for pattern in chart.runs)]:
            if not any(fnmatchcase(run, pattern) or run == pattern for run in known):
                raise ValueError(f"the pattern '{pattern}' matches no run")
        return self

    def run_title(self, cell: Cell) -> str:
        """What a reader calls a run."""
        return (self.runs.get(cell.key) or self._variant(cell.key) or self.own_title).format(**cell_fields(cell))

    def knows(self, run: str) -> bool:
        """Whether the document, or we beside it, have a run of this name."""
        return run in self.runs or self._variant(run) is not None

    def matching(self, pattern: str) -> list[str]:
        """The runs of a pattern in the order of paper.yaml; a name is a pattern of itself."""
        return [run for run in {**self.runs, **self.variants} if fnmatchcase(run, pattern)]

    def _variant(self, run: str) -> str | None:
        return next((title for pattern, title in self.variants.items() if fnmatchcase(run, pattern)), None)

    def recipe_of(self, run: str) -> tuple[dict[str, Any], set[str]]:
        """A run's settings by dotted key, from the rules that match, and the keys that are free for it."""
        settings: dict[str, Any] = {}
        free = set(FREE_KEYS)
        for rule in self.recipe:
            if fnmatchcase(run, rule.runs):
                settings = _overridden(settings, rule.values)
                free |= set(rule.free)
        return {key: value for key, value in settings.items() if key not in free}, free

    def differences(self, cell: Cell, images: tuple[int, int] | None = None) -> dict[str, tuple[Any, Any]]:
        """Where a cell departs from the document's recipe: key -> (paper's value, the cell's); empty for a full run.

        ``images``: how many images of each part it was made of, if that is known.

        Every key of the cell counts but :data:`FREE_KEYS`; one of which the document says nothing is a difference once
        it is set to something else than its default. Of a run that the document does not have, only what it says of all
        such runs counts.
        """
        paper, free = self.recipe_of(cell.key)
        ours = cell.model_dump(mode="json")
        known = self.knows(cell.key)
        pairs: dict[str, tuple[Any, Any]] = {}
        if not known and cell.dataset not in self.datasets:
            pairs["dataset"] = ", ".join(self.datasets.values()), cell.dataset
        elif not known:
            pairs["run"] = "not in the document", cell.key
        pairs |= {key: (json.loads(json.dumps(value)), _at(ours, key)) for key, value in paper.items()}
        unusual = flatten(cell.model_dump(mode="json", exclude_defaults=True)) if known else {}
        for key, value in unusual.items():
            said = any(key == name or key.startswith(f"{name}.") for name in (*paper, *free))
            if not said and value is not None:
                pairs[key] = ABSENT, value
        if images is not None and cell.dataset in self.images:
            pairs["images"] = list(self.images[cell.dataset]), list(images)
        return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _overridden(paper: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """``paper`` with ``values`` in place of what stood there; a mapping replaces all that stood under its key."""
    for name, value in values.items():
        kept = {key: old for key, old in paper.items() if key != name and not key.startswith(f"{name}.")}
        paper = kept | flatten({name: value})
    return paper


def _at(tree: Any, key: str) -> Any:
    """What stands at a dotted key of nested mappings."""
    for part in key.split("."):
        tree = tree.get(part, ABSENT) if isinstance(tree, dict) else ABSENT
    return tree


def cell_fields(cell: Cell) -> dict[str, Any]:
    """The fields that a format in paper.yaml may name."""
    return {**cell.options, "key": cell.key, "dataset": cell.dataset.capitalize(), "architecture": cell.architecture}


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested mapping as dotted keys; lists and empty mappings are values."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def load_papers() -> list[Paper]:
    """Every document under papers/, by the names of their folders."""
    return [load_paper(path.parent) for path in sorted(PAPERS.glob("*/paper.yaml"))]


def load_paper(folder: Path) -> Paper:
    """Read and check <folder>/paper.yaml; a :class:`StageError` names the key that is wrong."""
    path = folder / "paper.yaml"
    try:
        return Paper.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise StageError(f"{path} is missing; restore it with `git checkout {path}`.") from None
    except yaml.YAMLError as error:
        raise StageError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise StageError(f"{path}: key '{key}': {first['msg'].removeprefix('Value error, ')}; correct it.") from None
