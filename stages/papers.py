"""What a document published: its description (paper.yaml), its numbers (claims.csv) and its authors' own logs.

papers/README.md explains the files; the classes here are their schema.
"""

from __future__ import annotations

import csv
import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from stages.errors import StageError
from stages.params import Cell, Frozen
from stages.tables import read_csv

PAPERS = Path(__file__).resolve().parents[1] / "papers"
# A cell's keys that the paper's recipe leaves free: its name and coordinates, and what no published number depends on.
FREE_KEYS = {"key", "paper", "dataset", "architecture", "recipe.seeds", "split.seeds", "split.folder"}
ABSENT = "(absent)"
RESTORE = "restore it with `git checkout papers`"
METRIC = (
    r"parameters|(train|test)_(accuracy|error|loss|loss_sum|recall_\d+|images|images_\d+)"
    r"|test_(precision|recall|f1)_(weighted|macro)"
)


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


Optional = BeforeValidator(_none_if_empty)
Titles = dict[str, str]


class Claim(Frozen):
    """One published number; the columns of claims.csv.

    It stands in ``table``, in the line ``row`` (of the block ``group``, if the table has blocks), under ``column``.
    ``run`` is the run that it is about, None for a model that the document cites and did not train; ``metric`` what is
    measured. ``value``, ``precision``, ``margin`` and ``author_log`` are in ``unit``: fractions 0..1, counts, or nats.
    """

    id: str
    table: str
    group: str
    row: str
    column: str
    run: Annotated[str | None, Optional]
    metric: Annotated[str, Field(pattern=f"^({METRIC})$")]
    published: str
    value: float
    unit: Literal["fraction", "count", "nats"]
    precision: Annotated[float, Field(gt=0)]
    rounding: Annotated[Literal["floored", "rounded"] | None, Optional]
    margin: Annotated[float | None, Field(ge=0), Optional]
    author_log: Annotated[float | None, Optional]
    author_log_epochs: Annotated[int | None, Optional]
    note: str

    @model_validator(mode="after")
    def _consistent(self) -> Claim:
        scale = {"m": 1e6, "%": 0.01}.get(self.published[-1:], 1.0)
        try:
            printed = float(self.published.rstrip("m%").replace(",", "")) * scale
        except ValueError:
            raise ValueError(f"published '{self.published}' is not a number such as 0.81, 0.136m or 98.16%") from None
        if abs(printed - self.value) > 1e-9 * max(1.0, printed):
            raise ValueError(f"value {self.value:g} is not the published '{self.published}'")
        return self


class Table(Frozen):
    """A table of the document; ``short`` is what else it may be called in the headline.

    An ``id`` of several words is a place in the text instead: its numbers make a table here, not there.
    """

    id: str
    caption: str
    short: str = ""

    @property
    def heading(self) -> str:
        """What stands above the table."""
        return f"{self.id if ' ' in self.id else f'Table {self.id}'}. {self.caption}"


class Headline(Frozen):
    """The claims of one metric as a matrix. ``row`` and ``column`` are formats of the fields of a claim.

    Also ``{caption}`` and ``{short}``, those of its table, and ``{title}``, that of its run. ``own_row`` and
    ``own_column`` do the same for runs that the document does not have, of the fields of a cell and its options;
    without them they are left out.
    """

    metric: str
    row: str
    column: str
    own_row: str = ""
    own_column: str = ""


class Statement(Frozen):
    """A claim in words: how ``first`` compares with ``second``; accuracies are paired by test image.

    ``text`` is the document's sentence, ``about`` says which part of it is meant, where it says several things.
    ``accuracy``: on the test images of ``labels``, all of them by default. ``epochs``: those until ``column`` of the
    curves first reaches ``level``. ``published``: the difference, first minus second, that the document's numbers make.
    """

    id: str
    where: str
    text: str
    about: str = ""
    measure: Literal["accuracy", "epochs"]
    first: str
    second: str
    claimed: Literal["greater", "smaller"]
    labels: tuple[int, ...] | None = None
    column: str | None = None
    level: float | None = None
    published: float | None = None

    @model_validator(mode="after")
    def _complete(self) -> Statement:
        if self.measure == "epochs" and (self.column is None or self.level is None):
            raise ValueError("a statement on epochs needs column and level")
        return self


