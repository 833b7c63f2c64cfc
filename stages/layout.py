"""Where things lie. A *home* is a folder with a params.yaml and a dvc.yaml: the repository itself, or ``full/``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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

    def weights(self, key: str) -> Path:
        """A cell's trained weights, one file per seed."""
        return self.home / "runs" / key / "weights"

    def predictions(self, key: str) -> Path:
        """A cell's predictions on the test set, one file per seed."""
        return self.home / "runs" / key / "predictions"

    @property
    def all_results(self) -> Path:
        """All small result files (kept in git)."""
        return self.home / "results"

    def results(self, key: str) -> Path:
        """One cell's small result files (kept in git)."""
        return self.all_results / "runs" / key

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
