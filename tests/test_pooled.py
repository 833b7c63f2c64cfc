"""The spread from seed to seed: pooled where runs vary alike, against scipy, closed forms and simulated runs."""

import math
from dataclasses import replace
from statistics import mean, stdev, variance

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bartlett as scipys_bartlett

from stages.compare.pooled import POOLED, SEEDS, Spread, bartlett, pooled, spread_of, step_of, stuck
from stages.results.cell_result import COMPOSITION_COLUMNS, CellResult
from stages.results.metric import Metric
from stages.splits.streams import numpy_stream
from tests.judged import A, B, C, first, made, predicting, with_seeds

ACCURACY = Metric.parse("test_accuracy")
OWN, SAME = (0.90, 0.91, 0.905), (0.80, 0.812, 0.806)  # spreads of 0.005 and 0.006


def run(key: str, *right: int, **recipe: object) -> CellResult:
    """A run whose seeds have the first so many of 1000 images right."""
    result = with_seeds(predicting(made()[key], [first(count) for count in right]), len(right), **recipe)
    scores = made()[key].metrics.seeds[0]
    seeds = [scores.model_copy(update={"accuracy": count / 1000}) for count in right]
    return replace(result, metrics=result.metrics.model_copy(update={"seeds": tuple(seeds)}))


def test_a_run_alone_has_the_standard_deviation_of_its_seeds() -> None:
    assert pooled(OWN) == Spread(pytest.approx(stdev(OWN), rel=1e-9), 2, SEEDS)


def test_runs_are_pooled_in_units_of_the_variance_that_their_level_lets_expect() -> None:
    found = pooled(OWN, [SAME])
    units = [mean(run) * (1 - mean(run)) for run in (OWN, SAME)]
    whole = (2 * variance(OWN) / units[0] + 2 * variance(SAME) / units[1]) / 4
    assert found == Spread(pytest.approx(math.sqrt(whole * units[0]), rel=1e-9), 4, POOLED)


def test_losses_are_pooled_by_their_relative_spread() -> None:
    own, other = (0.50, 0.52), (0.80, 0.79, 0.84)
    found = pooled(own, [other], loss=True)
    whole = (variance(own) / mean(own) ** 2 + 2 * variance(other) / mean(other) ** 2) / 3
    assert found == Spread(pytest.approx(math.sqrt(whole) * mean(own), rel=1e-9), 3, POOLED)


def test_one_seed_has_the_spread_of_similar_runs_or_none() -> None:
    found = pooled([0.905], [OWN])
    assert found == Spread(pytest.approx(stdev(OWN), rel=1e-9), 2, POOLED)
    assert pooled([0.905]) is None
    assert pooled([0.905], [[0.90], [0.91]]) is None


def test_runs_that_vary_differently_or_lie_elsewhere_are_not_pooled() -> None:
    calm = tuple(0.9 + 1e-4 * number for number in (-1, 0, 1, 0, -1, 1))
    assert pooled(OWN, [calm]) is None
    far = (0.50, 0.505, 0.51)  # 0.25 and 0.086 are within a factor of four, 0.25 and 0.0099 are not
    assert pooled(OWN, [far]) is not None
    assert pooled((0.99, 0.991), [far]) == pooled((0.99, 0.991))


def test_levels_are_alike_up_to_four_times_the_expected_variance_both_ways() -> None:
    own = (0.5, 0.5, 0.53, 0.47)  # level 1/4, as all runs here are losses: 1/16 and 1 are its border
    for level in (0.25, 1.0):
        assert pooled(own, [[level * value / 0.5 for value in own]], loss=True) == Spread(
            pytest.approx(stdev(own), rel=1e-9), 6, POOLED
        )
    for level in (0.24, 1.01):
        assert pooled(own, [[level * value / 0.5 for value in own]], loss=True) == Spread(
            pytest.approx(stdev(own), rel=1e-9), 3, SEEDS
        )


def test_a_perfect_level_expects_half_an_image() -> None:
    # mean (1 - mean) would be 0 at .999 .. 1; with 10 images, a step of .1, it is taken to be .05
    own, other = (1.0, 1.0), (0.98, 0.98)
    whole = (2 * (0.1 / math.sqrt(12)) ** 2 / 0.05) / 2
    assert pooled(own, [other], step=0.1) == Spread(pytest.approx(math.sqrt(whole * 0.05), rel=1e-9), 2, POOLED)
    below = (0.79, 0.79)  # .1659 is 3.3 times .05
    assert pooled(own, [below], step=0.1) is not None


def test_seeds_that_agree_vary_as_rounding_to_whole_images_does() -> None:
    found = pooled([0.98, 0.98], step=1e-4)
    assert found == Spread(pytest.approx(1e-4 / math.sqrt(12), rel=1e-9), 1, SEEDS)
    perfect = pooled([1.0, 1.0], [[1.0, 1.0]], step=1e-4)
    assert perfect == Spread(pytest.approx(1e-4 / math.sqrt(12), rel=1e-9), 2, POOLED)
    assert pooled([0.0, 0.0], loss=True) == Spread(0.0, 1, SEEDS)


