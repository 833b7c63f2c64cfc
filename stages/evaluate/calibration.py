"""How far a classifier's probabilities can be trusted: calibration error, Brier score, log-likelihood, reliability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

BINS = 15
RELIABILITY_COLUMNS = ("bin", "low", "high", "images", "confidence", "accuracy")


@dataclass(frozen=True)
class Calibration:
    """Scores of one seed on a test set of N images.

    ``nll``: mean negative log-likelihood, in nats. ``nll_error``: its standard error, sd / sqrt(N), 0 for one image.
    ``brier``: mean squared distance of the probabilities from the label's, summed over the classes, 0..2 (Brier 1950).
    ``ece``: expected calibration error, 0..1: |accuracy - confidence| over :data:`BINS` equal bins of the confidence
    in the predicted class, weighted by their images (Guo et al. 2017, equation 3). ``reliability``: the bins that are
    not empty, as rows of :data:`RELIABILITY_COLUMNS`; bin k holds confidences above k / 15 and up to (k + 1) / 15.
    """

    nll: float
    nll_error: float
    brier: float
    ece: float
    reliability: tuple[tuple[int, float, float, int, float, float], ...]


def calibration(logits: Tensor, labels: Tensor) -> Calibration:
    """Score ``logits``, float (N, classes), against ``labels``, int64 (N,) in 0..classes-1; N must not be 0."""
    logs = logits.double().log_softmax(dim=1).numpy()
    true = labels.numpy()
    probabilities = np.exp(logs)
    losses = -logs[np.arange(len(true)), true]
    distances = probabilities.copy()
    distances[np.arange(len(true)), true] -= 1
    rows = reliability(probabilities.max(axis=1), probabilities.argmax(axis=1) == true)
    return Calibration(
        nll=float(losses.mean()),
        nll_error=float(losses.std(ddof=1) / np.sqrt(len(losses))) if len(losses) > 1 else 0.0,
        brier=float((distances**2).sum(axis=1).mean()),
        ece=sum(images * abs(accuracy - confidence) for *_, images, confidence, accuracy in rows) / len(true),
        reliability=rows,
    )


def reliability(
    confidence: NDArray[np.float64], right: NDArray[np.bool_]
) -> tuple[tuple[int, float, float, int, float, float], ...]:
    """Rows of :data:`RELIABILITY_COLUMNS` for confidences (N,) in (0, 1] and whether each prediction is right."""
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    rows = []
    for number in np.unique(bins).tolist():
        inside = bins == number
        means = float(confidence[inside].mean()), float(right[inside].mean())
        rows.append((number, number / BINS, (number + 1) / BINS, int(inside.sum()), *means))
    return tuple(rows)
