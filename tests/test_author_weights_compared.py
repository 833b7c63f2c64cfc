"""What the authors' own weights give, beside the authors' log and what was printed: rows, answers, and the page."""

from __future__ import annotations

import csv
import io
import re

import pytest

from stages.compare.author_weights import author_weights_rows, decimals, equal_to, weights_rung
from stages.compare.columns import AUTHOR_WEIGHTS_COLUMNS
from stages.compare.side_by_side import Beside
from stages.compare.tables import judged
from stages.core.tables import csv_text
from stages.documents.claims import load_claims
from stages.documents.paper import PAPERS, load_paper
from stages.params import Energy, load_params
from stages.report.page import environment
from stages.results.records import Batches, WeightScores
from tests.small import REPOSITORY

PAPER = load_paper(PAPERS / "recurnets")
RECURNETS = load_claims(PAPERS / "recurnets" / "claims.csv", PAPER)


def scores_of(**changes: float) -> WeightScores:
    """What evaluating the weights of recurnets gave."""
    key = "mnist-recurnet1-4"
    cell = load_params(REPOSITORY / "full" / "params.yaml").cell(key)
    right = {"accuracy": 0.9896, "recall_weighted": 0.9896}
    rest = {"precision_weighted": 0.9896077217615311, "f1_weighted": 0.9895964061520336}
    macro = dict.fromkeys(("precision_macro", "recall_macro", "f1_macro"), 0.98)
    (weights,) = PAPER.author_weights
    about = {"id": weights.id, "sha256": weights.sha256, "run": key, "cell": cell.model_dump(mode="json")}
    norms = tuple(Batches(layer=layer, counted=93_600, expected=93_600) for layer in ("stem.2", "stem.6"))
    counts = {"images": 10_000, "right": 9896, "loss": 0.0313, "batches": norms}
    return WeightScores.model_validate({**about, **counts, **right, **rest, **macro, **changes})


def answers(scores: WeightScores) -> dict[str, object]:
    """The answer to every published number, by its column."""
    rows = author_weights_rows(Beside(PAPER, RECURNETS, {}, Energy(), weights=(scores,)))
    return {str(row["column"]): row["answer"] for row in rows}


def test_four_published_numbers_are_exactly_those_of_the_weights() -> None:
    assert answers(scores_of()) == dict.fromkeys(("Accuracy", "F-1 score", "Precision", "Recall"), "exact")


def test_on_the_ladder_weights_decide_what_only_the_log_would() -> None:
    rows = judged(Beside(PAPER, RECURNETS, {}, Energy(), weights=(scores_of(),))).ladder
    own = [row for row in rows if row["rung"] == "weights"]
    assert [(row["answer"], row["strongest"]) for row in own] == 4 * [("exact", True)]
    assert own[0]["words"] == "the authors' own weights give 0.9896: exact"
    (log,) = (row for row in rows if row["rung"] == "log" and row["id"] == own[0]["id"])
    assert log["strongest"] is False


def test_of_several_weights_of_a_run_the_exact_ones_count() -> None:
    others = scores_of(accuracy=0.9, recall_weighted=0.9)
    for weights in ((others, scores_of()), (scores_of(), others)):
        rung = weights_rung(Beside(PAPER, RECURNETS, {}, Energy(), weights=weights))
        assert {answer.answer for answer in rung.values()} == {"exact"}


def test_one_image_more_or_less_is_another_accuracy() -> None:
    for accuracy in (0.9895, 0.9897):
        found = answers(scores_of(accuracy=accuracy, recall_weighted=accuracy))
        assert (found["Accuracy"], found["Recall"], found["Precision"]) == ("differs", "differs", "exact")


def test_a_value_that_the_log_has_but_that_would_be_printed_otherwise_differs() -> None:
    claim = next(claim for claim in RECURNETS if claim.id == "T5.3-recurnet1-4-accuracy")
    printed = claim.model_copy(update={"published": "0.97", "value": 0.97})
    (row,) = author_weights_rows(Beside(PAPER, [printed], {}, Energy(), weights=(scores_of(),)))
    assert (row["equals_log"], row["printed_so"], row["answer"]) == (True, False, "differs")


def test_on_other_images_than_the_documents_there_is_no_answer() -> None:
    cell = scores_of().cell
    fewer = scores_of().model_copy(update={"cell": {**cell, "split": {**cell["split"], "test_first": 1000}}})
    rows = author_weights_rows(Beside(PAPER, RECURNETS, {}, Energy(), weights=(fewer,)))
    assert {(row["departs"], row["answer"]) for row in rows} == {("split.test_first", "")}


def test_scores_of_another_file_than_the_papers_are_not_shown() -> None:
    assert answers(scores_of().model_copy(update={"sha256": "0" * 64})) == {}


@pytest.mark.parametrize(
    ("log", "ours", "equal"),
    [
        (0.9896078, 0.9896077217615311, True),  # by way of the 32-bit number .98960775
        (0.9896079, 0.9896077217615311, False),
        (0.9895964, 0.9895964061520336, True),
        (0.9896, 0.9895999999999999, True),
        (0.9896, 0.98966, False),
        (12.0, 12.4, True),
        (12.0, 12.6, False),
    ],
)
def test_values_are_compared_to_the_decimals_that_the_log_has(log: float, ours: float, equal: bool) -> None:
    assert equal_to(log, ours, decimals(log)) is equal


def test_the_page_says_how_many_images_are_right_and_sets_every_number_beside_the_log() -> None:
    (weights,) = PAPER.author_weights
    rows = author_weights_rows(Beside(PAPER, RECURNETS, {}, Energy(), weights=(scores_of(),)))
    read_back = list(csv.DictReader(io.StringIO(csv_text(rows, AUTHOR_WEIGHTS_COLUMNS))))
    source = (
        '{% import "macros.html.j2" as m with context %}{% set home, folder = "full", "x/" %}'
        '{% include "sections/weights.html.j2" %}'
    )

    def page(shown: list[dict[str, str]]) -> str:
        view = {"author_weights": shown}
        text = environment().from_string(source).render(paper=PAPER, view=view, revision=("abc", "today"))
        return " ".join(re.sub("<[^>]+>", " ", text).replace("\N{NARROW NO-BREAK SPACE}", ",").split())

    made = page(read_back)
    assert weights.sha256 in made
    assert "9,896 of 10,000 test images are right. Each of its 2 batch normalisations has counted 93,600" in made
    assert "Table 5.3, Experiment-1, depth 4 Precision 0.99 0.9896078 0.9896077 exact" in made
    assert "not evaluated in this home" in page([])
