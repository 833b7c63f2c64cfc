"""Where things lie. A *home* is a folder with a params.yaml and a dvc.yaml: the repository itself, or ``full/``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # this floor knows nobody
    from stages.cell import Cell


@dataclass(frozen=True)
class Layout:
    """The paths of one home; the same names stand in dvc.yaml.

    Everything under ``results/`` is an output of DVC, in folders by kind; in them, a cell's files lie at its address.
    """

    home: Path

    @property
    def params(self) -> Path:
        """The parameters."""
        return self.home / "params.yaml"

    @property
    def checked(self) -> Path:
        """Written when the parameters are valid."""
        return self.home / "checked" / "params-are-valid"

    @property
    def cells(self) -> Path:
        """Every cell that the parameters name, and what else of them decides what is compared."""
        return self.home / "checked" / "cells.json"

    def raw(self, dataset: str) -> Path:
        """Official files as downloaded, verified."""
        return self.home / "data" / "raw" / dataset

    def raw_weights(self, key: str) -> Path:
        """Weights that a document's authors published, as downloaded, verified."""
        return self.raw("author_weights") / key

    def data(self, dataset: str) -> Path:
        """A split as arrays."""
        return self.home / "data" / dataset

    @property
    def results(self) -> Path:
        """All results."""
        return self.home / "results"

    def training(self, cell: Cell) -> Path:
        """What training a cell leaves: run.json, curves, weights."""
        return self.results / "training" / cell.address

    def evaluation(self, cell: Cell) -> Path:
        """What evaluating a cell leaves: metrics, predictions, calibration."""
        return self.results / "evaluation" / cell.address

    def training_clock(self, cell: Cell) -> Path:
        """What depends on the clock and the machine of a training; nothing compares it."""
        return self.results / "clocks" / "training" / cell.address

    def evaluation_clock(self, cell: Cell) -> Path:
        """What depends on the clock and the machine of an evaluation; nothing compares it."""
        return self.results / "clocks" / "evaluation" / cell.address

    def trained(self, group: str = "*") -> list[Path]:
        """The run.json of everything that was trained, or of a run, or of the cells of a study."""
        folder = self.results / "training"
        return sorted(path for pattern in ("", "*/") for path in folder.glob(f"{group}/{pattern}run.json"))

    def explanation(self, key: str) -> Path:
        """Saliency maps of a run and their scores."""
        return self.results / "explanations" / key

    def author_weights(self, key: str = "") -> Path:
        """What evaluating weights leaves that a document's authors published; without a ``key``, the folder of all."""
        return self.results / "author_weights" / key

    def composition(self, dataset: str) -> Path:
        """A split's composition table and sample sheets."""
        return self.results / "splits" / dataset

    @property
    def reports(self) -> Path:
        """Tables, figures and the rendered report."""
        return self.home / "reports"

    @property
    def drawings(self) -> Path:
        """What was drawn for the last report, outside DVC and git."""
        return self.home / ".drawings.zip"

    @property
    def headline(self) -> Path:
        """The few numbers that ``dvc metrics diff`` shows."""
        return self.home / "headline.json"

    @property
    def scores(self) -> Path:
        """A row for every cell: what a clone without the results compares."""
        return self.home / "scores.csv"

    @property
    def started(self) -> Path:
        """The first epochs of trainings that are not complete."""
        return self.home / "started.csv"

    @property
    def pace(self) -> Path:
        """How long a training step takes, by network and machine."""
        return self.home / "pace.csv"

    @property
    def teams(self) -> Path:
        """Results of other teams, a folder each, which is laid out like a home."""
        return self.home / "teams"

    @property
    def checkpoints(self) -> Path:
        """Unfinished training, outside DVC and git."""
        return self.home / ".checkpoints"

    @property
    def slurm(self) -> Path:
        """Jobs that Slurm was given, outside DVC and git."""
        return self.home / ".slurm"