class Comparison(Frozen):
    """A table of our own: runs beside a baseline, with accuracy and gain on ``labels`` (default: all) by image."""

    id: str
    caption: str
    baseline: str
    labels: tuple[int, ...] | None = None
    runs: tuple[str, ...]


class Sweep(Frozen):
    """A figure of our own: accuracy on ``labels`` and macro F1 of runs over a number, on a logarithmic axis."""

    id: str
    caption: str
    axis: str
    labels: tuple[int, ...]
    points: dict[float, str]


class Sample(Frozen):
    """A sheet of sample images of a split; ``sheet`` is the stem of its file."""

    id: str
    caption: str
    split: str
    sheet: Literal["samples", "noise"] = "samples"


class Block(Frozen):
    """A block of a diagram. ``size``: height x width x channels of what it gives; ``repeats``: how often it loops."""

    kind: Literal["input", "conv", "recurrent", "pool", "linear"]
    label: str
    size: str
    repeats: str = ""


class Diagram(Frozen):
    """A block diagram of an architecture."""

    id: str
    caption: str
    blocks: tuple[Block, ...]


class Chart(Frozen):
    """Curves over the epochs: of every run that matches ``runs`` (patterns), the columns of curves.csv by panel."""

    id: str
    caption: str
    runs: tuple[str, ...]
    panels: tuple[tuple[str, ...], ...]


class ChartGroup(Frozen):
    """Charts under a heading; ``folded`` ones are out of sight until asked for."""

    title: str
    charts: tuple[Chart, ...]
    folded: bool = False


class Rule(Frozen):
    """The document's own values, by the dotted keys of a :class:`stages.params.Cell`, of all runs that match.

    A value may be a mapping: what stands under that key, as a whole.
    """

    runs: str
    values: dict[str, Any]


class Deviation(Frozen):
    """A place where the document and its code disagree or the document is silent, and what is done here."""

    where: str
    document: str
    code: str
    here: str


class Finding(Frozen):
    """What contradicts the document."""

    where: str
    finding: str


