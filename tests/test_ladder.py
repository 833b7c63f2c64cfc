"""For every published number the strongest evidence there is, in words that do not overstate it."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from stages.compare.columns import TableRow
from stages.compare.contradictions import Found
from stages.compare.counted import LABEL_COUNTS, counted
from stages.compare.ladder import RUNGS, Answer, ladder_counts, ladder_rows, run_answer
from stages.compare.side_by_side import Beside
from stages.compare.tables import judged
from stages.core.tables import read_csv
from stages.documents.claims import Claim, load_claims
from stages.documents.paper import PAPERS, Paper, load_papers
from stages.params import Energy
from stages.results.metric import Metric
from stages.splits.facts import OFFICIAL

SHARED = Path(__file__).parents[2] / "shared" / "datasets"
DOCUMENTS = {paper.id: paper for paper in load_papers()}


def beside(paper: Paper, claims: list[Claim] | None = None) -> Beside:
    """A document beside nothing of ours."""
    own = load_claims(PAPERS / paper.id / "claims.csv", paper) if claims is None else claims
    return Beside(paper, own, {}, Energy())


def claim(number: str, **changes: object) -> Claim:
    about = {
        "id": number, "table": "5.1", "row": "depth 4", "column": "Accuracy", "run": "cifar10-recurnet1-4",
        "metric": "test_accuracy", "published": "0.81", "value": 0.81, "unit": "fraction", "precision": 0.01,
        "rounding": "floored", "margin": 0.02, "better": "higher",
    }  # fmt: skip
    return Claim.model_validate({**about, **changes})


def rungs(claims: list[Claim], **rest: object) -> dict[str, list[tuple[str, str, bool]]]:
    """By claim what each rung says, and whether it decides."""
    rows = ladder_rows(beside(DOCUMENTS["recurnets"], claims), rest.get("found", ()), {}, rest.get("more", ()))  # type: ignore[arg-type]
    said: dict[str, list[tuple[str, str, bool]]] = {}
    for row in rows:
        said.setdefault(str(row["id"]), []).append((str(row["rung"]), str(row["answer"]), bool(row["strongest"])))
    return said


@pytest.mark.parametrize(("logged", "answer"), [(0.8142, "agrees"), (0.8099, "contradicts"), (0.82, "contradicts")])
def test_a_log_agrees_if_its_last_value_can_be_printed_so(logged: float, answer: str) -> None:
    assert rungs([claim("a", author_log=logged)]) == {"a": [("log", answer, True)]}


def test_stronger_evidence_decides_and_weaker_stays_to_be_seen() -> None:
    found = [Found("repeated row", "there", "copied.", ("a", "b"), ("a",))]
    weights = {"a": Answer("weights", "exact", "exactly so")}
    said = rungs([claim("a", author_log=0.8142), claim("b")], found=found, more=[weights])
    assert said == {"a": [("document", "copied", False), ("log", "agrees", False), ("weights", "exact", True)]}


@pytest.mark.parametrize("answer", ["inconclusive", "cannot tell"])
def test_what_cannot_tell_does_not_decide(answer: str) -> None:
    epochs = {"a": Answer("first epochs", answer, "")}
    assert rungs([claim("a", author_log=0.8142)], more=[epochs])["a"] == [
        ("log", "agrees", True),
        ("first epochs", answer, False),
    ]


@pytest.mark.parametrize("answer", ["follows", "departs"])
def test_how_a_training_begins_decides_nothing_that_other_evidence_has_decided(answer: str) -> None:
    epochs = {name: Answer("first epochs", answer, "") for name in ("a", "b")}
    assert rungs([claim("a", author_log=0.7), claim("b")], more=[epochs]) == {
        "a": [("log", "contradicts", True), ("first epochs", answer, False)],
        "b": [("first epochs", answer, True)],
    }


def test_a_number_that_two_runs_read_is_decided_once_by_the_stronger_evidence() -> None:
    claims = [claim("a", author_log=0.8142), claim("b", same_as="a", run="cifar10-recurnet1-5")]
    assert rungs(claims, more=[{"b": Answer("weights", "differs", "")}]) == {
        "a": [("log", "agrees", False)],
        "b": [("weights", "differs", True)],
    }
    rows = ladder_rows(beside(DOCUMENTS["recurnets"], claims), (), {})
    assert ladder_counts(rows, claims) == {
        "numbers": [{"rung": "log", "answer": "agrees", "numbers": 1}],
        "distinct": 1,
        "open": 0,
        "reached": [{"rung": "log", "answer": "agrees", "claims": 1}],
    }


def test_a_model_that_is_cited_only_is_no_number_of_the_document() -> None:
    claims = [claim("a", run=None, author_log=0.8142)]
    rows = ladder_rows(beside(DOCUMENTS["recurnets"], claims), (), {})
    assert (rows, ladder_counts(rows, claims)["distinct"]) == ([], 0)


@pytest.mark.parametrize(("printed", "answer"), [("592", "agrees"), ("591", "contradicts"), ("593", "contradicts")])
def test_a_count_that_is_printed_in_full_is_right_or_wrong_by_one(printed: str, answer: str) -> None:
    about = {
        "unit": "count",
        "precision": 1,
        "rounding": None,
        "margin": 0,
        "better": "equal",
        "run": "lstm-unbalanced",
    }
    one = claim("a", table="III", metric="train_images_0", published=printed, value=float(printed), **about)
    (row,) = ladder_rows(beside(DOCUMENTS["mnist-rnn"], [one]), (), {})
    assert (row["answer"], row["value"]) == (answer, 592)


def test_thinned_out_labels_are_counted_by_the_floor_of_their_share() -> None:
    """By hand: 0.1 of 5923, 6742, 5958, 6131 and 5842 images, floored, and all of the others."""
    paper = DOCUMENTS["mnist-rnn"]
    by_label = [counted(paper, "lstm-unbalanced", Metric("images", "train", label=label), {}) for label in range(10)]
    assert by_label == [592, 674, 595, 613, 584, 5421, 5918, 6265, 5851, 5949]
    assert counted(paper, "lstm-unbalanced", Metric("images", "train"), {}) == sum(map(int, map(str, by_label)))
    assert counted(paper, "lstm", Metric("images"), {}) == 70_000


@pytest.mark.parametrize("run", ["lstm-augmented", "gunn"])
def test_what_the_recipe_alone_does_not_decide_is_not_counted(run: str) -> None:
    paper = DOCUMENTS["gunn" if run == "gunn" else "mnist-rnn"]
    assert counted(paper, run, Metric("images", "train"), {}) is None


def test_label_counts_make_the_official_totals() -> None:
    table = read_csv(LABEL_COUNTS, ("dataset", "part", "label", "images"))
    for (dataset, part), rows in table.groupby(["dataset", "part"]):
        facts = OFFICIAL[str(dataset)]
        assert rows["images"].sum() == facts.counts[part == "test"]
        assert rows["label"].tolist() == list(range(len(facts.classes)))


@pytest.mark.skipif(not SHARED.is_dir(), reason="no official files beside the repository")
@pytest.mark.parametrize(("part", "file"), [("train", "train"), ("test", "t10k")])
def test_label_counts_are_those_of_the_official_files(part: str, file: str) -> None:
    packed = SHARED / "mnist" / f"{file}-labels-idx1-ubyte.gz"
    labels = np.frombuffer(gzip.decompress(packed.read_bytes()), np.uint8, offset=8)
    table = read_csv(LABEL_COUNTS, ("dataset", "part", "label", "images"))
    assert (
        table[(table["dataset"] == "mnist") & (table["part"] == part)]["images"].tolist()
        == np.bincount(labels).tolist()
    )


def test_without_any_run_most_published_numbers_have_an_answer() -> None:
    """Each figure from another source: 180 logged values, 30 + 24 + 1 counts, 2 rows copied, 1 number impossible."""
    said, numbers, still_open = Counter[tuple[str, str]](), 0, 0
    for paper in DOCUMENTS.values():
        document = judged(beside(paper))
        counts = ladder_counts(document.ladder, document.beside.claims)
        said.update({(one["rung"], one["answer"]): one["claims"] for one in counts["reached"]})  # type: ignore[attr-defined]
        numbers, still_open = numbers + int(str(counts["distinct"])), still_open + int(str(counts["open"]))
    claims = [one for paper in DOCUMENTS.values() for one in load_claims(PAPERS / paper.id / "claims.csv", paper)]
    logged = [one for one in claims if one.author_log is not None]
    assert said["log", "agrees"] + said["log", "contradicts"] == len(logged)
    assert said["counted", "agrees"] + said["counted", "contradicts"] == sum(
        one.metric.counted and one.run is not None for one in claims
    )
    assert said["document", "impossible"] == 2
    assert said["document", "copied"] == 8
    assert numbers == len({one.number for one in claims if one.run is not None})
    assert numbers - still_open > 0.8 * numbers


@pytest.mark.parametrize(
    ("margin", "plausible", "answer"),
    [(None, "yes", "plausible"), (None, "", "inconclusive"), (0.02, "yes", "inconclusive")],
)
def test_only_a_number_without_a_margin_is_answered_by_being_plausible(
    margin: float | None, plausible: str, answer: str
) -> None:
    row: TableRow = {"scale": "full run", "verdict": "inconclusive", "seeds": 3, "plausible": plausible, "ours": 0.7}
    found = run_answer(claim("a", margin=margin), row)
    assert found is not None
    assert (found.answer, found.decides) == (answer, answer == "plausible")


def test_rungs_are_in_order_of_strength() -> None:
    assert RUNGS == ("document", "counted", "log", "weights", "first epochs", "run")
