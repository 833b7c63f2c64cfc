"""First epochs against a log: worked by hand, with scipy's distributions, and on simulated trainings."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, t

from benchmarks.first_epochs import MARGINS, rates
from stages.compare.departures import CANNOT_TELL, DEPARTS, FOLLOWS, Case, Decision, as_many_first, decide, left_out
from stages.compare.first_epochs import answers, on_scale, summed_up
from stages.compare.side_by_side import Beside
from stages.core.errors import StageError
from stages.core.files import read_yaml
from stages.core.tables import read_csv
from stages.documents.author_log import load_author_log
from stages.documents.exhibits import FirstEpochsRule
from stages.documents.paper import PAPERS, Paper, load_paper
from stages.params import load_params
from stages.report.benchmark_tables import FIRST_EPOCH_COLUMNS, RESULTS
from stages.report.page import environment
from tests.beginnings import FULL, begun, beside
from tests.small import REPOSITORY

RULE = FirstEpochsRule(epochs=2, margins={"train_loss": 0.15, "test_accuracy": 0.6}, rivals={})


def case(log: list[float], *ours: list[float], rival: list[float] | None = None) -> Case:
    """A case of one column; a list is a training, a value per epoch."""
    rivals = {} if rival is None else {"other": np.array([rival])[..., None]}
    return Case(np.array(log)[:, None], np.array(ours)[..., None], rivals)


FIRST = case([0.12, 0.31], [0.0, 0.1], [0.2, 0.5], rival=[3.0, 3.0])
SECOND = case([1.0, 1.0], [1.1, 1.0], [0.9, 1.2], [1.0, 0.8])


def test_departures_and_intervals_are_those_of_the_formula() -> None:
    found = decide({"first": FIRST, "second": SECOND}, [0.5])
    # The squares about the means, by hand: 2 x 0.1^2 + 2 x 0.2^2, and 0.02 + 0.08; over 1 + 2 degrees, and 2 epochs.
    pooled, own = math.sqrt((0.02 + 0.08 + 0.02 + 0.08) / (3 * 2)), math.sqrt(0.10 / 2)
    assert own > pooled > math.sqrt(0.10 / 4)  # the first run's own is larger, the second's is not
    deviation = own * math.sqrt(1 + 1 / 2)
    assert found["first"].t == pytest.approx(np.array([[(0.12 - 0.1) / deviation], [(0.31 - 0.3) / deviation]]))
    half = t.ppf(0.95, 3) * deviation
    assert found["first"].reach == pytest.approx(np.array([[0.02 + half], [0.01 + half]]))
    assert found["second"].t == pytest.approx(np.zeros((2, 1)), abs=1e-12)
    reach = t.ppf(0.95, 3) * pooled * math.sqrt(1 + 1 / 3)
    assert found["second"].reach == pytest.approx(np.full((2, 1), reach))


def test_the_p_value_is_corrected_for_epochs_and_then_for_runs() -> None:
    far = case([1.9, 1.0], [1.1, 1.0], [0.9, 1.2], [1.0, 0.8])
    found = decide({"first": FIRST, "far": far}, [0.5])
    deviation = math.sqrt(0.20 / 6) * math.sqrt(4 / 3)
    assert found["far"].largest == pytest.approx(0.9 / deviation)
    raw = {run: 2 * 2 * t.sf(decision.largest, 3) for run, decision in found.items()}
    assert found["far"].p == pytest.approx(min(1, 2 * raw["far"]))
    assert found["first"].p == pytest.approx(min(1, max(raw["first"], 2 * raw["far"])))


def many(log: float, seeds: int = 8, rival: float | None = 3.0) -> Decision:
    """The answer on a run of 2 epochs whose seeds lie 0.1 about 0, and its log where it is said."""
    spread = [0.1 * (-1) ** seed for seed in range(seeds)]
    other = None if rival is None else [rival, rival]
    return decide({"run": case([log, log], *([value, value] for value in spread), rival=other)}, [0.5])["run"]


def test_a_log_within_the_margin_follows_if_its_rival_would_not() -> None:
    assert many(0.1).answer == FOLLOWS
    assert many(0.1).why == "within the margin, and other beyond"
    assert many(0.1, rival=0.45).answer == CANNOT_TELL
    assert many(0.1, rival=0.45).why == "within the margin, but so may be other"
    assert many(0.1, rival=None).answer == CANNOT_TELL
    assert "no rival is there" in many(0.1, rival=None).why


def test_a_rival_has_to_be_beyond_the_margin_with_certainty() -> None:
    half = t.ppf(0.95, 7) * math.sqrt(8 * 0.01 / 7) * math.sqrt(9 / 8)
    assert many(0.1, rival=0.5 + half + 0.001).answer == FOLLOWS
    assert many(0.1, rival=0.5 + half - 0.001).answer == CANNOT_TELL  # it fails the test of the log, but might pass


def test_a_log_far_off_departs_and_one_between_cannot_be_told() -> None:
    assert many(0.9).answer == DEPARTS
    assert many(0.45, seeds=2).answer == CANNOT_TELL
    half = t.ppf(0.95, 7) * math.sqrt(8 * 0.01 / 7) * math.sqrt(9 / 8)
    assert many(0.5 - half - 0.001).answer == FOLLOWS
    assert many(0.5 - half + 0.001).answer != FOLLOWS


def test_a_log_no_further_off_than_a_seed_of_ours_does_not_depart() -> None:
    steady = {str(n): case([0.0, 0.0], [0.1, 0.1], [-0.1, -0.1], [0.0, 0.0]) for n in range(60)}
    lone = case([0.0, 0.0], [1.5, 0.0], *([0.0, 0.0] for _ in range(30)))
    off = case([0.0, 0.9], [0.1, 0.1], [-0.1, -0.1], [0.0, 0.0])
    assert decide({**steady, "off": off}, [0.5])["off"].answer == DEPARTS
    together = decide({**steady, "off": off, "lone": lone}, [0.5])["off"]
    assert together.p is not None
    assert together.p < 0.05
    assert together.answer == CANNOT_TELL


def test_without_two_seeds_of_any_run_there_is_no_answer() -> None:
    found = decide({"run": case([0.0, 0.0], [0.0, 0.0], rival=[9.0, 9.0])}, [0.5])["run"]
    assert (found.answer, found.p, found.rank) == (CANNOT_TELL, None, None)
    assert "no run has two seeds" in found.why
    with_spread = decide({"run": case([0.0, 0.0], [0.0, 0.0], rival=[9.0, 9.0]), "other": SECOND}, [0.9])["run"]
    assert with_spread.answer == FOLLOWS
    assert with_spread.rank is None


def test_what_is_left_out_is_set_against_the_rest() -> None:
    curves = np.array([[1.0], [2.0], [6.0]])[..., None]
    expected = [abs(x - statistics.mean(rest)) / (2 * math.sqrt(1.5))
                for x, rest in [(1, (2, 6)), (2, (1, 6)), (6, (1, 2))]]  # fmt: skip
    assert left_out(curves, np.array([2.0])) == pytest.approx(expected)
    assert many(0.9).rank == 1
    assert many(0.0).rank == 9


def test_the_log_is_the_furthest_as_often_as_any_seed_would_be() -> None:
    draws = np.random.default_rng(5)
    trials, n = 3000, 3
    ranks = [
        decide({"run": Case((c := draws.standard_normal((n + 1, 2, 1)))[0], c[1:])}, [1.0])["run"].rank
        for _ in range(trials)
    ]
    firsts = sum(rank == 1 for rank in ranks)
    assert 0.001 < binom.cdf(firsts, trials, 1 / (n + 1)) < 0.999
    assert as_many_first(3, [2] * 10) == pytest.approx(binom.sf(2, 10, 1 / 3))
    assert as_many_first(0, [2, 3]) == 1
    assert as_many_first(2, [1, 4]) == pytest.approx(1 / 2 * 1 / 5)


def test_losses_are_compared_as_logarithms_and_accuracies_as_logits() -> None:
    table = pd.DataFrame({"epoch": [1, 0, 2], "train_loss": [1.0, math.e, 7.0], "test_accuracy": [0.75, 0.5, 0.1]})
    assert on_scale(table, RULE) == pytest.approx(np.array([[1, 0], [0, math.log(3)]]))
    assert on_scale(table[table["epoch"] != 0], RULE) is None
    assert on_scale(table.assign(test_accuracy=[None, 0.5, 0.1]), RULE) is None
    edge = on_scale(table.assign(test_accuracy=[1.0, 0.0, 0.1]), RULE)
    assert edge is not None
    assert np.isfinite(edge).all()


def log_of(paper: str = "mnist-rnn") -> pd.DataFrame:
    return load_author_log(PAPERS / paper)


def test_a_run_that_was_begun_follows_its_own_log_and_departs_from_another() -> None:
    offsets = (-0.03, -0.01, 0.02, 0.04)
    found = answers(beside(a=begun("elman", "elman", offsets), b=begun("lstm", "lstm-generalized", offsets)), log_of())
    assert {run: each.answer for run, each in found.items()} == {"elman": FOLLOWS, "lstm": DEPARTS}
    elman = found["elman"]
    assert (elman.epochs, elman.seeds, len(elman.rows)) == (10, 4, 20)
    assert elman.words.startswith("10 epochs, 4 seeds, T = ")
    assert elman.words.endswith("within the margin, and lstm beyond")
    first = elman.rows[0]
    log = log_of().query("run == 'elman' and epoch == 0")["train_loss_sum"].item()
    assert (first["epoch"], first["column"], first["log"]) == (0, "train_loss_sum", log)
    assert first["ours"] == pytest.approx(log * statistics.mean(math.exp(offset) for offset in offsets))
    assert summed_up(found)["answers"] == {FOLLOWS: 1, DEPARTS: 1, CANNOT_TELL: 0}
    assert summed_up(found)["ranked"] == 2


def test_a_seed_that_lacks_some_of_the_epochs_counts_nowhere() -> None:
    offsets = (-0.03, -0.01, 0.02, 0.04)
    more = begun("elman", "elman", (*offsets, 5.0))
    more = replace(more, curves=more.curves.query("seed < 4 or epoch <= 6"))
    four = begun("elman", "elman", offsets)
    found, without = (answers(beside(a=each), log_of())["elman"] for each in (more, four))
    assert found.seeds == 4
    assert found == without


def test_a_rival_without_a_log_is_ours() -> None:
    offsets = (-0.03, -0.01, 0.02, 0.04)
    same = beside(a=begun("elman", "elman", offsets), b=begun("elman-128", "elman", offsets))
    found = answers(same, log_of())
    assert list(found) == ["elman"]
    assert found["elman"].answer == CANNOT_TELL
    assert found["elman"].words.endswith("within the margin, but so may be elman-128")


def test_only_what_follows_the_recipe_counts() -> None:
    default = load_params(REPOSITORY / "params.yaml")
    assert answers(beside(a=begun("elman", "elman", (0.0, 0.1), default)), log_of()) == {}


def test_a_document_without_a_rule_or_without_our_epochs_has_no_answers() -> None:
    assert answers(beside(), log_of()) == {}
    paper = load_paper(PAPERS / "mnist-rnn").model_copy(update={"first_epochs": None})
    assert answers(Beside(paper, [], {}, FULL.energy, {"elman": begun("elman", "elman", (0.0, 0.1))}), log_of()) == {}


def test_mistakes_in_the_rule_are_named() -> None:
    raw = read_yaml(PAPERS / "mnist-rnn" / "paper.yaml")
    with pytest.raises(ValueError, match=r"first_epochs.rivals: unknown run 'gru'"):
        Paper.model_validate({**raw, "first_epochs": {**raw["first_epochs"], "rivals": {"elman": ["gru"]}}})
    wrong = Paper.model_validate({**raw, "first_epochs": {**raw["first_epochs"], "margins": {"train_losses": 0.1}}})
    with pytest.raises(StageError, match=r"margins has train_losses, which is no column of author_log.csv"):
        answers(Beside(wrong, [], {}, FULL.energy), log_of())


@pytest.mark.parametrize("paper", ["mnist-rnn", "recurnets"])
def test_every_run_of_a_log_has_a_rival_that_its_log_is_not_within_the_margin_of_by_itself(paper: str) -> None:
    rule = load_paper(PAPERS / paper).first_epochs
    assert rule is not None
    logged = set(load_author_log(PAPERS / paper)["run"])
    assert set(rule.rivals) == logged
    assert all(set(rivals) & logged for rivals in rule.rivals.values())


def test_simulated_logs_a_margin_off_rarely_follow_and_those_of_our_process_rarely_depart() -> None:
    trials, runs = 60, 25
    slack = 3 * math.sqrt(0.05 * 0.95 / (trials * runs))
    for seeds in (2, 3):
        assert rates(seeds, 1.0, runs=runs, everywhere=False, trials=trials)[FOLLOWS] < 0.05 + slack
        same = rates(seeds, 0.0, runs=runs, trials=trials)
        assert same[DEPARTS] < 0.01
        assert same[FOLLOWS] > 0.3
    assert rates(3, 0.0, runs=runs, rival=0.0, trials=trials)[FOLLOWS] == 0


def test_the_committed_simulation_keeps_what_the_report_says() -> None:
    rows = read_csv(RESULTS / "first-epochs.csv", FIRST_EPOCH_COLUMNS)
    assert (rows[rows["shift"] >= 1]["follows"] < 0.05).all()
    assert (rows[rows["shift"] == 0]["any_departs"] < 0.05).all()
    assert rows[["follows", "departs", "cannot_tell"]].sum(axis=1).to_numpy() == pytest.approx(np.ones(len(rows)))
    assert tuple(MARGINS) == tuple(load_paper(PAPERS / "mnist-rnn").first_epochs.margins.values())  # type: ignore[union-attr]


def test_the_page_shows_the_last_of_the_first_epochs_and_the_answer(tmp_path: Path) -> None:
    found = answers(beside(a=begun("elman", "elman", (-0.03, -0.01, 0.02, 0.04))), log_of())
    rows = [{key: str(value) for key, value in row.items()} for row in found["elman"].rows]
    source = '{% import "macros.html.j2" as m with context %}{% include "sections/first_epochs.html.j2" %}'
    paper = load_paper(PAPERS / "mnist-rnn")
    page = (
        environment()
        .from_string(source)
        .render(
            view=SimpleNamespace(first_epochs=rows),
            paper=paper,
            summary={"papers": {paper.id: {"first_epochs": summed_up(found)}}},
            home=".",
            folder="",
            revision=("abc",),
        )
    )
    assert '<th scope="row">elman</th><td>4</td>' in page
    assert "<td>10.36</td>" in page  # the log's train loss of epoch 10
    assert "<td>0.9455</td>" in page
    assert "<b>follows</b> <small>10 epochs, 4 seeds" in page
