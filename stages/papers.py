"""What a document published: its description (paper.yaml), its numbers (claims.csv) and its authors' own logs."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from stages.errors import StageError
from stages.params import Cell, Frozen
from stages.tables import read_csv

PAPERS = Path(__file__).resolve().parents[1] / "papers"
METRICS = ("accuracy", "f1_weighted", "precision_weighted", "recall_weighted")
LOG_COLUMNS = (
    "dataset", "architecture", "depth", "epoch",
    "train_loss", "train_accuracy", "test_accuracy", "precision", "f1",
)  # fmt: skip
AUTHOR_CELL_COLUMNS = ("dataset", "architecture", "depth", "status", "epochs_logged", "seconds_logged")
# A cell's keys that the paper's recipe leaves free: its name and coordinates, and what no published number depends on.
FREE_KEYS = {"key", "paper", "dataset", "architecture", "options.depth", "recipe.seeds", "split.seed"}
ABSENT = "(absent)"
RESTORE = "restore it with `git checkout papers`"


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


Optional = BeforeValidator(_none_if_empty)
Metric = Literal["parameters", "accuracy", "f1_weighted", "precision_weighted", "recall_weighted"]


class Claim(Frozen):
    """One published number; the columns of claims.csv, which papers/<id>/README.md explains.

    ``value``, ``precision``, ``margin`` and ``author_log`` are in ``unit``: fractions 0..1, or counts.
    ``architecture`` and ``depth`` are None for a model that the document cites and did not train.
    """

    id: str
    table: str
    row: str
    dataset: str
    architecture: Annotated[str | None, Optional]
    depth: Annotated[int | None, Optional]
    metric: Metric
    published: str
    value: float
    unit: Literal["fraction", "count"]
    precision: Annotated[float, Field(gt=0)]
    rounding: Annotated[Literal["floored", "rounded"] | None, Optional]
    margin: Annotated[float | None, Field(ge=0), Optional]
    author_log: Annotated[float | None, Optional]
    author_log_epochs: Annotated[int | None, Optional]
    note: str

    @model_validator(mode="after")
    def _consistent(self) -> Claim:
        millions = self.published.endswith("m")
        try:
            printed = float(self.published.removesuffix("m")) * (1e6 if millions else 1)
        except ValueError:
            raise ValueError(f"published '{self.published}' is not a number such as 0.81 or 0.136m") from None
        if abs(printed - self.value) > 1e-9 * max(1.0, printed):
            raise ValueError(f"value {self.value:g} is not the published '{self.published}'")
        if (self.architecture is None) != (self.depth is None):
            raise ValueError("architecture and depth must both be given or both be empty")
        return self


class Table(Frozen):
    """A table of the document."""

    id: str
    dataset: str
    caption: str


class Chart(Table):
    """A figure with one curve per depth. ``metric`` is a column of a cell's curves.csv."""

    architecture: str
    metric: str


class Block(Frozen):
    """A block of a diagram. ``size``: height x width x channels of what it gives; ``repeats``: how often it loops."""

    kind: Literal["input", "conv", "recurrent", "pool", "linear"]
    label: str
    size: str
    repeats: str = ""


class Diagram(Frozen):
    """A block diagram of an architecture."""

    id: str
    architecture: str
    caption: str
    blocks: tuple[Block, ...]


class FullScale(Frozen):
    """The document's own recipe, as values of dotted keys of a :class:`stages.params.Cell`."""

    every_cell: dict[str, Any]
    datasets: dict[str, dict[str, Any]]
    architectures: dict[str, dict[str, Any]]


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
    """A paper.yaml. ``datasets`` and ``architectures`` map the pipeline's names to the document's."""

    id: str
    title: str
    author: str
    institution: str
    date: str
    code: str
    datasets: dict[str, str]
    architectures: dict[str, str]
    depths: tuple[int, ...]
    recipe: FullScale
    tables: tuple[Table, ...]
    samples: tuple[Table, ...]
    diagrams: tuple[Diagram, ...]
    charts: tuple[Chart, ...]
    deviations: tuple[Deviation, ...]
    findings: tuple[Finding, ...]

    def differences(self, cell: Cell) -> dict[str, tuple[Any, Any]]:
        """Where a cell departs from the document's recipe: key -> (paper's value, the cell's); empty for a full run.

        Every key of the cell counts but :data:`FREE_KEYS`: an option unknown to the document is a difference once it is
        set. On a dataset that the document does not use, only what it says of every cell and architecture counts.
        """
        recipe = self.recipe
        paper = {**recipe.every_cell, **recipe.datasets.get(cell.dataset, {})}
        paper |= recipe.architectures.get(cell.architecture, {})
        ours = flatten(cell.model_dump(mode="json"))
        known = cell.dataset in recipe.datasets
        names = {} if known else {"dataset": (", ".join(self.datasets), cell.dataset)}
        unknown = [key for key in ours if known and key not in paper and key not in FREE_KEYS and ours[key] is not None]
        pairs = {key: (paper.get(key, ABSENT), ours.get(key, ABSENT)) for key in [*paper, *unknown]}
        return names | {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested mapping as dotted keys; lists and empty mappings are values."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


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
        raise StageError(f"{path}: key '{key}': {first['msg']}; correct it.") from None


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
    tables = {table.id: table.dataset for table in paper.tables}
    for kind, name, known in (
        ("table", claim.table, tables),
        ("dataset", claim.dataset, paper.datasets),
        ("architecture", claim.architecture, paper.architectures),
    ):
        if name is not None and name not in known:
            raise StageError(f"{where}: unknown {kind} '{name}'; expected one of {', '.join(known)}.")
    if tables[claim.table] != claim.dataset:
        raise StageError(f"{where}: dataset '{claim.dataset}' is not that of table {claim.table}.")
    return claim


def load_author_log(folder: Path) -> pd.DataFrame:
    """The authors' logged curves: one row per cell and epoch, fractions 0..1; columns :data:`LOG_COLUMNS`."""
    return read_csv(folder / "author_log.csv", LOG_COLUMNS, remedy=RESTORE)


def load_author_cells(folder: Path) -> pd.DataFrame:
    """One row per run of the authors, with its status and its cost in seconds."""
    return read_csv(folder / "author_cells.csv", AUTHOR_CELL_COLUMNS, remedy=RESTORE)
