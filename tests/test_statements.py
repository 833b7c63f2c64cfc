"""Claims in words, tested on runs whose every prediction is chosen by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, norm, ttest_1samp

from stages.beside import FULL, NOT_RUN, REDUCED, Beside, Row
from stages.exhibits import Statement
from stages.layout import Layout
from stages.papers import PAPERS, load_paper
from stages.params import Energy, load_params
from stages.results import CellResult, read_results
from stages.statements import (
    CONTRADICTED,
    HOLDS,
    NOT_SEEN,
    OUTCOMES,
    SEEN,
    STATEMENT_COLUMNS,
    UNDECIDED,
    outcome,
    statement_rows,
)
from stages.statistics import Estimate
from tests.fake_results import write_cells
from tests.small import REPOSITORY

KEYS = [f"cifar10-recurnet1-{depth}" for depth in range(4, 9)]
A, B, C = KEYS[:3]
IMAGES = 1000
PAPER = load_paper(PAPERS / "recurnets")
Right = np.ndarray | Sequence[np.ndarray]  # whether each image is right; a sequence has one per seed
Test = Callable[..., list[Row]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CellResult]:
    """Results of one seed at the document's scale."""
    home = tmp_path_factory.mktemp("home")
    params = load_params(REPOSITORY / "full" / "params.yaml")
    write_cells(home, params, KEYS)
    return read_results(Layout(home), params).of("recurnets")


def with_seeds(result: CellResult, seeds: int, **recipe: Any) -> CellResult:
    settings = {"seeds": tuple(range(seeds)), **recipe}
    return replace(
        result, cell=result.cell.model_copy(update={"recipe": result.cell.recipe.model_copy(update=settings)})
    )


def predicting(result: CellResult, right: Right) -> CellResult:
    seeds = [right] if isinstance(right, np.ndarray) else list(right)
    true = np.arange(len(seeds[0])) % 10
    columns = {f"seed-{number}": np.where(hit, true, (true + 1) % 10) for number, hit in enumerate(seeds)}
    return replace(with_seeds(result, len(seeds)), predicted=pd.DataFrame({"true": true, **columns}))


def reaching(result: CellResult, *epochs: int | None) -> CellResult:
    """A run whose training accuracy is 0.99 from each seed's epoch on, counted from 1; never where there is None."""
    rows = [
        {"seed": seed, "epoch": epoch, "train_accuracy": 0.99 if first is not None and epoch + 1 >= first else 0.5}
        for seed, first in enumerate(epochs)
        for epoch in range(100)
    ]
    return replace(with_seeds(result, len(epochs)), curves=pd.DataFrame(rows))


def first(count: int, images: int = IMAGES) -> np.ndarray:
    """The first ``count`` images are right; of two such runs all disagreements go one way."""
    return np.arange(images) < count


@pytest.fixture
def judge(made: dict[str, CellResult]) -> Test:
    """The rows of statements about runs, given by their right images or as results."""

    def rows(runs: dict[str, Right | CellResult], *statements: dict[str, Any]) -> list[Row]:
        ours = {key: run if isinstance(run, CellResult) else predicting(made[key], run) for key, run in runs.items()}
        told = [
            Statement.model_validate({"id": str(n), "where": "Table 1", "text": "", "measure": "accuracy", **fields})
            for n, fields in enumerate(statements)
        ]
        return statement_rows(Beside(PAPER.model_copy(update={"statements": tuple(told)}), [], ours, Energy()))

    return rows


def better(one: str, other: str, **fields: Any) -> dict[str, Any]:
    return {"first": one, "second": other, "claimed": "greater", **fields}


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
    found = Estimate(mean, None, None, 1)
    assert outcome(found, "greater", p_holm) == greater
    assert outcome(found, "smaller", p_holm) == smaller


@pytest.mark.parametrize(
    ("p_holm", "within", "said"),
    [(0.5, True, HOLDS), (0.5, False, UNDECIDED), (0.01, False, CONTRADICTED), (None, False, UNDECIDED)],
)
def test_equality_needs_equivalence_and_not_the_lack_of_a_difference(p_holm: float, within: bool, said: str) -> None:
    assert outcome(Estimate(0.01, None, None, 1), "equal", p_holm, within) == said


def test_a_clear_difference_holds_and_its_opposite_is_contradicted(judge: Test) -> None:
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
def test_six_images_are_the_fewest_that_decide(judge: Test, more: int, said: str) -> None:
    (row,) = judge({A: first(800 + more), B: first(800)}, better(A, B))
    assert row["p"] == pytest.approx(binomtest(more, more).pvalue, rel=1e-9)
    assert row["outcome"] == said


def test_several_seeds_are_compared_by_their_accuracies(judge: Test) -> None:
    high, low = [910, 905, 912], [900, 903, 896]
    (row,) = judge({A: [first(n) for n in high], B: [first(n) for n in low]}, better(A, B))
    assert row["p"] == pytest.approx(ttest_1samp((np.array(high) - low) / 1000, 0).pvalue, rel=1e-9)
    assert (row["seeds"], row["outcome"]) == (3, UNDECIDED)


