"""Metrics against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from stages.learning.metrics import AVERAGES, per_class, summary
from stages.splits.streams import numpy_stream


@pytest.mark.parametrize("case", range(20))
def test_metrics_equal_scikit_learns(case: int) -> None:
    draws = numpy_stream("metrics", case)
    # Few samples, so that some classes are absent, and some never predicted.
    true, predicted = draws.integers(0, 6, (2, 5 + 3 * case))
    confusion = confusion_matrix(true, predicted, labels=range(6))
    ours = summary(confusion)
    assert ours["accuracy"] == pytest.approx(accuracy_score(true, predicted), abs=1e-15)
    for average in AVERAGES:
        oracle = precision_recall_fscore_support(true, predicted, average=average, zero_division=0)
        names = [f"{metric}_{average}" for metric in ("precision", "recall", "f1")]
        assert [ours[name] for name in names] == pytest.approx(oracle[:3], abs=1e-15)
    by_class = precision_recall_fscore_support(true, predicted, labels=range(6), zero_division=0)
    for name, values in zip(("precision", "recall", "f1"), by_class[:3], strict=True):
        np.testing.assert_allclose(per_class(confusion)[name], values, rtol=0, atol=1e-15)


def test_weighted_recall_is_accuracy() -> None:
    confusion = numpy_stream("recall").integers(0, 50, (10, 10))
    assert summary(confusion)["recall_weighted"] == pytest.approx(summary(confusion)["accuracy"], abs=1e-15)


def test_no_samples_have_no_metrics() -> None:
    with pytest.raises(ValueError, match="without samples"):
        summary(np.zeros((3, 3), np.int64))
