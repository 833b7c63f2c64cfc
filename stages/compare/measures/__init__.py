"""What a sentence is measured by: a class per ``measure``, on numbers of a ground and on our runs.

Of our runs a measure gives a value per seed, from the seeds that all of them have. Several seeds are tested by
Student's interval over these values. One seed has no test: what its images tell leaves out that of another seed.
"""

from __future__ import annotations

from collections.abc import Mapping

from stages.compare.measures.measure import Measure
from stages.compare.measures.of_images import Accuracy, Spread, Trend
from stages.compare.measures.of_seeds import Epochs, Gap
from stages.documents.statement import Statement

MEASURES: Mapping[str, type[Measure]] = {
    "accuracy": Accuracy,
    "epochs": Epochs,
    "gap": Gap,
    "spread": Spread,
    "trend": Trend,
}


def measure_of(statement: Statement) -> Measure:
    """What the statement says that it is measured by."""
    return MEASURES[statement.measure](statement)
