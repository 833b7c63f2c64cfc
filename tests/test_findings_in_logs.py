"""Contradictions between a document and its authors' log, in cases made by hand."""

import pandas as pd
import pytest

from stages.compare.contradictions import Found, found
from stages.documents.paper import PAPERS, load_paper
from tests.made_up_claims import block, claim, find, rules


def test_a_logged_value_that_would_be_printed_otherwise_is_found() -> None:
    logs = {0: "0.82 0.816 0.815 0.8049", 1: "0.8299 0.825 0.815 0.82"}
    (finding,) = find(block("1", "X", "0.81 0.82 0.82 0.81", "0.82 0.82 0.82 0.82", logs=logs))
    assert (finding.rule, finding.where) == ("table against log", "Table 1, X, row 0")
    assert finding.finding == (
        "The log ends at other values: "
        "Accuracy 0.82 (floored 0.82, printed 0.81), Recall 0.8049 (rounded 0.80, printed 0.81)."
    )
    (finding,) = find([claim("test_accuracy", "81.6%", rounding=None, author_log=0.8171)])
    assert finding.finding == "The log ends at other values: Accuracy 81.71% (printed 81.6%)."
    assert rules(find([claim("test_accuracy", "81.6%", rounding=None, author_log=0.817)])) == ["table against log"]
    assert find([claim("test_accuracy", "81.6%", rounding=None, author_log=0.8169)]) == []


@pytest.mark.parametrize(
    ("rounding", "logged", "shown"),
    [
        ("rounded", 0.8051, "0.8051 (rounded 0.81, printed 0.70)"),
        ("rounded", 0.8049, "0.8049 (rounded 0.80, printed 0.70)"),
        ("floored", 0.8099, "0.8099 (floored 0.80, printed 0.70)"),
        ("rounded", 0.0, "0 (rounded 0.00, printed 0.70)"),
    ],
)
def test_a_logged_value_is_shown_as_it_would_have_been_printed(rounding: str, logged: float, shown: str) -> None:
    (finding,) = find([claim("test_accuracy", "0.70", rounding=rounding, author_log=logged)])
    assert finding.finding == f"The log ends at other values: Accuracy {shown}."


def test_rows_that_differ_from_their_logs_are_told_row_by_row() -> None:
    logs = {0: "0.81 0.82 0.82 0.83", 1: "0.82 0.83 0.82 0.82"}
    found_rows = find(block("1", "X", "0.81 0.82 0.82 0.82", "0.82 0.82 0.82 0.82", logs=logs))
    assert [(finding.where, finding.finding.partition(": ")[2]) for finding in found_rows] == [
        ("Table 1, X, row 0", "Recall 0.83 (rounded 0.83, printed 0.82)."),
        ("Table 1, X, row 1", "F1 0.83 (rounded 0.83, printed 0.82)."),
    ]


def test_logs_shorter_than_the_recipe_are_one_finding() -> None:
    runs = {"svhn-recurnet1-5": 106, "svhn-recurnet1-6": 200, "mnist-recurnet2-4": 186}
    log = pd.DataFrame(
        [(run, epoch) for run, epochs in runs.items() for epoch in range(epochs)], columns=["run", "epoch"]
    )
    (finding,) = find([claim("test_accuracy", "0.92", run="svhn-recurnet1-5")], log)
    assert (finding.rule, finding.where) == ("log too short", "Logs")
    assert finding.finding == (
        "Logs that end before the recipe does: Table 1, A (106 of 200 epochs); mnist-recurnet2-4 (186 of 200 epochs)."
    )


def test_a_log_is_as_long_as_the_recipe_of_its_own_run() -> None:
    paper = load_paper(PAPERS / "gunn")
    log = pd.DataFrame([(run, epoch) for run in ("gunn", "gunn15") for epoch in range(100)], columns=["run", "epoch"])
    (finding,) = found(paper, [], log, [], {}, {})
    assert finding == Found(
        "log too short", "Logs", "Logs that end before the recipe does: gunn15 (100 of 300 epochs).", ()
    )
