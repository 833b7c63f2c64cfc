"""Claims in words about two runs, tested on runs whose every prediction is chosen by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, norm, ttest_1samp

from stages.compare.claims_in_words import CONTRADICTED, HOLDS, NOT_SEEN, OUTCOMES, SEEN, UNDECIDED, Difference, outcome
from stages.compare.columns import STATEMENT_COLUMNS
from stages.compare.intervals import Estimate
from stages.compare.scale import FULL, NOT_RUN, REDUCED
from tests.judged import EPOCHS, IMAGES, KEYS, SPREAD, TREND, A, B, C, better, first, judge, made, predicting, reaching


@pytest.mark.parametrize(
    ("mean", "p_holm", "greater", "smaller"),
    [
        (0.02, 0.01, HOLDS, CONTRADICTED),
        (-0.02, 0.01, CONTRADICTED, HOLDS),
        (0.02, 0.05, UNDECIDED, UNDECIDED),
        (0.0, 1.0, UNDECIDED, UNDECIDED),
        (4.0, None, SEEN, NOT_SEEN),
        (0.0, None, NOT_SEEN, NOT_SEEN),
    ],
)
def test_an_outcome_needs_a_significant_difference(mean: float, p_holm: float, greater: str, smaller: str) -> None:
    found = Difference(Estimate(mean, None, None, 1))
    assert outcome(found, "greater", p_holm) == greater
    assert outcome(found, "smaller", p_holm) == smaller


@pytest.mark.parametrize(
    ("p_holm", "within", "said"),
    [(0.5, True, HOLDS), (0.5, False, UNDECIDED), (0.01, False, CONTRADICTED), (None, False, UNDECIDED)],
)
def test_equality_needs_equivalence_and_not_the_lack_of_a_difference(p_holm: float, within: bool, said: str) -> None:
    found = Difference(Estimate(0.01, None, None, 1), within=within)
    assert outcome(found, "equal", p_holm) == said


def test_a_clear_difference_holds_and_its_opposite_is_contradicted() -> None:
    runs = {A: first(900), B: first(800)}
    row, *others = judge(runs, better(A, B), better(B, A, where="2"), better(A, B, claimed="smaller", where="3"))
    assert [each["outcome"] for each in (row, *others)] == [HOLDS, CONTRADICTED, CONTRADICTED]
    assert (row["first_value"], row["second_value"]) == (0.9, 0.8)
    assert row["difference"] == pytest.approx(0.1, abs=1e-12)
    assert row["low"] < 0.1 < row["high"]
    assert row["p"] == row["p_holm"] == pytest.approx(2 / 2**100, rel=1e-9)
    assert (row["seeds"], row["scale"]) == (1, FULL)
    assert row.keys() <= set(STATEMENT_COLUMNS)


@pytest.mark.parametrize(("more", "said"), [(5, UNDECIDED), (6, HOLDS)])
def test_six_images_are_the_fewest_that_decide(more: int, said: str) -> None:
    (row,) = judge({A: first(800 + more), B: first(800)}, better(A, B))
    assert row["p"] == pytest.approx(binomtest(more, more).pvalue, rel=1e-9)
    assert row["outcome"] == said


def test_several_seeds_are_compared_by_their_accuracies() -> None:
    high, low = [910, 905, 912], [900, 903, 896]
    (row,) = judge({A: [first(n) for n in high], B: [first(n) for n in low]}, better(A, B))
    assert row["p"] == pytest.approx(ttest_1samp((np.array(high) - low) / 1000, 0).pvalue, rel=1e-9)
    assert (row["seeds"], row["outcome"]) == (3, UNDECIDED)


def test_only_seeds_that_both_runs_have_are_compared() -> None:
    (row,) = judge({A: [first(900), first(1)], B: first(800)}, better(A, B))
    assert (row["seeds"], row["outcome"]) == (1, HOLDS)
    assert row["first_value"] == 0.9


def test_several_borderline_differences_at_one_place_are_undecided_together() -> None:
    runs = {A: first(806), B: first(800), C: first(900)}
    alone = judge(runs, better(A, B), better(A, B, where="Table 2"))
    assert [row["outcome"] for row in alone] == [HOLDS, HOLDS]
    together = judge(runs, better(A, B), better(A, B), better(C, B))
    assert [row["outcome"] for row in together] == [UNDECIDED, UNDECIDED, HOLDS]
    assert [row["p_holm"] for row in together[:2]] == [2 * 2 / 2**6] * 2
    assert together[2]["p_holm"] == pytest.approx(3 * 2 / 2**100, rel=1e-9)


def test_labels_choose_the_images() -> None:
    label = np.arange(IMAGES) % 10
    runs = {A: label < 5, B: label >= 5}
    rows = judge(runs, better(A, B, labels=(0, 1)), better(A, B, labels=(8, 9)), better(A, B))
    assert [(row["difference"], row["labels"]) for row in rows] == [(1, "0 1"), (-1, "8 9"), (0, None)]
    assert [row["outcome"] for row in rows] == [HOLDS, CONTRADICTED, UNDECIDED]


def test_a_level_stands_for_a_second_run() -> None:
    runs = {A: first(960)}
    about = {"first": A, "claimed": "greater"}
    rows = judge(
        runs, {**about, "level": 0.9}, {**about, "level": 0.99, "where": "2"}, {**about, "level": 0.96, "where": "3"}
    )
    assert [row["outcome"] for row in rows] == [HOLDS, CONTRADICTED, UNDECIDED]
    assert (rows[0]["first_value"], rows[0]["second_value"]) == (0.96, pytest.approx(0.9, abs=1e-12))
    error = (0.96 * 0.04 / (IMAGES - 1)) ** 0.5
    assert rows[0]["p"] == pytest.approx(2 * norm.sf(0.06 / error), rel=1e-6)
    assert rows[0]["low"] == pytest.approx(0.06 - 1.959963985 * error, abs=1e-9)


@pytest.mark.parametrize(
    "statement", [better(A, B), better("cifar10-recurnet1-*", A), TREND, SPREAD, {**EPOCHS, **better(A, B)}]
)
def test_what_was_not_run_is_never_decided(statement: dict[str, Any]) -> None:
    (row,) = judge({A: first(900)}, statement)
    assert (row["scale"], row["outcome"]) == (NOT_RUN, NOT_RUN)
    assert "p" not in row


@pytest.mark.parametrize("statement", [better(A, B), TREND, SPREAD, {**EPOCHS, **better(A, B)}])
def test_a_reduced_run_is_measured_and_never_decided(statement: dict[str, Any]) -> None:
    runs = {key: predicting(reaching(made()[key], 20), first(900 - 50 * n)) for n, key in enumerate(KEYS)}
    short = runs[B].cell.model_copy(update={"recipe": runs[B].cell.recipe.model_copy(update={"epochs": 3})})
    (row,) = judge({**runs, B: replace(runs[B], cell=short)}, statement)
    assert (row["scale"], row["outcome"], row["p_holm"]) == (REDUCED, REDUCED, None)
    assert row["difference"] is not None


def test_only_full_runs_count_in_the_correction() -> None:
    decided, *rest = judge({A: first(806), B: first(800)}, better(A, B), better(A, C), better(C, B))
    assert decided["p"] == decided["p_holm"] == 2 / 2**6
    assert [row["outcome"] for row in (decided, *rest)] == [HOLDS, NOT_RUN, NOT_RUN]
    assert {HOLDS, NOT_RUN} < set(OUTCOMES)
