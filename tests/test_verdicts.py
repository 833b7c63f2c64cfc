"""Verdicts against hand-made cases and scipy's own tests."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_ind

from stages.compare.pooled import POOLED, SEEDS, Spread
from stages.compare.verdicts import (
    ASSUMED,
    BETTER,
    INCONCLUSIVE,
    MATCH,
    OURS_HIGHER,
    OURS_LOWER,
    WORSE,
    Interval,
    Target,
    binomial,
    drawn,
    interval_of,
    judge,
    judge_without_margin,
    plausible,
    resampled,
    scores,
    target,
)
from stages.documents.claims import Claim
from stages.learning.metrics import summary
from stages.results.cell_result import CellResult
from stages.results.metric import Metric
from stages.splits.streams import numpy_stream
from tests.judged import A, B, first, made, predicting

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


@pytest.mark.parametrize("direction", ["higher", "lower", "equal"])
def test_a_reading_is_neither_better_nor_worse(direction: str) -> None:
    for low, high, verdict in ((0.921, 0.93, OURS_HIGHER), (0.86, 0.879, OURS_LOWER), (0.89, 0.91, MATCH)):
        assert judge(interval(low, high), AIM, 0.02, direction, reading=True) == verdict
    assert judge(interval(0.91, 0.93), AIM, 0.02, direction, reading=True) == INCONCLUSIVE


@pytest.mark.parametrize(
    ("low", "high", "is_plausible", "verdict", "as_reading"),
    [
        (0.89, 0.95, True, INCONCLUSIVE, INCONCLUSIVE),
        (0.901, 0.95, False, BETTER, OURS_HIGHER),
        (0.80, 0.899, False, WORSE, OURS_LOWER),
        (None, None, None, INCONCLUSIVE, INCONCLUSIVE),
    ],
)
def test_without_a_margin_only_a_number_that_we_would_hardly_draw_is_decided(
    low: float | None, high: float | None, is_plausible: bool | None, verdict: str, as_reading: str
) -> None:
    mean = 0.9 if low is None or high is None else (low + high) / 2
    found = Interval(mean, None, None, 3, "seeds", low, high)
    assert plausible(found, AIM) is is_plausible
    assert judge_without_margin(found, AIM, "higher") == verdict
    assert judge_without_margin(found, AIM, "higher", reading=True) == as_reading


def test_a_printed_number_is_plausible_if_some_value_that_is_printed_so_is() -> None:
    found = Interval(0.9, None, None, 3, "seeds", 0.89, 0.91)
    assert plausible(found, Target(0.909, 0.95, "printed"))
    assert not plausible(found, Target(0.911, 0.95, "printed"))


@pytest.mark.parametrize(("low", "high"), [(0.125, 0.25), (0.75, 0.875)])
def test_an_interval_that_touches_the_margin_decides_nothing(low: float, high: float) -> None:
    assert judge(interval(low, high), Target(0.5, 0.5, "printed"), 0.25, "higher") == INCONCLUSIVE


def test_a_number_at_the_end_of_what_one_more_seed_may_give_is_plausible() -> None:
    found = Interval(0.5, None, None, 3, "seeds", 0.25, 0.75)
    for low, high, said in ((0.75, 0.875, True), (0.125, 0.25, True), (0.7501, 0.875, False), (0.125, 0.2499, False)):
        assert plausible(found, Target(low, high, "printed")) == said
    assert plausible(replace(found, predicted_low=None), AIM) is None
    assert drawn([0.5, 0.6], Spread(0.1, 3, POOLED)).seeds == 2


def test_without_an_interval_nothing_is_decided() -> None:
    assert judge(Interval(0.9, None, 0.95, 1, ""), AIM, 0.02, "higher") == INCONCLUSIVE
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


def test_a_match_is_what_scipys_two_one_sided_tests_of_two_samples_call_equivalent() -> None:
    draws = numpy_stream("verdicts")
    for _ in range(200):
        values = 0.90 + 0.01 * draws.standard_normal() + 0.006 * draws.standard_normal(4)
        above = ttest_ind(values - AIM.low + 0.02, [0.0], alternative="greater").pvalue
        below = ttest_ind(values - AIM.high - 0.02, [0.0], alternative="less").pvalue
        found = drawn(values, Spread(float(values.std(ddof=1)), 3, SEEDS))
        assert (judge(found, AIM, 0.02, "higher") == MATCH) == (max(above, below) < 0.05)
        assert plausible(found, AIM) == (ttest_ind(values, [AIM.low]).pvalue > 0.05)


def test_the_elman_losses_that_three_seeds_predict() -> None:
    # The mean is 0.77472 and s 0.060902 at two degrees of freedom, whose 97.5 % quantile is 4.302653 by any table.
    values = [0.77472 + 0.060902 * step for step in (-1, 0, 1)]
    found = drawn(values, Spread(0.060902, 2, SEEDS))
    reach = 4.302653 * 0.060902 * math.sqrt(4 / 3)
    assert (found.predicted_low, found.predicted_high) == pytest.approx((0.77472 - reach, 0.77472 + reach), abs=1e-6)
    assert plausible(found, Target(0.7533, 0.7533, "log"))


def test_the_seeds_of_similar_runs_narrow_an_interval() -> None:
    own = predicting(made()[A], [first(900), first(910)])
    other = predicting(made()[B], [first(count) for count in (900, 905, 910, 907)])
    recall = Metric.parse("test_recall_weighted")
    seeds = {result.cell.key: _with(result, recall) for result in (own, other)}
    alone, both = interval_of(seeds[A], recall), interval_of(seeds[A], recall, seeds.values())
    assert (alone.basis, both.basis) == (SEEDS, POOLED)
    assert alone.mean == both.mean == pytest.approx(0.905)
    assert alone.low < both.low < both.high < alone.high


def _with(result: CellResult, metric: Metric) -> CellResult:
    """A result whose metrics are those of its predictions, as far as ``metric`` and the accuracy go."""
    one = result.metrics.seeds[0]
    right = [float(hit.mean()) for hit in result.correct().values()]
    seeds = tuple(one.model_copy(update={"accuracy": share, metric.score: share}) for share in right)
    return replace(result, metrics=result.metrics.model_copy(update={"seeds": seeds}))


def test_one_seed_has_the_exact_binomial_interval() -> None:
    found = binomial(95, 100)
    assert found.low is not None
    assert found.high is not None
    for bound, at_least in ((found.low, True), (found.high, False)):
        counts = range(95, 101) if at_least else range(96)
        tail = sum(math.comb(100, k) * bound**k * (1 - bound) ** (100 - k) for k in counts)
        assert tail == pytest.approx(0.05, abs=1e-9)


def test_all_or_none_of_the_images_leave_one_end_open() -> None:
    every, none = binomial(20, 20), binomial(0, 20)
    assert (every.low, every.high) == (pytest.approx(0.05 ** (1 / 20)), 1.0)  # the share that has all 20 so often
    assert (none.low, none.high) == (0.0, pytest.approx(1 - 0.05 ** (1 / 20)))


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
        ("test_accuracy", "assumed"),
        ("test_error", "assumed"),
        ("test_recall_weighted", "assumed"),
        ("test_recall_macro", "assumed"),
        ("test_f1_weighted", "assumed"),
        ("test_loss", "assumed"),
        ("test_loss_sum", "assumed"),
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


def told(**scores: float) -> CellResult:
    """A result of one seed whose scores are these."""
    result = made()[A]
    seeds = tuple(seed.model_copy(update=scores) for seed in result.metrics.seeds)
    return replace(result, metrics=result.metrics.model_copy(update={"seeds": seeds}))


def test_a_loss_of_one_seed_has_the_normal_interval_of_a_mean_over_images() -> None:
    """The 95 % quantile of the normal distribution is 1.644854 by any table; a sum of batches is so many means."""
    result = told(loss=0.5, loss_sum=30.0, nll=0.5, nll_error=0.01)
    for metric, mean, half in (("test_loss", 0.5, 0.01644854), ("test_loss_sum", 30.0, 60 * 0.01644854)):
        found = interval_of(result, Metric.parse(metric))
        assert (found.mean, found.low, found.high) == pytest.approx((mean, mean - half, mean + half), rel=1e-7)
        assert (found.seeds, found.basis) == (1, ASSUMED)


@pytest.mark.parametrize(("nll", "known"), [(0.5, True), (0.50004, True), (0.5001, False), (0.6, False)])
def test_a_loss_that_is_no_mean_over_the_images_has_no_interval(nll: float, known: bool) -> None:
    """Where some images do not count, as with labels as published; rounding may part the two by 1e-4 of them."""
    found = interval_of(told(loss=0.5, nll=nll, nll_error=0.01), Metric.parse("test_loss"))
    assert (found.low is not None) == known
    assert found == Interval(0.5, found.low, found.high, 1, ASSUMED if known else "")


def test_the_recall_of_a_label_has_the_binomial_interval_of_its_images() -> None:
    label = np.arange(1000) % 10
    right = (label != 3) | (np.arange(1000) < 500)  # all but half of the 100 images of label 3
    found = interval_of(predicting(made()[A], right), Metric.parse("test_recall_3"))
    assert (found.low, found.high) == (binomial(50, 100).low, binomial(50, 100).high)


def test_test_sets_are_drawn_from_a_stream_of_the_run_and_the_metric() -> None:
    result = predicting(made()[A], first(800))
    for name in ("test_f1_macro", "test_f1_weighted"):
        metric = Metric.parse(name)
        found = interval_of(result, metric)
        stream = numpy_stream("resampled test set", A, name)
        assert (found.low, found.high) == resampled(result.confusion(), metric, stream)


@pytest.mark.parametrize("score", ["precision_macro", "recall_macro", "f1_macro"])
def test_a_class_that_is_predicted_once_counts_in_a_macro_average(score: str) -> None:
    matrix = np.array([[5, 1, 0], [0, 0, 0], [0, 0, 0]])
    assert scores(matrix[None], Metric.parse(f"test_{score}")) == pytest.approx([summary(matrix)[score]], abs=1e-12)


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


def test_the_assumption_for_one_seed_is_half_the_variance_of_a_test_set_on_either_side() -> None:
    # Two draws, each sqrt(e (1 - e) / 2N): together sqrt(e (1 - e) / N). The exact interval has half an image more.
    found, reach = binomial(9000, 10_000), 1.644854 * math.sqrt(2) * math.sqrt(0.9 * 0.1 / 20_000)
    assert (found.high - found.low) / 2 == pytest.approx(reach + 0.5 / 10_000, rel=0.01)