class Paper(Frozen):
    """A paper.yaml. ``datasets``: the names of splits as the document writes them. ``runs``: its runs and their titles.

    ``variants``: runs of our own at the document's scale. ``own_title``: the title of any other run, a format of the
    fields of a cell and its options. ``own_charts``: drawn for every other dataset, ``{dataset}`` in the caption.
    """

    id: str
    title: str
    author: str
    institution: str
    date: str
    code: str
    lead: str
    datasets: Titles
    runs: Titles
    variants: Titles = {}  # noqa: RUF012
    own_title: str = "{key}"
    recipe: tuple[Rule, ...]
    headline: Headline
    tables: tuple[Table, ...]
    statements: tuple[Statement, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    samples: tuple[Sample, ...] = ()
    diagrams: tuple[Diagram, ...] = ()
    charts: tuple[ChartGroup, ...]
    own_charts: tuple[Chart, ...] = ()
    deviations: tuple[Deviation, ...]
    findings: tuple[Finding, ...]

    @model_validator(mode="after")
    def _known_runs(self) -> Paper:
        known = {**self.runs, **self.variants}
        named = [
            *((f"statements, {s.id}", run) for s in self.statements for run in (s.first, s.second)),
            *((f"comparisons, {c.id}", run) for c in self.comparisons for run in (c.baseline, *c.runs)),
            *((f"sweeps, {s.id}", run) for s in self.sweeps for run in s.points.values()),
        ]
        for where, run in named:
            if run not in known:
                raise ValueError(f"{where}: unknown run '{run}'")
        charts = [chart for group in self.charts for chart in group.charts]
        for pattern in [*(rule.runs for rule in self.recipe), *(pattern for chart in charts for pattern in chart.runs)]:
            if not any(fnmatchcase(run, pattern) for run in known):
                raise ValueError(f"the pattern '{pattern}' matches no run")
        return self

    def run_title(self, cell: Cell) -> str:
        """What a reader calls a run."""
        title = {**self.runs, **self.variants}.get(cell.key)
        return title or self.own_title.format(**cell_fields(cell))

    def differences(self, cell: Cell) -> dict[str, tuple[Any, Any]]:
        """Where a cell departs from the document's recipe: key -> (paper's value, the cell's); empty for a full run.

        Every key of the cell counts but :data:`FREE_KEYS`: an option unknown to the document is a difference once it is
        set. Of a run that the document does not have, only what it says of all such runs counts.
        """
        paper: dict[str, Any] = {}
        for rule in self.recipe:
            if fnmatchcase(cell.key, rule.runs):
                paper |= rule.values
        ours = cell.model_dump(mode="json")
        known = cell.key in self.runs or cell.key in self.variants
        pairs: dict[str, tuple[Any, Any]] = {}
        if not known and cell.dataset not in self.datasets:
            pairs["dataset"] = ", ".join(self.datasets.values()), cell.dataset
        elif not known:
            pairs["run"] = "not in the document", cell.key
        pairs |= {key: (json.loads(json.dumps(value)), _at(ours, key)) for key, value in paper.items()}
        for key, value in flatten(ours).items() if known else ():
            said = any(key == name or key.startswith(f"{name}.") for name in (*paper, *FREE_KEYS))
            if not said and value is not None:
                pairs[key] = ABSENT, value
        return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


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


def load_claims(path: Path, paper: Paper) -> list[Claim]:
    """Read and check a claims.csv, in file order; a :class:`StageError` names the line and the column that is wrong."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in Claim.model_fields if name not in (reader.fieldnames or [])]
            if missing:
                raise StageError(f"{path}: column {missing[0]} is missing; expected {','.join(Claim.model_fields)}.")
            lines = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise StageError(f"{path} is missing; restore it with `git checkout {path}`.") from None
    claims: dict[str, Claim] = {}
    for number, row in lines:
        claim = _claim(f"{path}, line {number}", row, paper)
        if claim.id in claims:
            raise StageError(f"{path}, line {number}: id '{claim.id}' occurs twice; give every claim its own.")
        claims[claim.id] = claim
    return list(claims.values())


def _claim(where: str, row: dict[str, Any], paper: Paper) -> Claim:
    try:
        claim = Claim.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        column = f"column {first['loc'][0]}, '{first['input']}': " if first["loc"] else ""
        raise StageError(f"{where}: {column}{first['msg'].removeprefix('Value error, ')}; correct it.") from None
    tables = [table.id for table in paper.tables]
    runs = {**paper.runs, **paper.variants}
    for kind, name, known in (("table", claim.table, tables), ("run", claim.run, runs)):
        if name is not None and name not in known:
            raise StageError(f"{where}: unknown {kind} '{name}'; expected one of {', '.join(known)}.")
    return claim


def load_author_log(folder: Path) -> pd.DataFrame:
    """The authors' logged curves, a row per run and epoch (from 0), named and scaled as in curves.csv; maybe none."""
    path = folder / "author_log.csv"
    if not path.is_file():
        return pd.DataFrame({"run": [], "epoch": []})
    log = read_csv(path, ("run", "epoch"), remedy=RESTORE)
    # Recall weighted by support is the accuracy.
    return log if "test_recall_weighted" in log else log.assign(test_recall_weighted=log["test_accuracy"])


def load_author_cost(folder: Path) -> tuple[int, float] | None:
    """How many runs the authors logged the time of, and their seconds; None if they did not."""
    path = folder / "author_cells.csv"
    if not path.is_file():
        return None
    cells = read_csv(path, ("run", "epochs_logged", "seconds_logged"), remedy=RESTORE)
    return int((cells["epochs_logged"] > 0).sum()), float(cells["seconds_logged"].sum())


def slug(text: str) -> str:
    """Text as part of a file name or an anchor: 5.1 -> 5_1."""
    return re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_").lower()
