"""Of a document with thousands of runs the page shows some: its own, then the most accurate ones."""

from stages.documents.paper import PAPERS, load_paper
from stages.report.foremost import MOST, commonest, foremost

PAPER = load_paper(PAPERS / "mnist-rnn")


def cells(count: int) -> list[dict[str, str]]:
    """The document's own run among others, of which each is better than the one before; their accuracies are text."""
    made = [{"key": f"tiny-{number}", "test_accuracy": str(number / count)} for number in range(count)]
    return [*made[:3], {"key": "lstm", "test_accuracy": "0.0"}, *made[3:]]


def test_as_many_as_the_page_has_room_for_are_shown_as_they_are() -> None:
    assert foremost(PAPER, cells(MOST - 1)) == cells(MOST - 1)


def test_of_more_the_documents_own_and_the_best_are_shown_in_their_order() -> None:
    shown = [row["key"] for row in foremost(PAPER, cells(2 * MOST))]
    assert shown == ["lstm", *(f"tiny-{number}" for number in range(MOST + 1, 2 * MOST))]


def test_of_too_many_differences_those_of_most_runs_are_shown() -> None:
    of_one = [{"parameter": f"lr-{number}", "cells": f"tiny-{number}"} for number in range(2 * MOST)]
    of_all = {"parameter": "epochs", "cells": "tiny-0 tiny-1"}
    assert commonest([*of_one, of_all]) == [of_all, *of_one[: MOST - 1]]
    assert commonest(of_one[:MOST]) == of_one[:MOST]
