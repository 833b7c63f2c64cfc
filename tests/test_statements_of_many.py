"""Claims in words about several runs at once, or about epochs: patterns, trends, spreads, convergence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from stages.compare.claims_in_words import CONTRADICTED, HOLDS, NOT_SEEN, SEEN, UNDECIDED, statement_rows
from stages.compare.scale import NOT_RUN
from stages.compare.side_by_side import Beside
from stages.core.layout import Layout
from stages.documents.paper import PAPERS, load_paper
from stages.params import Energy, load_params
from stages.results.read import read_results
from tests.fake_results import write_cells
from tests.judged import EPOCHS, IMAGES, KEYS, SPREAD, TREND, A, B, better, first, judge, made, reaching
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
    assert row["outcome"] == HOLDS


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((800, 830, 820, 860, 870), HOLDS),
        ((870, 860, 820, 830, 800), CONTRADICTED),
        ((800, 830, 850, 829, 801), UNDECIDED),
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
    assert row["outcome"] == UNDECIDED


@pytest.mark.parametrize(
    ("counts", "said"), [((900, 904, 902, 901, 903), HOLDS), ((900, 800, 902, 901, 903), CONTRADICTED)]
)
def test_runs_are_equal_if_every_pair_is_within_the_margin(counts: tuple[int, ...], said: str) -> None:
    (row,) = judge({key: first(count) for key, count in zip(KEYS, counts, strict=True)}, SPREAD)
    assert row["difference"] == pytest.approx((max(counts) - min(counts)) / IMAGES, abs=1e-12)
    assert (row["first_value"], row["second_value"]) == (max(counts) / IMAGES, min(counts) / IMAGES)
    assert row["outcome"] == said


def test_equal_accuracies_on_other_images_do_not_show_equality() -> None:
    # Every run is wrong on 100 images of its own: differences of 0, each +- 1.645 (200 / 1000 / 1000)^0.5 = 0.023.
    runs = {key: np.arange(IMAGES) // 100 != number for number, key in enumerate(KEYS)}
    narrow, wide = judge(runs, SPREAD, {**SPREAD, "margin": 0.025})
    assert (narrow["difference"], narrow["p"]) == (0, 1)
    assert (narrow["outcome"], wide["outcome"]) == (UNDECIDED, HOLDS)


def test_equality_of_several_seeds_is_judged_by_students_intervals() -> None:
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