def test_the_test_of_equal_variances_is_scipys() -> None:
    draws = numpy_stream("variances")
    for sizes in ((3, 4), (2, 2, 2), (5, 3, 2, 9)):
        runs = [draws.standard_normal(size) for size in sizes]
        found = bartlett([float(np.var(each, ddof=1)) for each in runs], [len(each) - 1 for each in runs])
        assert found == pytest.approx(scipys_bartlett(*runs).pvalue, rel=1e-9)
    assert bartlett([2.0], [3]) == bartlett([0.0, 0.0], [1, 1]) == 1
    assert bartlett([0.0, 1.0], [1, 1]) == 0


def test_similar_are_runs_on_the_same_data_that_were_trained_as_long() -> None:
    one, other = run(A, 900), run(B, 900, 910, 905)
    assert spread_of(one, ACCURACY) is None
    assert spread_of(one, ACCURACY, [one, other]) == pooled([0.9], [[0.9, 0.91, 0.905]], step=1e-3)
    elsewhere = replace(other, cell=other.cell.model_copy(update={"dataset": "svhn"}))
    assert spread_of(one, ACCURACY, [elsewhere]) is None
    assert spread_of(one, ACCURACY, [run(B, 900, 910, 905, epochs=3)]) is None


def test_a_run_is_not_pooled_with_itself_or_with_one_that_is_stuck_at_chance() -> None:
    own, idle = run(A, 900, 910), run(B, 900, 100)
    assert stuck(idle)
    assert not stuck(own)
    assert spread_of(own, ACCURACY, [own, idle]) == pooled([0.9, 0.91], step=1e-3)
    assert spread_of(idle, ACCURACY, [own]) == pooled([0.9, 0.1], step=1e-3)


def test_chance_is_the_commonest_label_and_three_standard_deviations() -> None:
    # Labels 0 to 9 in turn: a tenth each, 0.0095 the deviation of 1000 images.
    assert stuck(run(A, 128))
    assert not stuck(run(A, 129))


def test_where_runs_differ_those_of_the_same_architecture_count() -> None:
    own, kin = run(A, 900, 910), run(B, 902, 910)
    other = run(C, *(900 for _ in range(12)))
    other = replace(other, cell=other.cell.model_copy(update={"architecture": "recurnet2"}))
    assert spread_of(own, ACCURACY, [kin, other]) == pooled([0.9, 0.91], [[0.902, 0.91]], step=1e-3)
    kin = replace(other, cell=other.cell.model_copy(update={"architecture": own.cell.architecture}))
    assert spread_of(own, ACCURACY, [kin]) == pooled([0.9, 0.91], step=1e-3)


@pytest.mark.parametrize(
    ("metric", "step"),
    [("test_accuracy", 1e-3), ("test_recall_3", 1e-2), ("test_f1_macro", 1e-3), ("test_loss", 0), ("train_loss", 0)],
)
def test_a_single_image_is_the_smallest_step(metric: str, step: float) -> None:
    assert step_of(run(A, 900), Metric.parse(metric)) == step


def test_training_images_are_counted_where_they_are_tabulated() -> None:
    accuracy = Metric.parse("train_accuracy")
    rows = [(part, 0, "zero", images, images, 0, 0) for part, images in (("train", 500), ("test", 1000))]
    tabulated = replace(run(A, 900), composition=pd.DataFrame(rows, columns=list(COMPOSITION_COLUMNS)))
    assert step_of(tabulated, accuracy) == 1 / 500
    assert step_of(replace(tabulated, composition=None), accuracy) == 0


def test_losses_of_a_run_are_pooled_as_losses_and_accuracies_in_steps_of_an_image() -> None:
    one, other = run(A, 1000, 1000), run(B, 1000, 1000)
    assert spread_of(one, ACCURACY, [other]) == Spread(pytest.approx(1e-3 / math.sqrt(12), rel=1e-9), 2, POOLED)


def test_pooling_finds_the_spread_that_the_runs_share() -> None:
    draws = numpy_stream("pooled runs").normal(0.9, 0.003, (2000, 5, 2))
    found = [pooled(own, others) for own, *others in draws.tolist()]
    squares = [each.sd**2 for each in found if each is not None]
    assert len(squares) > 0.92 * len(draws)  # Bartlett's test rejects 5 %; with two seeds it is approximate
    # A mean of squares with 5 degrees of freedom has a relative error of sqrt(2 / 5 / 2000) = 0.014; where the test
    # rejects, the estimates that are left are a little smaller.
    assert math.sqrt(mean(squares)) == pytest.approx(0.003, rel=0.05)
