"""Differences between runs, their intervals and tests: against scipy, textbook loops, and by hand."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import chi2, f, norm, ttest_1samp, ttest_rel

from stages.compare.intervals import (
    Estimate,
    accuracy_of,
    contrast,
    equality,
    estimate,
    holm,
    mcnemar,
    over_seeds,
    paired_difference,
    student_quantile,
)
from stages.splits.streams import numpy_stream

Run = dict[int, np.ndarray]


def right(rate: float, seeds: int, images: int = 400, name: str = "first") -> Run:
    return {seed: numpy_stream("right", name, seed).random(images) < rate for seed in range(seeds)}


def three(seeds: int) -> list[Run]:
    return [right(rate, seeds, name=name) for rate, name in ((0.9, "first"), (0.85, "second"), (0.8, "third"))]


def test_one_seed_gives_the_normal_interval_of_the_paired_images() -> None:
    first, second = right(0.9, 1), right(0.8, 1, name="second")
    found = paired_difference(first, second)
    only_first = int((first[0] & ~second[0]).sum())
    only_second = int((~first[0] & second[0]).sum())
    mean = (only_first - only_second) / 400
    # The variance of a value in -1, 0, 1, estimated without bias.
    variance = ((only_first + only_second) / 400 - mean**2) * 400 / 399
    assert found.mean == pytest.approx(mean, abs=1e-15)
    assert found.high == pytest.approx(mean + 1.959963984540054 * (variance / 400) ** 0.5, abs=1e-12)
    assert found.low == pytest.approx(2 * mean - found.high, abs=1e-12)
    assert found.p == mcnemar(only_first, only_second)
    assert found.seeds == 1


@pytest.mark.parametrize("level", [0.90, 0.95, 0.99])
def test_several_seeds_give_students_paired_interval_and_test(level: float) -> None:
    first, second = right(0.9, 5), right(0.8, 5, name="second")
    found = paired_difference(first, second, level)
    test = ttest_rel(*[[side[seed].mean() for seed in range(5)] for side in (first, second)])
    interval = test.confidence_interval(level)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert found.p == pytest.approx(test.pvalue, rel=1e-9)
    assert found.seeds == 5


def test_values_of_seeds_give_students_interval_and_one_seed_none() -> None:
    values = [3.0, 5.0, 4.0, 9.0]
    test = ttest_1samp(values, 0)
    interval = test.confidence_interval(0.95)
    found = over_seeds(values)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert found.p == pytest.approx(test.pvalue, rel=1e-9)
    assert over_seeds([3.0]) == Estimate(3.0, None, None, 1)


def test_students_quantiles_are_those_of_every_table() -> None:
    assert student_quantile(0.975, 1) == pytest.approx(math.tan(math.pi * 0.475), rel=1e-9)  # Cauchy's
    assert [student_quantile(0.975, n) for n in (2, 4, 10)] == pytest.approx([4.303, 2.776, 2.228], abs=5e-4)


def test_runs_of_different_seeds_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="different seeds"):
        paired_difference(right(0.9, 2), right(0.9, 3))


@pytest.mark.parametrize("seeds", [1, 3])
def test_equal_predictions_differ_by_nothing(seeds: int) -> None:
    same = right(0.9, seeds)
    found = paired_difference(same, same)
    assert (found.mean, found.p, found.low + found.high) == (0, 1, 0)
    assert found.high < 1 / 400  # less than an image


def test_seeds_that_agree_exactly_are_as_sure_as_their_images_are_fine() -> None:
    # Two accuracies of 0.71 on 100 images may differ by an image's rounding, whose deviation is 0.01 / 12^0.5.
    found, exact = over_seeds([0.71, 0.71], 0.9, step=0.01), over_seeds([0.71, 0.71], 0.9)
    half = 6.313751515 * 0.01 / 12**0.5 / 2**0.5
    assert (found.low, found.high) == pytest.approx((0.71 - half, 0.71 + half), abs=1e-9)
    assert (exact.low, exact.high, exact.p) == (0.71, 0.71, 0.0)
    right = {seed: np.arange(100) < 71 for seed in range(2)}
    assert estimate(right, 0.9) == found
    assert over_seeds([0.70, 0.72], 0.9, step=0.01) == over_seeds([0.70, 0.72], 0.9)


@pytest.mark.parametrize("spread", [1, 2])
def test_two_seeds_on_a_hundred_images_rarely_differ_by_chance(spread: int) -> None:
    draws, trials = numpy_stream("two seeds on a hundred images", spread), 3000
    truth = 70 + draws.random(trials)
    counts = np.round(truth[:, None] + spread * draws.standard_normal((trials, 2)))
    found = [over_seeds((row / 100).tolist(), 0.9, step=0.01) for row in counts]
    wrong = [not each.low <= true / 100 <= each.high for each, true in zip(found, truth, strict=True)]
    assert np.mean(wrong) < 0.1 + 4 * (0.1 * 0.9 / trials) ** 0.5


@pytest.mark.parametrize(("first", "second", "p"), [(0, 0, 1.0), (5, 5, 1.0), (3, 0, 0.25), (10, 2, 158 / 4096)])
def test_mcnemars_test_of_small_counts_by_hand(first: int, second: int, p: float) -> None:
    # 10 against 2: twice the probability of at most 2 heads in 12 tosses, 2 (1 + 12 + 66) / 2^12.
    assert mcnemar(first, second) == pytest.approx(p, rel=1e-12)


def test_mcnemars_test_is_twice_the_smaller_tail_of_a_fair_coin() -> None:
    for first in range(12):
        for second in range(12):
            tosses = first + second
            tail = sum(math.comb(tosses, heads) for heads in range(min(first, second) + 1)) / 2**tosses
            assert mcnemar(first, second) == pytest.approx(min(1.0, 2 * tail), rel=1e-9)


def test_a_contrast_is_the_weighted_sum_of_every_image() -> None:
    runs, weights = three(2), (0.5, 0.5, -1.0)
    found = contrast(list(zip(weights, runs, strict=True)))
    for seed in range(2):
        for image in range(400):
            values = [weight * float(run[seed][image]) for weight, run in zip(weights, runs, strict=True)]
            assert found[seed][image] == math.fsum(values)  # halves and ones add up exactly


def test_a_weighted_contrast_of_one_seed_has_the_normal_test() -> None:
    first, second, third = three(1)
    found = estimate(contrast([(0.5, first), (0.5, second), (-1.0, third)]))
    values = (first[0].astype(float) + second[0]) / 2 - third[0]
    error = values.std(ddof=1) / 20
    assert found.mean == pytest.approx(first[0].mean() / 2 + second[0].mean() / 2 - third[0].mean(), abs=1e-15)
    assert found.p == pytest.approx(2 * norm.sf(abs(values.mean()) / error), rel=1e-9)
    assert (found.low, found.high) == pytest.approx(norm.interval(0.95, values.mean(), error), abs=1e-12)


def test_a_weighted_contrast_of_several_seeds_is_the_t_test_of_the_mean_accuracies() -> None:
    first, second, third = three(4)
    found = estimate(contrast([(0.5, first), (0.5, second), (-1.0, third)]))
    pair = [(first[seed].mean() + second[seed].mean()) / 2 for seed in range(4)]
    assert found.p == pytest.approx(ttest_rel(pair, [third[seed].mean() for seed in range(4)]).pvalue, rel=1e-9)


@pytest.mark.parametrize("runs", [2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("seeds", [1, 3])
def test_the_mean_of_runs_that_are_all_alike_does_not_differ_from_one_of_them(runs: int, seeds: int) -> None:
    same = right(0.9, seeds)
    found = estimate(contrast([(1 / runs, same)] * runs + [(-1.0, same)]))
    assert found.mean == pytest.approx(0, abs=1e-15)
    assert found.p == 1.0


def test_a_single_image_has_neither_interval_nor_test() -> None:
    assert estimate({0: np.array([1.0])}) == Estimate(1.0, None, None, 1)


def cochran(runs: Sequence[Run]) -> float:
    """Q as in Cochran (1950): counts of treatments and of blocks, one image at a time."""
    table = [[int(run[0][image]) for run in runs] for image in range(len(runs[0][0]))]
    k = len(runs)
    columns = [sum(row[j] for row in table) for j in range(k)]
    rows = [sum(row) for row in table]
    total = sum(rows)
    return (k - 1) * (k * sum(c * c for c in columns) - total**2) / (k * total - sum(r * r for r in rows))


def test_several_runs_of_one_seed_have_cochrans_q() -> None:
    runs = three(1)
    assert equality(runs) == pytest.approx(chi2.sf(cochran(runs), 2), rel=1e-9)


def test_two_runs_of_one_seed_have_mcnemars_chi_square() -> None:
    first, second, _ = three(1)
    b, c = int((first[0] & ~second[0]).sum()), int((~first[0] & second[0]).sum())
    assert cochran([first, second]) == pytest.approx((b - c) ** 2 / (b + c), rel=1e-12)
    assert equality([first, second]) == pytest.approx(chi2.sf((b - c) ** 2 / (b + c), 1), rel=1e-9)


def test_cochrans_q_by_hand() -> None:
    # Images: 4 only right in the first run, 1 only in the second, 2 in all, 1 in none. Counts 6, 3, 2 and 11 together:
    # Q = 2 (3 (36 + 9 + 4) - 121) / (33 - (5 + 2 * 9)) = 52 / 10.
    first = {0: np.array([1, 1, 1, 1, 0, 1, 1, 0], bool)}
    second = {0: np.array([0, 0, 0, 0, 1, 1, 1, 0], bool)}
    third = {0: np.array([0, 0, 0, 0, 0, 1, 1, 0], bool)}
    assert equality([first, second, third]) == pytest.approx(math.exp(-2.6), rel=1e-9)  # chi-square of 2 is exponential


def repeated_measures(means: np.ndarray) -> float:
    """The F test of what the runs add to a linear model of the seeds, (seeds, runs), by least squares."""
    seeds, runs = means.shape
    seed = np.repeat(np.eye(seeds), runs, axis=0)
    both = np.hstack([seed, np.tile(np.eye(runs)[:, 1:], (seeds, 1))])
    residual = [float(np.linalg.lstsq(design, means.ravel())[1][0]) for design in (seed, both)]
    freedom = (seeds - 1) * (runs - 1)
    return float(f.sf((residual[0] - residual[1]) / (runs - 1) / (residual[1] / freedom), runs - 1, freedom))


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_several_seeds_have_the_repeated_measures_f_test(seeds: int) -> None:
    runs = three(seeds)
    means = np.array([[run[seed].mean() for run in runs] for seed in range(seeds)])
    assert equality(runs) == pytest.approx(repeated_measures(means), rel=1e-6)


def test_the_f_test_of_two_runs_is_students_paired_test() -> None:
    first, second, _ = three(5)
    means = [[side[seed].mean() for seed in range(5)] for side in (first, second)]
    assert equality([first, second]) == pytest.approx(ttest_rel(*means).pvalue, rel=1e-9)


@pytest.mark.parametrize("seeds", [1, 3])
def test_runs_that_are_all_alike_are_equal(seeds: int) -> None:
    assert equality([right(0.9, seeds)] * 4) == 1.0


def test_seeds_that_differ_alike_in_every_run_leave_the_spread_of_their_images() -> None:
    """Accuracies 0.9 and 0.8 under both seeds: F is 2 * 0.05^2 * 2 over 1 / (12 * 100^2), of 1 and 1 degrees."""
    runs = [{seed: np.arange(100) < count for seed in (0, 1)} for count in (90, 80)]
    assert equality(runs) == pytest.approx(f.sf(2 * 2 * 0.05**2 * 12 * 100**2, 1, 1), rel=1e-6)


def test_a_value_that_is_the_same_everywhere_is_not_nothing_unless_it_is_0() -> None:
    for value, p in ((0.5, 0.0), (1.0, 0.0), (0.0, 1.0)):
        assert over_seeds([value] * 3) == Estimate(value, value, value, 3, p)
    assert estimate({0: np.full(4, 0.5)}) == Estimate(0.5, 0.5, 0.5, 1, 0.0)


def test_two_images_are_enough_for_an_interval() -> None:
    found = estimate({0: np.array([0.25, 0.75])})
    half = norm.ppf(0.975) * 0.25  # the standard deviation of 0.25 and 0.75 is sqrt(1 / 8)
    assert (found.low, found.high) == pytest.approx((0.5 - half, 0.5 + half), rel=1e-9)


def test_an_accuracy_is_the_mean_over_the_seeds() -> None:
    assert accuracy_of({0: np.array([1, 1, 0, 0]), 1: np.array([1, 0, 0, 0])}) == 0.375


def test_holms_adjustment_is_its_definition() -> None:
    """The largest of (m - j + 1) p_j over all j up to one's own, at most 1 (Holm 1979); p-values of 1/64 are exact."""
    draws = numpy_stream("holm")
    for count in (1, 2, 5, 9):
        p_values = (draws.integers(0, 64, count) / 64).tolist()
        ordered = sorted(p_values)
        steps = [min(1.0, (count - rank) * p) for rank, p in enumerate(ordered)]
        expected = [max(steps[: ordered.index(p) + 1]) for p in p_values]
        of_equals = [max(steps[: count - ordered[::-1].index(p)]) for p in p_values]
        assert all(low <= found <= high for low, found, high in zip(expected, holm(p_values), of_equals, strict=True))
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []
