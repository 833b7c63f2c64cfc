"""Claims in words about several runs at once, or about epochs: patterns, trends, spreads, convergence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t, ttest_1samp

from stages.compare.claims_in_words import statement_rows
from stages.compare.outcomes import CONTRADICTED, HOLDS, NOT_SEEN, SEEN, UNDECIDED
from stages.compare.scale import NOT_RUN
from stages.compare.side_by_side import Beside
from stages.core.layout import Layout
from stages.documents.author_log import load_author_log
from stages.documents.paper import PAPERS, load_paper
from stages.params import Energy, load_params
from stages.results.read import read_results
from tests.fake_results import write_cells
from tests.judged import (
    EPOCHS,
    IMAGES,
    KEYS,
    SPREAD,
    TREND,
    A,
    B,
    better,
    first,
    judge,
    made,
    predicting,
    reaching,
    seeds_of,
)
from tests.small import REPOSITORY


def test_a_pattern_means_the_mean_of_its_runs() -> None:
    counts = dict(zip(KEYS, (900, 700, 720, 880, 740), strict=True))
    runs = {key: first(count) for key, count in counts.items()}
    (row,) = judge(runs, better("cifar10-recurnet1-[47]", "cifar10-recurnet1-[568]"))
    assert (row["first_value"], row["second_value"]) == pytest.approx((0.89, 0.72), abs=1e-12)
    assert row["difference"] == pytest.approx(0.17, abs=1e-12)
    high, low = (np.mean([runs[key] for key in KEYS if key[-1] in depths], axis=0) for depths in ("47", "568"))
    error = (high - low).std(ddof=1) / IMAGES**0.5
    assert row["low"] == pytest.approx(0.17 - 1.959963985 * error, abs=1e-9)
    assert row["outcome"] == SEEN


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((800, 830, 820, 860, 870), SEEN),
        ((870, 860, 820, 830, 800), NOT_SEEN),
        ((800, 830, 850, 829, 801), SEEN),
    ],
)
def test_a_trend_is_the_slope_over_the_runs_in_the_documents_order(counts: tuple[int, ...], said: str) -> None:
    runs = {key: first(count) for key, count in zip(KEYS, counts, strict=True)}
    (row,) = judge(dict(reversed(runs.items())), TREND)
    slope = np.polyfit(range(5), np.array(counts) / IMAGES, 1)[0]
    assert row["difference"] == pytest.approx(slope, abs=1e-12)
    assert row["outcome"] == said


def test_a_trend_of_several_seeds_is_tested_over_their_slopes() -> None:
    counts = np.array([(800, 810, 825, 830, 845), (805, 811, 820, 836, 839), (790, 805, 811, 830, 835)])
    runs = {key: [first(count) for count in column] for key, column in zip(KEYS, counts.T, strict=True)}
    (row,) = judge(runs, TREND)
    slopes = [np.polyfit(range(5), seed / IMAGES, 1)[0] for seed in counts]
    assert row["p"] == pytest.approx(ttest_1samp(slopes, 0).pvalue, rel=1e-6)
    assert (row["seeds"], row["outcome"]) == (3, HOLDS)


def test_runs_that_are_all_alike_have_no_trend() -> None:
    (row,) = judge({key: first(900) for key in KEYS}, TREND)
    assert row["difference"] == pytest.approx(0, abs=1e-15)
    assert row["outcome"] == NOT_SEEN


@pytest.mark.parametrize(("counts", "said"), [((900, 904, 902, 901, 903), SEEN), ((900, 800, 902, 901, 903), NOT_SEEN)])
def test_of_one_seed_runs_are_seen_to_be_equal_if_none_is_farther_apart_than_the_margin(
    counts: tuple[int, ...], said: str
) -> None:
    (row,) = judge({key: first(count) for key, count in zip(KEYS, counts, strict=True)}, SPREAD)
    assert row["difference"] == pytest.approx((max(counts) - min(counts)) / IMAGES, abs=1e-12)
    assert (row["first_value"], row["second_value"]) == (max(counts) / IMAGES, min(counts) / IMAGES)
    assert row["outcome"] == said


STEADY = np.array([(900, 901, 902, 901, 900), (901, 903, 900, 902, 901), (899, 900, 901, 900, 902)])


def table_of(counts: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Runs by name, of images that are right, (seeds, runs)."""
    return {key: seeds_of(*column) for key, column in zip(KEYS, counts.T, strict=True)}


