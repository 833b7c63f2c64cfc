"""Verdicts against hand-made cases, scipy's own tests, and simulated runs."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from benchmarks.verdicts import TRIALS, rates
from stages.compare.verdicts import (
    BETTER,
    INCONCLUSIVE,
    MATCH,
    WORSE,
    Interval,
    Target,
    binomial,
    interval_of,
    judge,
    resampled,
    scores,
    student,
    target,
)
from stages.documents.claims import Claim
from stages.learning.metrics import summary
from stages.results.metric import Metric
from stages.splits.streams import numpy_stream
from tests.judged import A, made

AIM = Target(0.90, 0.90, "printed")


def interval(low: float, high: float) -> Interval:
    return Interval((low + high) / 2, low, high, 3, "seeds")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.895, 0.905, MATCH),
        (0.880, 0.920, MATCH),
        (0.879, 0.905, INCONCLUSIVE),
        (0.85, 0.95, INCONCLUSIVE),
        (0.91, 0.93, INCONCLUSIVE),
        (0.921, 0.93, BETTER),
        (0.86, 0.879, WORSE),
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side_of_the_margin(low: float, high: float, verdict: str) -> None:
    assert judge(interval(low, high), AIM, 0.02, "higher") == verdict


def test_lower_is_better_for_errors_and_nothing_is_for_counts() -> None:
    assert judge(interval(0.921, 0.93), AIM, 0.02, "lower") == WORSE
    assert judge(interval(0.86, 0.879), AIM, 0.02, "lower") == BETTER
    assert judge(interval(0.921, 0.93), AIM, 0.02, "equal") == WORSE
    assert judge(interval(0.86, 0.879), AIM, 0.02, "equal") == WORSE
    assert judge(interval(0.90, 0.90), AIM, 0.0, "equal") == MATCH


def test_without_an_interval_nothing_is_decided() -> None:
    assert judge(Interval(0.9, None, None, 1, ""), AIM, 0.02, "higher") == INCONCLUSIVE


@pytest.mark.parametrize(
    ("rounding", "low", "high"), [("floored", 0.81, 0.82), ("rounded", 0.805, 0.815), ("", 0.8, 0.82)]
)
def test_a_printed_number_stands_for_a_range(rounding: str, low: float, high: float) -> None:
    aim = target(claim(rounding=rounding))
    assert (aim.low, aim.high) == (pytest.approx(low), pytest.approx(high))
    assert aim.basis == "printed"


def test_the_authors_log_goes_before_what_was_printed() -> None:
    assert target(claim(author_log="0.8142")) == Target(0.8142, 0.8142, "log")


def claim(**changed: str) -> Claim:
    values = {
        "id": "c", "table": "1", "group": "", "row": "r", "column": "c", "run": "x", "metric": "test_accuracy",
        "published": "0.81", "value": "0.81", "unit": "fraction", "precision": "0.01", "rounding": "floored",
        "margin": "0.02", "better": "higher", "author_log": "", "author_log_epochs": "", "note": "",
    }  # fmt: skip
    return Claim.model_validate(values | changed)


def test_a_match_is_what_scipys_two_one_sided_tests_call_equivalent() -> None:
    draws = numpy_stream("verdicts")
    for _ in range(200):
        values = 0.90 + 0.01 * draws.standard_normal() + 0.006 * draws.standard_normal(4)
        above = ttest_1samp(values, AIM.low - 0.02, alternative="greater").pvalue
        below = ttest_1samp(values, AIM.high + 0.02, alternative="less").pvalue
        assert (judge(student(values), AIM, 0.02, "higher") == MATCH) == (max(above, below) < 0.05)


def test_one_seed_has_the_exact_binomial_interval() -> None:
    found = binomial(95, 100)
    assert found.low is not None
    assert found.high is not None
    for bound, at_least in ((found.low, True), (found.high, False)):
        counts = range(95, 101) if at_least else range(96)
        tail = sum(math.comb(100, k) * bound**k * (1 - bound) ** (100 - k) for k in counts)
        assert tail == pytest.approx(0.05, abs=1e-9)


@pytest.mark.parametrize("score", ["precision_weighted", "f1_weighted", "f1_macro", "precision_macro", "recall_macro"])
def test_scores_of_many_matrices_are_those_of_each(score: str) -> None:
    draws = numpy_stream("matrices").integers(0, 9, (50, 4, 4))
    draws[:, 2] = 0
    draws[:10, :, 2] = 0
    found = scores(draws, Metric.parse(f"test_{score}"))
    assert found == pytest.approx([summary(matrix)[score] for matrix in draws], abs=1e-12)


@pytest.mark.parametrize(
    ("metric", "basis"),
    [
        ("parameters", "exact"),
        ("test_accuracy", "binomial, 1 seed"),
        ("test_error", "binomial, 1 seed"),
        ("test_recall_weighted", "binomial, 1 seed"),
        ("test_recall_macro", "resampled test set, 1 seed"),
        ("test_f1_weighted", "resampled test set, 1 seed"),
        ("test_loss", "test images, 1 seed"),
        ("test_loss_sum", "test images, 1 seed"),
        ("train_accuracy", ""),
        ("best_train_loss", ""),
    ],
)
def test_what_one_seed_says_of_a_metric(metric: str, basis: str) -> None:
    result = made()[A]
    found = interval_of(result, Metric.parse(metric))
    assert (found.basis, found.seeds) == (basis, 1)
    assert found.mean == pytest.approx(result.mean(metric), abs=1e-12)
    assert (found.low is None) == (found.high is None) == (not basis)


def test_the_interval_of_an_error_is_that_of_the_accuracy_from_the_other_side() -> None:
    error, accuracy = (interval_of(made()[A], Metric.parse(f"test_{name}")) for name in ("error", "accuracy"))
    assert (error.low, error.high) == (1 - accuracy.high, 1 - accuracy.low)


def test_a_label_that_the_data_lack_is_an_error() -> None:
    with pytest.raises(KeyError):
        interval_of(made()[A], Metric.parse("test_recall_10"))


def test_a_resampled_test_set_gives_the_binomial_interval_where_there_is_one() -> None:
    # Weighted recall is the accuracy. The 5 % quantile of 1000 draws wanders by 0.067 of their standard deviation, the
    # exact interval is wider by half an image at each end, 0.07 of it, and skewed: 0.3 leaves room for both.
    confusion = np.array([[450, 30], [20, 500]])
    low, high = resampled(confusion, Metric.parse("test_recall_weighted"), numpy_stream("resampled"))
    exact, deviation = binomial(950, 1000), math.sqrt(0.95 * 0.05 / 1000)
    assert exact.low is not None
    assert exact.high is not None
    assert abs(low - exact.low) < 0.3 * deviation
    assert abs(high - exact.high) < 0.3 * deviation


LIMIT = 0.05 + 4 * math.sqrt(0.05 * 0.95 / TRIALS)  # four standard deviations of a rate of 5 %


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_difference_as_large_as_the_margin_is_rarely_called_a_match(seeds: int, sign: int) -> None:
    found = rates(seeds, 1.0 * sign, vary=seeds > 1)
    assert found[MATCH] <= LIMIT
    assert found[BETTER] + found[WORSE] <= LIMIT


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_a_difference_within_the_margin_is_rarely_called_better_or_worse(seeds: int) -> None:
    found = rates(seeds, 0.5, vary=seeds > 1)
    assert found[BETTER] + found[WORSE] <= LIMIT


def test_the_tests_have_power_where_they_can_have_it() -> None:
    assert rates(5, 0.0)[MATCH] > 0.9
    assert rates(5, 2.0)[BETTER] > 0.9
    assert rates(1, 0.0, vary=False)[MATCH] > 0.9


def test_one_seed_knows_nothing_of_the_others() -> None:
    found = rates(1, 1.0)
    assert found[MATCH] > LIMIT
    assert found[BETTER] > LIMIT
