"""Claims in words about two runs, tested on runs whose every prediction is chosen by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from stages.compare.claims_in_words import outcome
from stages.compare.columns import STATEMENT_COLUMNS
from stages.compare.intervals import Estimate, holm
from stages.compare.measures.measure import Difference
from stages.compare.outcomes import CONTRADICTED, HOLDS, NOT_SEEN, OUTCOMES, SEEN, UNDECIDED
from stages.compare.scale import FULL, NOT_RUN, REDUCED
from tests.judged import (
    EPOCHS,
    IMAGES,
    KEYS,
    SPREAD,
    TREND,
    A,
    B,
    C,
    better,
    first,
    judge,
    made,
    predicting,
    reaching,
    seeds_of,
)

GAP = {**better(A, B), "measure": "gap"}


@pytest.mark.parametrize(
    ("as_claimed", "p_holm", "said"),
    [
        (True, 0.01, HOLDS),
        (False, 0.01, CONTRADICTED),
        (True, 0.05, UNDECIDED),
        (False, 1.0, UNDECIDED),
        (True, None, SEEN),
        (False, None, NOT_SEEN),
    ],
)
def test_an_outcome_needs_a_test_and_one_seed_has_none(as_claimed: bool, p_holm: float | None, said: str) -> None:
    assert outcome(Difference(Estimate(0.02, None, None, 2), "", as_claimed), p_holm) == said


@pytest.mark.parametrize("statement", [better(A, B), TREND, SPREAD, {**EPOCHS, **better(A, B)}, GAP])
@pytest.mark.parametrize("claimed", ["greater", "smaller"])
def test_one_seed_is_never_more_than_seen(statement: dict[str, Any], claimed: str) -> None:
    """However far apart: 90 points, and no image that tells otherwise."""
    runs = {
        key: predicting(reaching(made()[key], 20 + 9 * n), first(950 - 225 * n, 1000)) for n, key in enumerate(KEYS)
    }
    (row,) = judge(runs, statement | ({} if statement["claimed"] == "equal" else {"claimed": claimed}))
    assert row["outcome"] in (SEEN, NOT_SEEN)
    assert (row["seeds"], row["p"], row["p_holm"]) == (1, None, None)
    assert "1 seed" in str(row["basis"])


def test_a_difference_in_one_seed_is_seen_with_an_interval_over_its_images() -> None:
    row, opposite, none = judge({A: first(900), B: first(800), C: first(900)}, better(A, B), better(B, A), better(A, C))
    assert [each["outcome"] for each in (row, opposite, none)] == [SEEN, NOT_SEEN, NOT_SEEN]
    assert (row["first_value"], row["second_value"]) == (0.9, 0.8)
    assert row["difference"] == pytest.approx(0.1, abs=1e-12)
    error = (0.1 * 0.9 / (IMAGES - 1)) ** 0.5
    assert row["low"] == pytest.approx(0.1 - 1.959963985 * error, abs=1e-9)
    assert (row["basis"], row["scale"]) == ("test images, 1 seed", FULL)
    assert row.keys() <= set(STATEMENT_COLUMNS)


def test_a_clear_difference_over_seeds_holds_and_its_opposite_is_contradicted() -> None:
    high, low = [910, 905, 912, 908], [800, 803, 796, 804]
    runs = {A: seeds_of(*high), B: seeds_of(*low)}
    rows = judge(runs, better(A, B), better(B, A, where="2"), better(A, B, claimed="smaller", where="3"))
    assert [row["outcome"] for row in rows] == [HOLDS, CONTRADICTED, CONTRADICTED]
    p = ttest_1samp((np.array(high) - low) / 1000, 0).pvalue
    assert rows[0]["p"] == rows[0]["p_holm"] == pytest.approx(p, rel=1e-6)
    assert (rows[0]["seeds"], rows[0]["basis"]) == (4, "seeds")


def test_seeds_that_do_not_agree_leave_it_undecided() -> None:
    high, low = [910, 905, 912], [900, 903, 896]
    (row,) = judge({A: seeds_of(*high), B: seeds_of(*low)}, better(A, B))
    assert row["p"] == pytest.approx(ttest_1samp((np.array(high) - low) / 1000, 0).pvalue, rel=1e-9)
    assert (row["seeds"], row["outcome"]) == (3, UNDECIDED)


def test_only_seeds_that_both_runs_have_are_compared() -> None:
    (row,) = judge({A: [first(900), first(1)], B: first(800)}, better(A, B))
    assert (row["seeds"], row["outcome"]) == (1, SEEN)
    assert row["first_value"] == 0.9


def test_a_family_is_all_sentences_that_are_declared_whether_run_or_not() -> None:
    high, low = [910, 905, 912, 908], [900, 890, 901, 899]
    runs = {A: seeds_of(*high), B: seeds_of(*low)}
    p = ttest_1samp((np.array(high) - low) / 1000, 0).pvalue
    assert 0.05 / 40 < p < 0.05 / 3
    not_run = [better(C, B), better(A, C)]
    alone, _ = judge(runs, better(A, B), better(C, B, where="2"))
    assert alone["p_holm"] == pytest.approx(p, rel=1e-6)
    row, *others = judge(runs, better(A, B), *not_run)
    assert row["p_holm"] == pytest.approx(3 * p, rel=1e-6)
    assert [each["outcome"] for each in (row, *others)] == [HOLDS, NOT_RUN, NOT_RUN]
    assert {HOLDS, NOT_RUN} < set(OUTCOMES)
    many = judge(runs, better(A, B), *not_run * 20)
    assert (many[0]["p_holm"], many[0]["outcome"]) == (pytest.approx(41 * p, rel=1e-6), UNDECIDED)


def test_no_later_run_undoes_a_decision() -> None:
    """Whatever the tests that are still to come give: what is significant without them is so with them."""
    draws = np.random.default_rng(0)
    undone = kept = 0
    for _ in range(500):
        p_values = np.round(draws.uniform(size=6) ** 4, 6)
        known = draws.integers(1, 7)
        before = holm([*p_values[:known], *[1.0] * (6 - known)])[:known]
        after = holm(p_values.tolist())[:known]
        kept += sum(b < 0.05 for b in before)
        undone += sum(b < 0.05 <= a for b, a in zip(before, after, strict=True))
    assert undone == 0
    assert kept > 100


def test_labels_choose_the_images() -> None:
    label = np.arange(IMAGES) % 10
    runs = {A: label < 5, B: label >= 5}
    rows = judge(runs, better(A, B, labels=(0, 1)), better(A, B, labels=(8, 9)), better(A, B))
    assert [(row["difference"], row["labels"]) for row in rows] == [(1, "0 1"), (-1, "8 9"), (0, None)]
    assert [row["outcome"] for row in rows] == [SEEN, NOT_SEEN, NOT_SEEN]


def test_a_level_stands_for_a_second_run() -> None:
    runs = {A: first(960)}
    about = {"first": A, "claimed": "greater"}
    rows = judge(
        runs, {**about, "level": 0.9}, {**about, "level": 0.99, "where": "2"}, {**about, "level": 0.96, "where": "3"}
    )
    assert [row["outcome"] for row in rows] == [SEEN, NOT_SEEN, NOT_SEEN]
    assert (rows[0]["first_value"], rows[0]["second_value"]) == (0.96, pytest.approx(0.9, abs=1e-12))
    error = (0.96 * 0.04 / (IMAGES - 1)) ** 0.5
    assert rows[0]["low"] == pytest.approx(0.06 - 1.959963985 * error, abs=1e-9)


@pytest.mark.parametrize(
    "statement", [better(A, B), better("cifar10-recurnet1-*", A), TREND, SPREAD, GAP, {**EPOCHS, **better(A, B)}]
)
def test_what_was_not_run_is_never_decided(statement: dict[str, Any]) -> None:
    (row,) = judge({A: first(900)}, statement)
    assert (row["scale"], row["outcome"]) == (NOT_RUN, NOT_RUN)
    assert "p" not in row


@pytest.mark.parametrize("statement", [better(A, B), TREND, SPREAD, {**EPOCHS, **better(A, B)}, GAP])
def test_a_reduced_run_is_measured_and_never_decided(statement: dict[str, Any]) -> None:
    runs = {key: predicting(reaching(made()[key], 20), first(900 - 50 * n)) for n, key in enumerate(KEYS)}
    short = runs[B].cell.model_copy(update={"recipe": runs[B].cell.recipe.model_copy(update={"epochs": 3})})
    (row,) = judge({**runs, B: replace(runs[B], cell=short)}, statement)
    assert (row["scale"], row["outcome"], row["p_holm"]) == (REDUCED, REDUCED, None)
    assert row["difference"] is not None