def test_runs_are_equal_if_students_intervals_of_all_pairs_lie_within_the_margin() -> None:
    rows = judge(table_of(STEADY), SPREAD, {**SPREAD, "margin": 0.003, "where": "2"})
    for row in rows:
        margin = row["margin"]
        pairs = [(STEADY[:, a] - STEADY[:, b]) / IMAGES for a in range(5) for b in range(a)]
        sides = [(ttest_1samp(pair, -margin, alternative="greater"), ttest_1samp(pair, margin, alternative="less"))
                 for pair in pairs if pair.std() > 0.29 / IMAGES]  # fmt: skip
        assert row["p"] == pytest.approx(max(test.pvalue for pair in sides for test in pair), rel=1e-9)
    assert [row["outcome"] for row in rows] == [HOLDS, UNDECIDED]


@pytest.mark.parametrize(("drop", "said"), [(18, UNDECIDED), (22, UNDECIDED), (40, CONTRADICTED)])
def test_runs_are_not_equal_if_a_corrected_interval_lies_beyond_the_margin(drop: int, said: str) -> None:
    """Not as soon as the observed range exceeds the margin: at 22 images it does."""
    counts = STEADY - np.array([0, drop, 0, 0, 0])
    (row,) = judge(table_of(counts), SPREAD)
    assert row["outcome"] == said
    if drop > 20:
        table = counts / IMAGES
        means, rows = table.mean(axis=0), table.mean(axis=1)
        squares = sum((table[i, k] - means[k] - rows[i] + table.mean()) ** 2 for i in range(3) for k in range(5))
        error = (2 * squares / 8 / 3) ** 0.5
        half = t.ppf(1 - 0.05 / 2 / 10, 8) * error  # ten pairs, (3 - 1) (5 - 1) degrees of freedom
        apart = means.max() - means.min()
        assert (apart - half > 0.02) == (said == CONTRADICTED)
        assert row["p"] == pytest.approx(min(1, 10 * 2 * t.sf((apart - 0.02) / error, 8)), rel=1e-9)


def test_two_spreads_are_compared_seed_by_seed() -> None:
    wide = np.array([(900, 930), (905, 931), (899, 933), (902, 929)])
    slim = np.array([(950, 952, 951), (951, 951, 950), (952, 950, 953), (950, 951, 951)])
    runs = {key: seeds_of(*column) for key, column in zip(KEYS, np.hstack([wide, slim]).T, strict=True)}
    about = {"measure": "spread", "first": "cifar10-recurnet1-[678]", "second": "cifar10-recurnet1-[45]"}
    slimmer, wider = judge(runs, {**about, "claimed": "smaller"}, {**about, "claimed": "greater", "where": "2"})
    ranges = [np.array([max(seed) - min(seed) for seed in side]) / IMAGES for side in (slim, wide)]
    assert slimmer["p"] == pytest.approx(ttest_1samp(ranges[0] - ranges[1], 0).pvalue, rel=1e-6)
    assert (slimmer["first_value"], slimmer["second_value"]) == pytest.approx([each.mean() for each in ranges])
    assert (slimmer["outcome"], wider["outcome"]) == (HOLDS, CONTRADICTED)


def test_one_setting_of_a_study_does_not_show_that_all_are_equal(tmp_path: Path) -> None:
    params = load_params(REPOSITORY / "full" / "params.yaml")
    write_cells(tmp_path, params, ["sensitivity-3-64"])
    paper = load_paper(PAPERS / "cnn-gru")
    ours = read_results(Layout(tmp_path), params).of("cnn-gru")
    rows = statement_rows(Beside(paper, [], ours, Energy()), load_author_log(PAPERS / "cnn-gru"))
    assert [row["outcome"] for row in rows if row["measure"] == "spread"] in ([UNDECIDED], [NOT_RUN])


def test_epochs_of_one_seed_are_seen_or_not_seen() -> None:
    runs = {A: reaching(made()[A], 20), B: reaching(made()[B], 57)}
    fields = {**EPOCHS, "first": A, "second": B}
    seen, not_seen = judge(runs, {**fields, "claimed": "smaller"}, {**fields, "claimed": "greater"})
    assert (seen["first_value"], seen["second_value"], seen["difference"]) == (20, 57, -37)
    assert (seen["outcome"], not_seen["outcome"]) == (SEEN, NOT_SEEN)
    assert (seen["low"], seen["p"], seen["p_holm"]) == (None, None, None)


