"""Reading what training and evaluation left under results/runs/: only what belongs to the current parameters counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stages.errors import StageError
from stages.files import read_json
from stages.layout import Layout
from stages.params import Cell, Fraction, Params, Positive
from stages.tables import REMAKE, numeric, read_csv

SCORES = (
    "loss", "accuracy",
    "precision_weighted", "recall_weighted", "f1_weighted",
    "precision_macro", "recall_macro", "f1_macro",
)  # fmt: skip
CURVE_COLUMNS = ("seed", "epoch", "learning_rate", "train_loss", "train_accuracy", *(f"test_{name}" for name in SCORES))
TIMING_COLUMNS = ("seed", "epoch", "train_seconds", "test_seconds")


class Record(BaseModel):
    """What a JSON file must hold; further keys are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Run(Record):
    """run.json: what was trained, on which data (SHA-256 of the split) and with which code."""

    cell: dict[str, Any]
    data_sha256: str
    code_sha256: str
    parameters: Positive


class SeedScores(Record):
    """One seed's scores on the test set; fractions 0..1, and the mean cross-entropy in nats."""

    seed: Annotated[int, Field(ge=0)]
    loss: Annotated[float, Field(ge=0)]
    accuracy: Fraction
    precision_weighted: Fraction
    recall_weighted: Fraction
    f1_weighted: Fraction
    precision_macro: Fraction
    recall_macro: Fraction
    f1_macro: Fraction


class Metrics(Record):
    """metrics.json. ``macs``: multiply-accumulates of one image, inference; ``training_macs``: the same in training."""

    parameters: Positive
    macs: Positive
    training_macs: Positive
    test_images: Positive
    seeds: Annotated[tuple[SeedScores, ...], Field(min_length=1)]


class Environment(Record):
    """environment.json: where a cell was trained."""

    python: str
    torch: str
    device: str
    device_name: str
    threads: int
    platform: str


@dataclass(frozen=True)
class CellResult:
    """One trained and evaluated cell. ``curves`` and ``timing`` (seconds): one row per seed and epoch (from 0)."""

    cell: Cell
    run: Run
    metrics: Metrics
    environment: Environment
    curves: pd.DataFrame
    timing: pd.DataFrame

    @property
    def coordinates(self) -> tuple[str, str, int]:
        """Dataset, architecture, depth."""
        return self.cell.dataset, self.cell.architecture, int(self.cell.options["depth"])

    def mean(self, score: str) -> float:
        """A test score, mean over the seeds."""
        return sum(getattr(seed, score) for seed in self.metrics.seeds) / len(self.metrics.seeds)

    def final(self, column: str) -> float:
        """A column of the curves after the last epoch, mean over the seeds."""
        return float(self.curves.loc[self.curves["epoch"] == self.cell.recipe.epochs - 1, column].mean())

    def seconds(self) -> float:
        """Seconds spent on training and testing, all seeds together."""
        return float(self.timing["train_seconds"].sum() + self.timing["test_seconds"].sum())


@dataclass(frozen=True)
class Results:
    """The results of a home in the order of its parameters; ``stale`` and ``unevaluated`` are keys not to be shown."""

    cells: tuple[CellResult, ...]
    stale: tuple[str, ...]
    unevaluated: tuple[str, ...]


def read_results(layout: Layout, params: Params) -> Results:
    """Read every cell of a home; a :class:`StageError` names a damaged file."""
    cells: list[CellResult] = []
    stale: list[str] = []
    unevaluated: list[str] = []
    for path in sorted(layout.results("*").parent.glob("*/run.json")):
        key = path.parent.name
        run = _parse(Run, path)
        cell = _current_cell(run, params)
        if cell is None or cell.key != key:
            stale.append(key)
        elif not _evaluated(path.parent, cell):
            unevaluated.append(key)
        else:
            cells.append(_read_cell(path.parent, run, cell))
    datasets, architectures = list(params.data), list(params.recurnets.models)

    def order(result: CellResult) -> tuple[int, int, int]:
        dataset, architecture, depth = result.coordinates
        return datasets.index(dataset), architectures.index(architecture), depth

    return Results(tuple(sorted(cells, key=order)), tuple(stale), tuple(unevaluated))


def read_cell(layout: Layout, params: Params, cell: Cell) -> CellResult:
    """Read one cell and nothing else; a :class:`StageError` if it is missing, stale, not evaluated or damaged."""
    folder = layout.results(cell.key)
    run = _parse(Run, folder / "run.json")
    if _current_cell(run, params) != cell:
        raise StageError(f"{folder / 'run.json'} is of a run with other parameters; run `dvc repro` to train it anew.")
    if not _evaluated(folder, cell):
        raise StageError(
            f"{folder / 'metrics.json'} is missing or of other seeds; run `dvc repro` to evaluate the cell."
        )
    return _read_cell(folder, run, cell)


def _current_cell(run: Run, params: Params) -> Cell | None:
    """The cell that the parameters give for the run's coordinates, if the run was made with exactly these."""
    options = run.cell.get("options")
    depth = options.get("depth") if isinstance(options, dict) else None
    try:
        cell = params.cell(str(run.cell.get("dataset")), str(run.cell.get("architecture")), depth or 0)
    except StageError:
        return None
    return cell if cell.model_dump(mode="json") == run.cell else None


def _evaluated(folder: Path, cell: Cell) -> bool:
    """Whether there are metrics of exactly the cell's seeds (a run that gained a seed still has its old ones)."""
    path = folder / "metrics.json"
    return path.is_file() and tuple(seed.seed for seed in _parse(Metrics, path).seeds) == cell.recipe.seeds


def _read_cell(folder: Path, run: Run, cell: Cell) -> CellResult:
    return CellResult(
        cell=cell,
        run=run,
        metrics=_parse(Metrics, folder / "metrics.json"),
        environment=_parse(Environment, folder / "environment.json"),
        curves=_per_epoch(folder / "curves.csv", CURVE_COLUMNS, cell),
        timing=_per_epoch(folder / "timing.csv", TIMING_COLUMNS, cell),
    )


def _per_epoch(path: Path, columns: tuple[str, ...], cell: Cell) -> pd.DataFrame:
    table = numeric(read_csv(path, columns), path, columns)
    expected = [(seed, epoch) for seed in cell.recipe.seeds for epoch in range(cell.recipe.epochs)]
    found = sorted(zip(table["seed"], table["epoch"], strict=True))
    if found != sorted(expected):
        raise StageError(
            f"{path} has {len(found)} rows where one was expected for each of {cell.recipe.epochs} epochs of seeds "
            f"{', '.join(map(str, cell.recipe.seeds))}; {REMAKE}."
        )
    return table


RecordType = TypeVar("RecordType", bound=Record)


def _parse(kind: type[RecordType], path: Path) -> RecordType:
    try:
        return kind.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise StageError(f"{path}: key '{key}': {first['msg']}; {REMAKE}.") from None
