"""The parameters of a home: what params.yaml must look like, and the cells that follow from it."""

from stages.params.cells import Cells, load_cells
from stages.params.machine import Energy, Ray, Slurm
from stages.params.runs import AuthorWeights, Explanation, Grid, RecurNets, Run, Study, Variation
from stages.params.whole import Params, load_params

__all__ = [
    "AuthorWeights", "Cells", "Energy", "Explanation", "Grid", "Params", "Ray", "RecurNets", "Run", "Slurm",
    "Study", "Variation", "load_cells", "load_params",
]  # fmt: skip
