"""The whole of params.yaml: what can be trained, what is asked for, and how it is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from stages.cell import Compute
from stages.core.errors import StageError
from stages.core.files import read_yaml
from stages.params.cells import Cells
from stages.params.machine import Ray, Slurm
from stages.params.mistakes import check_known, explain
from stages.params.runs import Grid


class Params(Cells):
    """A params.yaml. ``dataset``, ``architecture``, ``depth``: the cell that is asked for, the headline."""

    root: str
    home: str
    dataset: str
    architecture: str
    depth: Annotated[int, Field(ge=4)]
    grid: Grid
    compute: Compute
    ray: Ray = Ray()
    slurm: Slurm = Slurm()

    @model_validator(mode="after")
    def _known_grid(self) -> Params:
        for name in (self.dataset, *self.grid.datasets):
            check_known("dataset", name, self.data, "data")
            check_known("dataset", name, self.recurnets.transforms, "recurnets.transforms")
        check_known("architecture", self.architecture, self.recurnets.models, "recurnets.models")
        return self

    @property
    def headline(self) -> str:
        """The key of the cell that was asked for."""
        return f"{self.dataset}-{self.architecture}-{self.depth}"

    def comparable(self) -> Cells:
        """What decides which results are current and what they are set beside."""
        return Cells.model_validate(self.model_dump(include=set(Cells.model_fields)))


def load_params(path: Path) -> Params:
    """Read and check a params.yaml; a :class:`StageError` names the file, the key, and what was expected."""
    raw = read_yaml(path)
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        raise StageError(
            f"{path}: {'; '.join(explain(e['loc'], e['type'], e['msg']) for e in error.errors())}."
        ) from None