def test_only_seeds_that_both_runs_have_are_compared(judge: Test) -> None:
    (row,) = judge({A: [first(900), first(1)], B: first(800)}, better(A, B))
    assert (row["seeds"], row["outcome"]) == (1, HOLDS)
    assert row["first_value"] == 0.9


def test_several_borderline_differences_at_one_place_are_undecided_together(judge: Test) -> None:
    runs = {A: first(806), B: first(800), C: first(900)}
    alone = judge(runs, better(A, B), better(A, B, where="Table 2"))
    assert [row["outcome"] for row in alone] == [HOLDS, HOLDS]
    together = judge(runs, better(A, B), better(A, B), better(C, B))
    assert [row["outcome"] for row in together] == [UNDECIDED, UNDECIDED, HOLDS]
    assert [row["p_holm"] for row in together[:2]] == [2 * 2 / 2**6] * 2
    assert together[2]["p_holm"] == pytest.approx(3 * 2 / 2**100, rel=1e-9)


def test_labels_choose_the_images(judge: Test) -> None:
    label = np.arange(IMAGES) % 10
    runs = {A: label < 5, B: label >= 5}
    rows = judge(runs, better(A, B, labels=(0, 1)), better(A, B, labels=(8, 9)), better(A, B))
    assert [(row["difference"], row["labels"]) for row in rows] == [(1, "0 1"), (-1, "8 9"), (0, None)]
    assert [row["outcome"] for row in rows] == [HOLDS, CONTRADICTED, UNDECIDED]


def test_a_level_stands_for_a_second_run(judge: Test) -> None:
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


def test_a_pattern_means_the_mean_of_its_runs(judge: Test) -> None:
    counts = dict(zip(KEYS, (900, 700, 720, 880, 740), strict=True))
    runs = {key: first(count) for key, count in counts.items()}
    (row,) = judge(runs, better("cifar10-recurnet1-[47]", "cifar10-recurnet1-[568]"))
    assert (row["first_value"], row["second_value"]) == pytest.approx((0.89, 0.72), abs=1e-12)
    assert row["difference"] == pytest.approx(0.17, abs=1e-12)
    high, low = (np.mean([runs[key] for key in KEYS if key[-1] in depths], axis=0) for depths in ("47", "568"))
    error = (high - low).std(ddof=1) / IMAGES**0.5
    assert row["low"] == pytest.approx(0.17 - 1.959963985 * error, abs=1e-9)
    assert row["outcome"] == HOLDS


TREND = {"measure": "trend", "first": "cifar10-recurnet1-*", "claimed": "greater"}


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((800, 830, 820, 860, 870), HOLDS),
        ((870, 860, 820, 830, 800), CONTRADICTED),
        ((800, 830, 850, 829, 801), UNDECIDED),
    ],
)
def test_a_trend_is_the_slope_over_the_runs_in_the_documents_order(
    judge: Test, counts: tuple[int, ...], said: str
) -> None:
    runs = {key: first(count) for key, count in zip(KEYS, counts, strict=True)}
    (row,) = judge(dict(reversed(runs.items())), TREND)
    slope = np.polyfit(range(5), np.array(counts) / IMAGES, 1)[0]
    assert row["difference"] == pytest.approx(slope, abs=1e-12)
    assert row["outcome"] == said


def test_a_trend_of_several_seeds_is_tested_over_their_slopes(judge: Test) -> None:
    counts = np.array([(800, 810, 825, 830, 845), (805, 811, 820, 836, 839), (790, 805, 811, 830, 835)])
    runs = {key: [first(count) for count in column] for key, column in zip(KEYS, counts.T, strict=True)}
    (row,) = judge(runs, TREND)
    slopes = [np.polyfit(range(5), seed / IMAGES, 1)[0] for seed in counts]
    assert row["p"] == pytest.approx(ttest_1samp(slopes, 0).pvalue, rel=1e-6)
    assert (row["seeds"], row["outcome"]) == (3, HOLDS)


def test_runs_that_are_all_alike_have_no_trend(judge: Test) -> None:
    (row,) = judge({key: first(900) for key in KEYS}, TREND)
    assert row["difference"] == pytest.approx(0, abs=1e-15)
    assert row["outcome"] == UNDECIDED


SPREAD = {"measure": "spread", "first": "cifar10-recurnet1-*", "claimed": "equal", "margin": 0.02}


@pytest.mark.parametrize(
    ("counts", "said"), [((900, 904, 902, 901, 903), HOLDS), ((900, 800, 902, 901, 903), CONTRADICTED)]
)
def test_runs_are_equal_if_every_pair_is_within_the_margin(judge: Test, counts: tuple[int, ...], said: str) -> None:
    (row,) = judge({key: first(count) for key, count in zip(KEYS, counts, strict=True)}, SPREAD)
    assert row["difference"] == pytest.approx((max(counts) - min(counts)) / IMAGES, abs=1e-12)
    assert (row["first_value"], row["second_value"]) == (max(counts) / IMAGES, min(counts) / IMAGES)
    assert row["outcome"] == said


