"""Do two teams' means agree: the test against scipy's, its outcomes at the edges, and what it does with one seed."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_ind, ttest_ind_from_stats

from benchmarks.two_teams import Design, rates
from stages.compare.pooled import SEEDS, Spread
from stages.compare.two_teams import AGREE, CANNOT_TELL, CONFLICT, OF_BOTH, OF_ONE, Side, difference, outcome, welch
from stages.compare.verdicts import ASSUMED

OURS, THEIRS = (0.980, 0.982, 0.985, 0.981), (0.991, 0.988, 0.994)


def side(*values: float) -> Side:
    spread = Spread(float(np.std(values, ddof=1)), len(values) - 1, SEEDS) if len(values) > 1 else None
    return Side(values, spread)


@pytest.mark.parametrize("margin", [0.0, 0.001, 0.004, 0.03])
def test_both_p_values_are_those_of_scipys_welch_test(margin: float) -> None:
    found = difference(side(*OURS), side(*THEIRS))
    ours, theirs = np.array(OURS), np.array(THEIRS)
    beyond = ttest_ind(theirs - margin, ours, equal_var=False, alternative="greater").pvalue
    within = ttest_ind(theirs - margin, ours, equal_var=False, alternative="less").pvalue
    assert found.basis == OF_BOTH
    assert found.beyond(margin) == pytest.approx(beyond, rel=1e-9)
    assert found.within(margin) == pytest.approx(within, rel=1e-9)
    assert found.beyond(None) == pytest.approx(ttest_ind(theirs, ours, equal_var=False).pvalue, rel=1e-9)
    interval = ttest_ind(theirs, ours, equal_var=False).confidence_interval(0.9)
    assert found.interval == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_the_outcome_is_where_the_interval_lies() -> None:
    found = difference(side(*OURS), side(*THEIRS))
    low, high = found.interval
    assert 0 < low < found.mean < high
    assert outcome(found, high + 1e-9) == AGREE
    assert outcome(found, high - 1e-9) == CANNOT_TELL
    assert outcome(found, low + 1e-9) == CANNOT_TELL
    assert outcome(found, low - 1e-9) == CONFLICT
    mirrored = difference(side(*THEIRS), side(*OURS))
    assert mirrored.mean == -found.mean
    assert [outcome(mirrored, margin) for margin in (0.03, high + 1e-9, low / 2)] == [AGREE, AGREE, CONFLICT]


def test_without_a_margin_only_a_conflict_can_be_told() -> None:
    assert outcome(difference(side(0.5, 0.5001, 0.4999), side(0.9, 0.9001, 0.8999)), None) == CONFLICT
    assert outcome(difference(side(0.5, 0.5001, 0.4999), side(0.5, 0.5001, 0.4999)), None) == CANNOT_TELL


def test_one_seed_borrows_the_spread_of_the_other_team() -> None:
    """Student's test of one observation against a sample."""
    found = difference(side(*OURS), side(0.990))
    n, sd = len(OURS), float(np.std(OURS, ddof=1))
    error = sd * math.sqrt(1 + 1 / n)
    assert (found.basis, found.freedom) == (OF_ONE, n - 1)
    assert found.error == pytest.approx(error)
    expected = ttest_ind_from_stats(np.mean(OURS), sd, n, 0.990, 0.0, 1, equal_var=True).pvalue
    assert found.beyond(None) == pytest.approx(expected)


def test_two_seeds_alone_are_taken_to_differ_as_two_test_sets_do() -> None:
    found = difference(side(0.90), side(0.92), images=1000)
    assert found.basis == ASSUMED
    assert found.error == pytest.approx(math.sqrt(0.91 * 0.09 / 1000))
    assert found.beyond(None) == pytest.approx(2 * 0.5 * math.erfc(0.02 / found.error / math.sqrt(2)))
    assert outcome(difference(side(0.3), side(0.9)), 0.01) == CANNOT_TELL  # a loss: nothing to tell it from


def test_seeds_that_agree_exactly_are_not_taken_to_be_exact() -> None:
    assert difference(side(1.0), side(1.0), images=100).error > 0


def test_welchs_degrees_of_freedom() -> None:
    assert welch([1.0, 1.0], [4, 4]) == pytest.approx(8)
    assert welch([1.0, 0.0], [3, 9]) == pytest.approx(3)
    assert welch([0.0, 0.0], [3, 9]) == 3
    assert outcome(difference(side(0.5, 0.5), side(0.5, 0.5)), 0.01) == AGREE


@pytest.mark.slow
@pytest.mark.parametrize("design", [Design(2, 2), Design(3, 3), Design(10, 10), Design(3, 1)], ids=str)
def test_simulated_teams_a_margin_apart_seldom_agree_or_conflict(design: Design) -> None:
    trials = 300
    limit = 0.05 + 4 * math.sqrt(0.05 * 0.95 / trials)
    at_margin, alike = rates(design, 1.0, trials), rates(design, 0.0, trials)
    assert max(at_margin[AGREE], at_margin[CONFLICT]) <= limit
    assert alike[CONFLICT] <= limit
    assert alike[AGREE] > at_margin[AGREE]
