"""Precision, recall and F1 of every class, from confusion matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def by_class(confusions: NDArray[np.int64], score: str) -> NDArray[np.float64]:
    """Precision, recall or f1 (``score``) of every class, (N, classes), of matrices (N, classes, classes), rows true.

    0 where nothing is predicted, or nothing there, as in :mod:`stages.learning.metrics`.
    """
    hits = np.diagonal(confusions, axis1=1, axis2=2).astype(np.float64)
    actual, predicted = confusions.sum(axis=2), confusions.sum(axis=1)
    parts = {"precision": (hits, predicted), "recall": (hits, actual), "f1": (2 * hits, predicted + actual)}
    numerator, denominator = parts[score]
    return np.divide(numerator, denominator, out=np.zeros_like(hits), where=denominator > 0)
