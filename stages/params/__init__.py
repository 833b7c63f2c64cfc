"""The parameters: what params.yaml may hold, checked before anything runs."""

from stages.params.images import NoisyCopies, Split, Transform
from stages.params.machine import Compute, Energy, Ray
from stages.params.runs import Cell, Explanation, Grid, Model, Option, RecurNets, Run, Study, Variation
from stages.params.whole import Params, load_params

__all__ = [
    "Cell", "Compute", "Energy", "Explanation", "Grid", "Model", "NoisyCopies", "Option", "Params", "Ray",
    "RecurNets", "Run", "Split", "Study", "Transform", "Variation", "load_params",
]  # fmt: skip
