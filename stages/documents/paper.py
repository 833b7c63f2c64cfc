"""What a document says of itself: paper.yaml, checked, and its authors' own logs.

papers/README.md explains the files; the classes here are the schema of paper.yaml. Numbers are in
:mod:`stages.documents.claims`.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, ValidationError, model_validator

from stages.cell import Cell
from stages.cell.recipe import Frozen
from stages.core.errors import StageError
from stages.core.files import read_yaml
from stages.core.validation import first_mistake
from stages.documents.author_weights import AuthorWeights
from stages.documents.exhibits import (
    Chart,
    ChartGroup,
    Comparison,
    Deviation,
    Diagram,
    Finding,
    FirstEpochsRule,
    GridFigure,
    Headline,
    Iterations,
    Maps,
    Rule,
    Sample,
    Size,
    Sweep,
    Table,
)
from stages.documents.statement import Statement
from stages.results.metric import Metric

PAPERS = Path(__file__).resolve().parents[2] / "papers"
Titles = dict[str, str]


class Paper(Frozen):
    """A paper.yaml. ``datasets``: the names of splits as the document writes them. ``runs``: its runs and their titles.
    ``images``: how many training and test images a dataset has that is a folder of the user's own.

    ``variants``: runs of our own at the document's scale; a name may be a pattern, and its title a format of the
    fields of a cell and its options. ``own_title``: the title of any other run, a format of the
    fields of a cell and its options. ``own_charts``: drawn for every other dataset, ``{dataset}`` in the caption.
    ``reading``: the document gives no recipe to speak of; ``recipe`` is our reading, and its runs are never full runs.
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
    reading: bool = False
    headline: Headline = Headline(metric=Metric("accuracy", "test"), row="{row}", column="{column}")
    tables: tuple[Table, ...]
    statements: tuple[Statement, ...] = ()
    first_epochs: FirstEpochsRule | None = None
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
    author_weights: tuple[AuthorWeights, ...] = ()

    @model_validator(mode="after")
    def _known_runs(self) -> Paper:
        known = {**self.runs, **self.variants}
        named = [
            *((f"statements, {s.id}", run) for s in self.statements for run in (s.first, s.second) if run),
            *((f"comparisons, {c.id}", run) for c in self.comparisons for run in (c.baseline, *c.runs)),
            *((f"iterations, {i.id}", run) for i in self.iterations for run in i.runs if "*" not in run),
            *((f"sweeps, {s.id}", run) for s in self.sweeps for run in s.points.values()),
            *((f"maps, {m.id}", m.run) for m in self.maps),
            *(("first_epochs.rivals", run) for run, rivals in self._rivals.items() for run in (run, *rivals)),
            *((f"author_weights, {w.id}", w.run) for w in self.author_weights),
        ]
        for where, run in named:
            if not self.knows(run) and not self.matching(run):
                raise ValueError(f"{where}: unknown run '{run}'")
        charts = [chart for group in self.charts for chart in group.charts]
        for pattern in [*(rule.runs for rule in self.recipe), *(pattern for chart in charts for pattern in chart.runs)]:
            if not any(fnmatchcase(run, pattern) or run == pattern for run in known):
                raise ValueError(f"the pattern '{pattern}' matches no run")
        return self

    @property
    def _rivals(self) -> dict[str, tuple[str, ...]]:
        return {} if self.first_epochs is None else self.first_epochs.rivals

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
        """A run's settings by dotted key, from the rules that match, and the keys that these leave free."""
        settings: dict[str, Any] = {}
        free: set[str] = set()
        for rule in self.recipe:
            if fnmatchcase(run, rule.runs):
                settings = _overridden(settings, rule.values)
                free |= set(rule.free)
        return {key: value for key, value in settings.items() if key not in free}, free


def _overridden(paper: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """``paper`` with ``values`` in place of what stood there; a mapping replaces all that stood under its key."""
    for name, value in values.items():
        kept = {key: old for key, old in paper.items() if key != name and not key.startswith(f"{name}.")}
        paper = kept | flatten({name: value})
    return paper


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
        return Paper.model_validate(read_yaml(path))
    except ValidationError as error:
        key, mistake = first_mistake(error)
        raise StageError(f"{path}: key '{key}': {mistake}; correct it.") from None
