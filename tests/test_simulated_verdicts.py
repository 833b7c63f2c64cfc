"""How often simulated verdicts are wrong, against the levels that they promise and the same draws written out."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_ind

from benchmarks.verdicts import COINS, MARGIN, OURS, SPREAD, TRIALS, Design, accuracies, rates
from stages.compare.verdicts import BETTER, MATCH, WORSE
from stages.splits.streams import numpy_stream

LIMIT = 0.05 + 4 * math.sqrt(0.05 * 0.95 / TRIALS)  # four standard deviations of a rate of 5 %
ALONE = [Design(seeds) for seeds in (2, 3, 5, 10)]
TOGETHER = [Design(seeds, 4) for seeds in (2, 3, 5, 10)]
PRETEST = 0.02  # what choosing by Bartlett's test between pooling and not may add: it rejects in 5 % of all cases

pytestmark = pytest.mark.slow


def named(design: Design) -> str:
    return f"{design.seeds}+{design.similar}"


@pytest.mark.parametrize("design", ALONE, ids=named)
@pytest.mark.parametrize("shift", [1.0, -1.0])
def test_processes_a_margin_apart_are_rarely_called_a_match_or_better(design: Design, shift: float) -> None:
    found = rates(design, shift)
    assert found[MATCH] <= LIMIT
    assert found[BETTER] + found[WORSE] <= LIMIT


@pytest.mark.parametrize("design", TOGETHER, ids=named)
def test_pooling_keeps_to_that(design: Design) -> None:
    found = rates(design, 1.0)
    assert found[MATCH] <= LIMIT + PRETEST
    assert found[BETTER] + found[WORSE] <= LIMIT + PRETEST


@pytest.mark.parametrize("design", [*ALONE, Design(1, spread=COINS)], ids=named)
def test_a_difference_within_the_margin_is_rarely_called_better_or_worse(design: Design) -> None:
    found = rates(design, 0.5)
    assert found[BETTER] + found[WORSE] <= LIMIT


@pytest.mark.parametrize("design", [*ALONE, *TOGETHER], ids=named)
def test_a_number_of_the_same_process_is_plausible_in_95_of_100_cases(design: Design) -> None:
    off = 4 * math.sqrt(0.05 * 0.95 / TRIALS) + (PRETEST if design.similar else 0)
    assert rates(design, 0.0)["plausible"] == pytest.approx(0.95, abs=off)


def test_rates_are_those_of_normal_draws_judged_one_by_one() -> None:
    """The same simulation, written out: no images, scipy's test of two samples."""
    draws = numpy_stream("written out")
    ours, theirs = draws.normal(0.0, SPREAD, (TRIALS, 3)), draws.normal(-MARGIN, SPREAD, TRIALS)
    above = ttest_ind(ours + MARGIN, theirs[:, None], axis=1, alternative="greater").pvalue
    below = ttest_ind(ours - MARGIN, theirs[:, None], axis=1, alternative="less").pvalue
    matches = float((np.maximum(above, below) < 0.05).mean())
    assert rates(Design(3), 1.0)[MATCH] == pytest.approx(matches, abs=4 * math.sqrt(2 * 0.05 * 0.95 / TRIALS))


def test_simulated_seeds_vary_as_declared_on_the_images_that_they_share() -> None:
    for spread in (COINS, SPREAD):
        found = accuracies(numpy_stream("accuracies"), (20_000,), OURS, spread)
        assert found.mean() == pytest.approx(OURS, abs=4 * spread / math.sqrt(20_000))
        assert found.std() == pytest.approx(spread, rel=4 / math.sqrt(2 * 20_000))
    assert pytest.approx(math.sqrt((1 - OURS) / 2 / 10_000)) == COINS


def test_the_tests_have_power_where_they_can_have_it() -> None:
    assert rates(Design(5), 0.0)[MATCH] > 0.85
    assert rates(Design(5), 2.0)[BETTER] > 0.9
    assert rates(Design(1, spread=COINS), 0.0)[MATCH] > 0.95


def test_a_second_seed_does_not_weaken_a_verdict_where_similar_runs_have_one_too() -> None:
    one, alone, pooled = (rates(Design(*design), 0.0)[MATCH]
                          for design in ((1, 0, COINS), (2, 0, COINS), (2, 9, COINS, COINS)))  # fmt: skip
    assert alone < one - 0.3
    assert pooled > one - 4 * math.sqrt(2 * 0.01 / TRIALS)


def test_one_seed_is_wrong_more_often_where_seeds_vary_by_more_than_is_assumed() -> None:
    alike, vary = rates(Design(1, spread=COINS), 1.0), rates(Design(1), 1.0)
    assert vary[MATCH] > LIMIT
    assert vary[BETTER] > LIMIT
    assert max(alike[MATCH], alike[BETTER]) < vary[MATCH]
