"""One thing to train, and everything that decides its numbers: images, model, recipe, arithmetic."""

from stages.cell.cell import Cell, Model, Option
from stages.cell.compute import Compute
from stages.cell.images import NoisyCopies, Split, Transform

__all__ = ["Cell", "Compute", "Model", "NoisyCopies", "Option", "Split", "Transform"]
