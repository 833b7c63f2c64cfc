"""Where things lie. A *home* is a folder with a params.yaml and a dvc.yaml: the repository itself, or ``full/``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stages.cell import Cell


@dataclass(frozen=True)
class Layout:
    """The paths of one home; the same names stand in dvc.yaml."""

    home: Path

    @property
    def params(self) -> Path:
        """The parameters."""
        return self.home / "params.yaml"

    @property
    def checked(self) -> Path:
        """Written when the parameters are valid."""
        return self.home / "runs" / "params-checked"

    def raw(self, dataset: str) -> Path:
        """Official files as downloaded, verified."""
        return self.home / "data" / "raw" / dataset

    def data(self, dataset: str) -> Path:
        """A split: arrays, composition table, sample sheet."""
        return self.home / "data" / dataset

    def weights(self, cell: Cell) -> Path:
        """A cell's trained weights, one file per seed."""
        return self._of(cell, self.home / "runs", "weights")

    def predictions(self, cell: Cell) -> Path:
        """A cell's predictions on the test set, one file per seed."""
        return self._of(cell, self.home / "runs", "predictions")

    @property
    def all_results(self) -> Path:
        """All small result files (kept in git)."""
        return self.home / "results"

    def training(self, cell: Cell) -> Path:
        """What training a cell leaves, but for the weights (kept in git)."""
        return self._of(cell, self.all_results, "training")

    def evaluation(self, cell: Cell) -> Path:
        """What evaluating a cell leaves, but for the predictions (kept in git)."""
        return self._of(cell, self.all_results, "evaluation")

    def _of(self, cell: Cell, root: Path, kind: str) -> Path:
        """A folder of a run; the cells of a study lie together, by kind."""
        if cell.study is not None:
            return root / "studies" / cell.study / kind / cell.key
        return root / "runs" / cell.key if root == self.all_results else root / cell.key / kind

    @property
    def trained(self) -> list[Path]:
        """The run.json of everything that was trained."""
        patterns = ("runs/*/run.json", "studies/*/training/*/run.json")
        return sorted(path for pattern in patterns for path in self.all_results.glob(pattern))

    def explanation(self, key: str) -> Path:
        """Saliency maps of a run and their scores (kept in git)."""
        return self.all_results / "explanations" / key

    def composition(self, dataset: str) -> Path:
        """A split's composition table and sample sheet (kept in git)."""
        return self.all_results / "splits" / dataset

    @property
    def reports(self) -> Path:
        """Tables, figures and the rendered report."""
        return self.home / "reports"

    @property
    def headline(self) -> Path:
        """The few numbers that ``dvc metrics diff`` shows."""
        return self.home / "headline.json"

    @property
    def checkpoints(self) -> Path:
        """Unfinished training, outside DVC and git."""
        return self.home / ".checkpoints"
