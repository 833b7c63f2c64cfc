"""Classification metrics from a confusion matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

AVERAGES = ("weighted", "macro")
METRICS = ("precision", "recall", "f1")


def per_class(confusion: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Precision, recall and F1 of every class.

    ``confusion``: int64, shape (classes, classes), rows the true label, columns the predicted one. A ratio whose
    denominator is 0 is 0, as scikit-learn's ``zero_division=0`` has it. Values are fractions in 0..1.
    """
    hits = np.diag(confusion).astype(np.float64)
    predicted = confusion.sum(axis=0)
    actual = confusion.sum(axis=1)
    return {
        "precision": _ratio(hits, predicted),
        "recall": _ratio(hits, actual),
        "f1": _ratio(2 * hits, predicted + actual),
    }


def summary(confusion: NDArray[np.int64]) -> dict[str, float]:
    """Accuracy, and precision, recall and F1 averaged over classes: weighted by support, and unweighted (macro).

    Like scikit-learn, the macro average leaves out classes that neither occur nor are predicted. Raises ValueError for
    a matrix without samples.
    """
    total = int(confusion.sum())
    if total == 0:
        raise ValueError("a confusion matrix without samples has no metrics")
    support = confusion.sum(axis=1)
    present = (support + confusion.sum(axis=0)) > 0
    weights = {"weighted": support / total, "macro": present / present.sum()}
    values = {"accuracy": float(np.diag(confusion).sum() / total)}
    by_class = per_class(confusion)
    for average in AVERAGES:
        for metric in METRICS:
            values[f"{metric}_{average}"] = float(by_class[metric] @ weights[average])
    return values


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=denominator > 0)