def test_epochs_of_several_seeds_are_tested() -> None:
    runs = {A: reaching(made()[A], 20, 22, 19), B: reaching(made()[B], 30, 33, 28)}
    (row,) = judge(runs, {**EPOCHS, "first": A, "second": B, "claimed": "smaller"})
    assert row["p"] == pytest.approx(ttest_1samp([-10, -11, -9], 0).pvalue, rel=1e-9)
    assert row["outcome"] == HOLDS


def test_a_level_that_a_seed_never_reaches_decides_nothing() -> None:
    runs = {A: reaching(made()[A], 20, 22), B: reaching(made()[B], 30, None)}
    (row,) = judge(runs, {**EPOCHS, "first": A, "second": B, "claimed": "smaller"})
    assert row["outcome"] == UNDECIDED
    assert "difference" not in row


@pytest.mark.parametrize(
    ("epochs", "said"), [((78, 83, 80), HOLDS), ((56, 57, 58), CONTRADICTED), ((60, 80, 55), UNDECIDED)]
)
def test_a_number_of_epochs_is_as_said_up_to_a_margin(epochs: tuple[int, ...], said: str) -> None:
    (row,) = judge(
        {A: reaching(made()[A], *epochs)}, {**EPOCHS, "first": A, "claimed": "equal", "amount": 80, "margin": 10}
    )
    off = np.array(epochs) - 80.0
    if abs(off.mean()) <= 10:
        tests = (ttest_1samp(off, -10, alternative="greater"), ttest_1samp(off, 10, alternative="less"))
        p = max(test.pvalue for test in tests)
    else:
        p = 2 * ttest_1samp(off, -10, alternative="less").pvalue
    assert row["p"] == pytest.approx(p, rel=1e-9)
    assert (row["difference"], row["outcome"]) == (pytest.approx(np.mean(epochs)), said)


@pytest.mark.parametrize(("drop", "said"), [(20, SEEN), (24, SEEN), (16, SEEN), (14, NOT_SEEN), (26, NOT_SEEN)])
def test_about_two_points_is_what_rounds_to_two(drop: int, said: str) -> None:
    about = {"first": A, "second": B, "claimed": "equal", "amount": -0.02, "margin": 0.005}
    (row,) = judge({A: first(900 - drop), B: first(900)}, about)
    assert (row["difference"], row["outcome"]) == (pytest.approx(-drop / IMAGES, abs=1e-12), said)


def test_about_two_points_over_seeds_is_a_test_of_equivalence() -> None:
    about = {"first": A, "second": B, "claimed": "equal", "amount": -0.02, "margin": 0.005}
    steady, clear, wide = ([879, 881, 880, 880], [890, 889, 891, 890], [870, 890, 884, 876])
    for counts, said in ((steady, HOLDS), (clear, CONTRADICTED), (wide, UNDECIDED)):
        (row,) = judge({A: seeds_of(*counts), B: seeds_of(900, 901, 899, 900)}, about)
        assert row["outcome"] == said


def test_especially_is_a_difference_of_differences() -> None:
    label = np.arange(IMAGES) % 10
    thin = np.where(label < 5, np.arange(IMAGES) < 800, np.arange(IMAGES) < 950)
    about = {"labels": (0, 1, 2, 3, 4), "other_labels": (5, 6, 7, 8, 9), "claimed": "smaller"}
    (row,) = judge({A: thin, B: first(960)}, {**better(A, B), **about})
    drops = [thin[side].mean() - first(960)[side].mean() for side in (label < 5, label >= 5)]
    assert row["difference"] == pytest.approx(drops[0] - drops[1], abs=1e-12)
    variances = [np.var((thin.astype(float) - first(960))[side], ddof=1) / 500 for side in (label < 5, label >= 5)]
    half = 1.959963985 * sum(variances) ** 0.5  # ours takes it to be chance how many images have which label
    assert half < row["high"] - row["difference"] < 1.1 * half
    assert (row["outcome"], row["other_labels"]) == (SEEN, "5 6 7 8 9")


def test_a_gap_is_the_training_accuracy_minus_that_on_the_test_set() -> None:
    """A ends at 99 % in training and 90 % on the test set, B at 50 and 48."""
    runs = {A: predicting(reaching(made()[A], 20), first(900)), B: predicting(reaching(made()[B], None), first(480))}
    (row,) = judge(runs, {**better(A, B), "measure": "gap"})
    values = (row["first_value"], row["second_value"], row["difference"])
    assert values == pytest.approx((0.09, 0.02, 0.07), abs=1e-12)
    assert (row["outcome"], row["basis"]) == (SEEN, "1 seed")
