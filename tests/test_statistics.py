"""Differences between runs and their intervals, against scipy and by hand."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_rel

from stages.relations import CONTRADICTED, HOLDS, NOT_SEEN, SEEN, UNDECIDED, outcome
from stages.statistics import Estimate, over_seeds, paired_difference
from stages.streams import numpy_stream


def right(rate: float, seeds: int, images: int = 400, name: str = "first") -> dict[int, np.ndarray]:
    return {seed: numpy_stream("right", name, seed).random(images) < rate for seed in range(seeds)}


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
    assert found.seeds == 1


def test_several_seeds_give_students_paired_interval() -> None:
    first, second = right(0.9, 5), right(0.8, 5, name="second")
    found = paired_difference(first, second)
    means = [[side[seed].mean() for seed in range(5)] for side in (first, second)]
    interval = ttest_rel(*means).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert found.seeds == 5


def test_values_of_seeds_give_students_interval_and_one_seed_none() -> None:
    values = [3.0, 5.0, 4.0, 9.0]
    interval = ttest_1samp(values, 0).confidence_interval(0.95)
    found = over_seeds(values)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert over_seeds([3.0]) == Estimate(3.0, None, None, 1)


def test_runs_of_different_seeds_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="different seeds"):
        paired_difference(right(0.9, 2), right(0.9, 3))


def test_equal_predictions_differ_by_exactly_nothing() -> None:
    same = right(0.9, 1)
    assert paired_difference(same, same) == Estimate(0.0, 0.0, 0.0, 1)


@pytest.mark.parametrize(
    ("estimate", "greater", "smaller"),
    [
        (Estimate(0.02, 0.01, 0.03, 1), HOLDS, CONTRADICTED),
        (Estimate(-0.02, -0.03, -0.01, 1), CONTRADICTED, HOLDS),
        (Estimate(0.02, -0.01, 0.05, 1), UNDECIDED, UNDECIDED),
        (Estimate(0.0, 0.0, 0.0, 1), UNDECIDED, UNDECIDED),
        (Estimate(4.0, None, None, 1), SEEN, NOT_SEEN),
        (Estimate(0.0, None, None, 1), NOT_SEEN, NOT_SEEN),
    ],
)
def test_an_outcome_needs_the_whole_interval_on_one_side(estimate: Estimate, greater: str, smaller: str) -> None:
    assert outcome(estimate, "greater") == greater
    assert outcome(estimate, "smaller") == smaller
