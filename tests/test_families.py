"""Holm's correction, and how often a whole family of tests is wrong."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from stages.compare.intervals import equality, holm, over_seeds, paired_difference
from stages.splits.streams import numpy_stream


def naive_holm(p_values: Sequence[float]) -> list[float]:
    """For each hypothesis the largest product up to its own rank (Holm 1979), capped at 1."""
    ordered = sorted(p_values)
    products = [(len(ordered) - rank) * p for rank, p in enumerate(ordered)]
    return [min(1.0, max(products[: ordered.index(p) + 1])) for p in p_values]


def test_holms_correction_of_the_textbooks_example() -> None:
    # Multiples 4, 3, 2, 1 of the ordered values: 0.02, 0.06, 0.06, 0.04, which must not fall.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02], abs=1e-15)
    assert holm([]) == []
    assert holm([0.2]) == [0.2]


@pytest.mark.parametrize("count", [1, 2, 5, 16])
def test_holms_correction_is_monotone_and_never_below_the_raw_value(count: int) -> None:
    draws = numpy_stream("holm", count)
    for _ in range(50):
        p_values = (draws.random(count) ** 3).tolist()
        adjusted = holm(p_values)
        assert adjusted == pytest.approx(naive_holm(p_values), abs=1e-15)
        assert all(raw <= new <= 1 for raw, new in zip(p_values, adjusted, strict=True))
        order = np.argsort(p_values)
        assert np.all(np.diff(np.array(adjusted)[order]) >= 0)


TRIALS, TESTS, LEVEL = 2000, 5, 0.05
LIMIT = LEVEL + 4 * math.sqrt(LEVEL * (1 - LEVEL) / TRIALS)  # four standard deviations of a rate of 5 %


def independent(draws: np.random.Generator) -> list[float]:
    return [float(over_seeds(row).p or 0) for row in draws.standard_normal((TESTS, 3)).tolist()]


def beside_a_baseline(draws: np.random.Generator) -> list[float]:
    baseline, *others = draws.standard_normal((TESTS + 1, 3))
    return [float(over_seeds((other - baseline).tolist()).p or 0) for other in others]


def by_image(draws: np.random.Generator) -> list[float]:
    runs = draws.random((TESTS + 1, 200)) < 0.8
    return [float(paired_difference({0: run}, {0: runs[0]}).p or 0) for run in runs[1:]]


@pytest.mark.parametrize(
    ("p_values", "trials"), [(independent, TRIALS), (beside_a_baseline, TRIALS), (by_image, TRIALS // 4)]
)
def test_of_runs_that_do_not_differ_a_whole_family_rarely_says_so(
    p_values: Callable[[np.random.Generator], list[float]], trials: int
) -> None:
    draws = numpy_stream("family", p_values.__name__)
    families = [p_values(draws) for _ in range(trials)]
    limit = LEVEL + 4 * math.sqrt(LEVEL * (1 - LEVEL) / trials)
    assert sum(min(holm(family)) < LEVEL for family in families) / trials <= limit
    if p_values is independent:  # without the correction one of five does, at 1 - 0.95^5 = 22.6 %
        assert sum(min(family) < LEVEL for family in families) / trials > 0.18


@pytest.mark.parametrize("seeds", [2, 3])
def test_of_runs_that_do_not_differ_the_test_of_equality_rarely_says_so(seeds: int) -> None:
    draws = numpy_stream("equality", seeds)
    trials = [
        equality([{seed: np.array([value]) for seed, value in enumerate(run)} for run in table])
        for table in draws.standard_normal((TRIALS, 4, seeds))
    ]
    assert sum(p < LEVEL for p in trials) / TRIALS <= LIMIT
