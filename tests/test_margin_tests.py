"""Tests of being within a margin or beyond it, beside scipy's and loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t, ttest_1samp

from stages.compare.margins import a_pair_beyond, all_within, beyond, within

DRAWS = np.random.default_rng(5)
TABLES = [DRAWS.normal(0.9, 0.01, (seeds, runs)) for seeds, runs in ((2, 2), (3, 5), (5, 16))]


@pytest.mark.parametrize("values", [[0.01, 0.012, 0.017], [-0.03, -0.021], [0.0, 0.001, -0.002, 0.0005]])
@pytest.mark.parametrize("amount", [0.0, -0.02])
def test_one_mean_is_tested_on_both_sides_of_the_margin(values: list[float], amount: float) -> None:
    low, high = amount - 0.005, amount + 0.005
    inside = max(ttest_1samp(values, low, alternative="greater").pvalue,
                 ttest_1samp(values, high, alternative="less").pvalue)  # fmt: skip
    outside = 2 * min(ttest_1samp(values, high, alternative="greater").pvalue,
                      ttest_1samp(values, low, alternative="less").pvalue)  # fmt: skip
    assert within(values, amount, 0.005, 0.0) == pytest.approx(inside, rel=1e-7)
    assert beyond(values, amount, 0.005, 0.0) == pytest.approx(min(1, outside), rel=1e-7)


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_all_runs_are_within_the_margin_if_the_worst_pair_is(table: np.ndarray) -> None:
    worst = 0.0
    for one in range(table.shape[1]):
        for other in range(table.shape[1]):
            if one != other:
                worst = max(worst, ttest_1samp(table[:, one] - table[:, other], 0.02, alternative="less").pvalue)
    assert all_within(table, 0.02, 0.0) == pytest.approx(worst, rel=1e-7)


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_a_pair_is_beyond_the_margin_by_the_variance_that_all_runs_share(table: np.ndarray) -> None:
    seeds, runs = table.shape
    # Least squares of a two-way layout: what a regression on seeds and runs leaves.
    design = np.array([[*np.eye(seeds)[i], *np.eye(runs)[j]] for i in range(seeds) for j in range(runs)])
    residuals = table.ravel() - design @ np.linalg.lstsq(design, table.ravel(), rcond=None)[0]
    freedom = seeds * runs - np.linalg.matrix_rank(design)
    error = (2 * residuals @ residuals / freedom / seeds) ** 0.5
    apart = np.ptp(table.mean(axis=0))
    for margin in (0.001, 0.01, 0.02):
        expected = min(1.0, runs * (runs - 1) / 2 * 2 * t.sf((apart - margin) / error, freedom))
        assert a_pair_beyond(table, margin, 0.0) == pytest.approx(expected, rel=1e-7)


def test_seeds_that_agree_exactly_are_known_to_one_image_and_no_better() -> None:
    same = np.full((3, 4), 0.9)
    same[:, 0] = 0.88
    assert 0 < all_within(same, 0.021, 1e-4) < 0.05
    assert 0 < a_pair_beyond(same, 0.019, 1e-4) < 0.05
    assert all_within(same, 0.0201, 1e-2) > 0.05
    assert within([0.5, 0.5], 0.5, 0.1, 0.0) == 0
    assert beyond([0.5, 0.5], 0.5, 0.1, 0.0) == 1
