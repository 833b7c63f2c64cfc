"""Calibration scores against scikit-learn, naive loops, and a classifier that is calibrated by construction."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import brier_score_loss, log_loss
from torch import Tensor

from stages.evaluate.calibration import BINS, RELIABILITY_COLUMNS, calibration, reliability
from stages.results import cell_result
from stages.splits.streams import numpy_stream


def guesses(images: int = 200, classes: int = 10, scale: float = 2.0) -> tuple[Tensor, Tensor]:
    draws = numpy_stream("guesses", images, classes)
    logits = torch.tensor(scale * draws.standard_normal((images, classes)), dtype=torch.float32)
    return logits, torch.tensor(draws.integers(0, classes, images))


def softmax(logits: Tensor) -> list[list[float]]:
    rows = []
    for row in logits.tolist():
        weights = [math.exp(value - max(row)) for value in row]
        rows.append([weight / sum(weights) for weight in weights])
    return rows


def test_the_log_likelihood_is_scikit_learns_and_torchs() -> None:
    logits, labels = guesses()
    found = calibration(logits, labels)
    assert found.nll == pytest.approx(log_loss(labels, softmax(logits), labels=range(10)), rel=1e-9)
    losses = torch.nn.functional.cross_entropy(logits.double(), labels, reduction="none")
    assert found.nll == pytest.approx(losses.mean().item(), rel=1e-12)
    assert found.nll_error == pytest.approx(losses.std(unbiased=True).item() / math.sqrt(200), rel=1e-9)


def test_the_error_of_the_log_likelihood_by_hand() -> None:
    # Two even guesses, of 2 and of 4 classes' odds: log 2 and log 4, which lie log 2 apart.
    logits = torch.tensor([[0.0, 0.0], [0.0, math.log(3)]])
    found = calibration(logits, torch.tensor([0, 0]))
    assert found.nll == pytest.approx(1.5 * math.log(2), rel=1e-6)
    assert found.nll_error == pytest.approx(math.log(2) / 2, rel=1e-6)  # |a - b| / 2^0.5 / 2^0.5
    assert calibration(logits[:1], torch.tensor([0])).nll_error == 0.0


def test_of_two_classes_the_brier_score_is_twice_scikit_learns() -> None:
    logits, labels = guesses(classes=2)
    second = [row[1] for row in softmax(logits)]
    assert calibration(logits, labels).brier == pytest.approx(2 * brier_score_loss(labels, second), rel=1e-9)


def test_the_brier_score_sums_over_the_classes() -> None:
    logits, labels = guesses()
    total = 0.0
    for probabilities, label in zip(softmax(logits), labels.tolist(), strict=True):
        total += sum((p - (k == label)) ** 2 for k, p in enumerate(probabilities))
    assert calibration(logits, labels).brier == pytest.approx(total / 200, rel=1e-9)


def test_the_calibration_error_is_that_of_guos_equation() -> None:
    logits, labels = guesses(500)
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for probabilities, label in zip(softmax(logits), labels.tolist(), strict=True):
        confidence = max(probabilities)
        number = next(k for k in range(BINS) if k / BINS < confidence <= (k + 1) / BINS)
        bins[number].append((confidence, probabilities.index(confidence) == label))
    expected = 0.0
    for inside in filter(None, bins):
        confidences, hits = zip(*inside, strict=True)
        expected += len(inside) / 500 * abs(sum(hits) / len(inside) - sum(confidences) / len(inside))
    assert calibration(logits, labels).ece == pytest.approx(expected, rel=1e-9)


def test_the_reliability_diagram_holds_every_image_once() -> None:
    logits, labels = guesses(500)
    found = calibration(logits, labels)
    rows = [dict(zip(RELIABILITY_COLUMNS, row, strict=True)) for row in found.reliability]
    assert sum(row["images"] for row in rows) == 500
    assert [row["bin"] for row in rows] == sorted({row["bin"] for row in rows})
    assert all(row["low"] < row["confidence"] <= row["high"] for row in rows)
    right = sum(row["images"] * row["accuracy"] for row in rows)
    assert right == pytest.approx(int((logits.argmax(dim=1) == labels).sum()), abs=1e-9)
    weighted = sum(row["images"] / 500 * abs(row["accuracy"] - row["confidence"]) for row in rows)
    assert found.ece == pytest.approx(weighted, abs=1e-12)


def test_the_reliability_diagram_is_written_with_the_columns_that_are_read() -> None:
    assert ("seed", *RELIABILITY_COLUMNS) == cell_result.RELIABILITY_COLUMNS


@pytest.mark.parametrize("edge", range(1, BINS + 1))
def test_a_confidence_on_an_edge_belongs_to_the_bin_below(edge: int) -> None:
    confidence = edge / BINS
    below, above = confidence - 1e-9, confidence + 1e-9
    for value, expected in ((below, edge - 1), (confidence, edge - 1), (above, min(edge, BINS - 1))):
        ((number, low, high, images, *_),) = reliability(np.array([value]), np.array([True]))
        assert (number, images) == (expected, 1)
        assert (low, high) == (expected / BINS, (expected + 1) / BINS)


def test_empty_bins_have_no_row() -> None:
    rows = reliability(np.array([0.95, 0.99, 0.5]), np.array([True, False, True]))
    assert [(row[0], row[3], row[5]) for row in rows] == [(7, 1, 1.0), (14, 2, 0.5)]
    assert [row[4] for row in rows] == pytest.approx([0.5, 0.97], abs=1e-15)


@pytest.mark.parametrize(("label", "nll", "brier", "ece"), [(0, 0.0, 0.0, 0.0), (1, 1000.0, 2.0, 1.0)])
def test_certainty_is_perfect_or_as_bad_as_can_be(label: int, nll: float, brier: float, ece: float) -> None:
    found = calibration(torch.tensor([[1000.0, 0.0, 0.0]]), torch.tensor([label]))
    assert (found.nll, found.brier, found.ece) == (nll, brier, ece)


def test_even_guesses_have_closed_forms() -> None:
    found = calibration(torch.zeros(10, 10), torch.arange(10))
    assert found.nll == pytest.approx(math.log(10), rel=1e-12)
    assert found.nll_error == pytest.approx(0, abs=1e-12)
    assert found.brier == pytest.approx(0.9, rel=1e-12)  # 0.9^2 + 9 * 0.1^2
    assert found.ece == pytest.approx(0, abs=1e-12)  # ties go to class 0, right once in ten, confidence a tenth


def calibrated(images: int) -> tuple[Tensor, Tensor]:
    """Labels drawn from the very probabilities that are stated."""
    draws = numpy_stream("calibrated")
    logits = 2 * draws.standard_normal((images, 10))
    labels = (logits + draws.gumbel(size=logits.shape)).argmax(axis=1)
    return torch.tensor(logits), torch.tensor(labels)


def test_a_calibrated_classifier_has_hardly_any_calibration_error() -> None:
    # In each bin of n images the right ones are a sum of independent trials whose mean is the confidence: the gap has a
    # standard deviation of at most 1 / (2 n^0.5), a mean of at most that, and sum n / N / (2 n^0.5) <= (B / N)^0.5 / 2
    # by Cauchy and Schwarz. One image moves the error by at most 1 / N, so by McDiarmid it exceeds its mean by
    # t with a probability of at most exp(-2 N t^2): t = 4 / N^0.5 leaves exp(-32).
    images = 50_000
    logits, labels = calibrated(images)
    assert calibration(logits, labels).ece <= (math.sqrt(BINS) / 2 + 4) / math.sqrt(images)


def test_overconfidence_is_found() -> None:
    logits, labels = calibrated(50_000)
    sharper = calibration(3 * logits, labels)
    bound = (math.sqrt(BINS) / 2 + 4) / math.sqrt(50_000)
    assert sharper.ece > 3 * bound
    assert sharper.nll > calibration(logits, labels).nll
    assert all(accuracy < confidence for *_, images, confidence, accuracy in sharper.reliability if images > 1000)