def test_equal_accuracies_on_other_images_do_not_show_equality(judge: Test) -> None:
    # Every run is wrong on 100 images of its own: differences of 0, each +- 1.645 (200 / 1000 / 1000)^0.5 = 0.023.
    runs = {key: np.arange(IMAGES) // 100 != number for number, key in enumerate(KEYS)}
    narrow, wide = judge(runs, SPREAD, {**SPREAD, "margin": 0.025})
    assert (narrow["difference"], narrow["p"]) == (0, 1)
    assert (narrow["outcome"], wide["outcome"]) == (UNDECIDED, HOLDS)


def test_equality_of_several_seeds_is_judged_by_students_intervals(judge: Test) -> None:
    counts = np.array([(900, 901, 902, 901, 900), (901, 903, 900, 902, 901), (899, 900, 901, 900, 902)])
    runs = {key: [first(count) for count in column] for key, column in zip(KEYS, counts.T, strict=True)}
    # The widest 90 % interval is that of depths 5 and 6: images -1, 3 and -1 more, 0.3 +- 2.92 (5.3 / 3)^0.5 = 3.9.
    assert [row["outcome"] for row in judge(runs, SPREAD, {**SPREAD, "margin": 0.001})] == [HOLDS, UNDECIDED]


def test_one_setting_of_a_study_does_not_show_that_all_are_equal(tmp_path: Path) -> None:
    params = load_params(REPOSITORY / "full" / "params.yaml")
    write_cells(tmp_path, params, ["sensitivity-3-64"])
    paper = load_paper(PAPERS / "cnn-gru")
    rows = statement_rows(Beside(paper, [], read_results(Layout(tmp_path), params).of("cnn-gru"), Energy()))
    assert [row["outcome"] for row in rows if row["measure"] == "spread"] in ([UNDECIDED], [NOT_RUN])


EPOCHS = {"measure": "epochs", "column": "train_accuracy", "level": 0.99}


def test_epochs_of_one_seed_are_seen_or_not_seen(judge: Test, made: dict[str, CellResult]) -> None:
    runs = {A: reaching(made[A], 20), B: reaching(made[B], 57)}
    fields = {**EPOCHS, "first": A, "second": B}
    seen, not_seen = judge(runs, {**fields, "claimed": "smaller"}, {**fields, "claimed": "greater"})
    assert (seen["first_value"], seen["second_value"], seen["difference"]) == (20, 57, -37)
    assert (seen["outcome"], not_seen["outcome"]) == (SEEN, NOT_SEEN)
    assert (seen["low"], seen["p"], seen["p_holm"]) == (None, None, None)


def test_epochs_of_several_seeds_are_tested(judge: Test, made: dict[str, CellResult]) -> None:
    runs = {A: reaching(made[A], 20, 22, 19), B: reaching(made[B], 30, 33, 28)}
    (row,) = judge(runs, {**EPOCHS, "first": A, "second": B, "claimed": "smaller"})
    assert row["p"] == pytest.approx(ttest_1samp([-10, -11, -9], 0).pvalue, rel=1e-9)
    assert row["outcome"] == HOLDS


def test_a_level_that_a_seed_never_reaches_decides_nothing(judge: Test, made: dict[str, CellResult]) -> None:
    runs = {A: reaching(made[A], 20, 22), B: reaching(made[B], 30, None)}
    (row,) = judge(runs, {**EPOCHS, "first": A, "second": B, "claimed": "smaller"})
    assert row["outcome"] == UNDECIDED
    assert "difference" not in row


@pytest.mark.parametrize(
    "statement", [better(A, B), better("cifar10-recurnet1-*", A), TREND, SPREAD, {**EPOCHS, **better(A, B)}]
)
def test_what_was_not_run_is_never_decided(judge: Test, statement: dict[str, Any]) -> None:
    (row,) = judge({A: first(900)}, statement)
    assert (row["scale"], row["outcome"]) == (NOT_RUN, NOT_RUN)
    assert "p" not in row


@pytest.mark.parametrize("statement", [better(A, B), TREND, SPREAD, {**EPOCHS, **better(A, B)}])
def test_a_reduced_run_is_measured_and_never_decided(
    judge: Test, made: dict[str, CellResult], statement: dict[str, Any]
) -> None:
    runs = {key: predicting(reaching(made[key], 20), first(900 - 50 * n)) for n, key in enumerate(KEYS)}
    short = runs[B].cell.model_copy(update={"recipe": runs[B].cell.recipe.model_copy(update={"epochs": 3})})
    (row,) = judge({**runs, B: replace(runs[B], cell=short)}, statement)
    assert (row["scale"], row["outcome"], row["p_holm"]) == (REDUCED, REDUCED, None)
    assert row["difference"] is not None


def test_only_full_runs_count_in_the_correction(judge: Test) -> None:
    decided, *rest = judge({A: first(806), B: first(800)}, better(A, B), better(A, C), better(C, B))
    assert decided["p"] == decided["p_holm"] == 2 / 2**6
    assert [row["outcome"] for row in (decided, *rest)] == [HOLDS, NOT_RUN, NOT_RUN]
    assert {HOLDS, NOT_RUN} < set(OUTCOMES)
