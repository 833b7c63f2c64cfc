"""Claims of all documents: what is better, what a printed number stands for, and claims in words."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from pydantic import ValidationError

from stages.documents.claims import Claim, load_claims
from stages.documents.paper import PAPERS, load_papers
from stages.documents.statement import Statement

DOCUMENTS = load_papers()
CLAIMS = {document.id: load_claims(PAPERS / document.id / "claims.csv", document) for document in DOCUMENTS}


@pytest.mark.parametrize("document", CLAIMS)
def test_what_is_better_follows_from_the_metric(document: str) -> None:
    for claim in CLAIMS[document]:
        if re.search("parameters|images|classes", name := str(claim.metric)):
            assert claim.better == "equal", claim.id
        else:
            assert claim.better == ("lower" if re.search("loss|error", name) else "higher"), claim.id


@pytest.mark.parametrize(
    ("rounding", "low", "high"), [("floored", 0.81, 0.82), ("rounded", 0.805, 0.815), ("", 0.80, 0.82)]
)
def test_a_printed_number_stands_for_all_that_are_printed_so(rounding: str, low: float, high: float) -> None:
    values = dict.fromkeys(Claim.model_fields, "") | {
        "metric": "test_accuracy", "published": "81%", "value": "0.81", "unit": "fraction", "precision": "0.01",
        "rounding": rounding, "better": "higher",
    }  # fmt: skip
    found = Claim.model_validate(values).printed_range()
    assert found == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))
    ways = {"floored": (math.floor,), "rounded": (round,), "": (math.floor, math.ceil)}[rounding]
    for percent in np.arange(79.05, 83, 0.1).tolist():
        inside = found[0] < percent / 100 < found[1]
        assert inside == any(way(percent) == 81 for way in ways)


@pytest.mark.parametrize(
    ("published", "precision", "rounding", "off"),
    [("592", 1, "", 0), ("772,686", 1, "", 0), ("0.136m", 1000, "rounded", 500), ("0.136m", 1000, "", 1000)],
)
def test_a_count_is_exact_unless_digits_of_it_are_not_printed(
    published: str, precision: int, rounding: str, off: int
) -> None:
    value = {"592": 592, "772,686": 772_686, "0.136m": 136_000}[published]
    values = dict.fromkeys(Claim.model_fields, "") | {
        "metric": "images", "published": published, "value": str(value), "unit": "count", "precision": str(precision),
        "rounding": rounding, "better": "equal",
    }  # fmt: skip
    assert Claim.model_validate(values).printed_range() == (value - off, value + off)


def test_logged_numbers_could_have_been_printed_so_unless_a_note_says_otherwise() -> None:
    logged = [claim for table in CLAIMS.values() for claim in table if claim.author_log is not None and not claim.note]
    assert len(logged) > 150
    for claim in logged:
        low, high = claim.printed_range()
        assert low - 1e-9 <= claim.author_log <= high + 1e-9, claim.id


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"measure": "epochs", "second": "elman"}, "needs column and level"),
        ({"measure": "epochs", "column": "train_accuracy", "level": 0.99}, "needs a second run"),
        ({"measure": "accuracy"}, "needs a second run, or a level"),
        ({"measure": "accuracy", "second": "elman", "level": 0.9}, "needs a second run, or a level"),
        ({"measure": "spread", "claimed": "equal"}, "a claim of equality, and no other, has a margin"),
        ({"measure": "spread", "margin": 0.02}, "a claim of equality, and no other, has a margin"),
        ({"measure": "spread", "claimed": "equal", "margin": 0.02, "second": "elman"}, "is of first alone"),
        ({"measure": "spread"}, "spread that is claimed greater needs a second run"),
        ({"measure": "trend", "second": "elman"}, "trend that is claimed greater is of first alone"),
        ({"measure": "gap"}, "gap that is claimed greater needs a second run"),
        ({"measure": "accuracy", "second": "elman", "amount": 0.02}, "has a margin and maybe an amount"),
        ({"measure": "accuracy", "second": "elman", "cited": "T1"}, "cited goes with the level"),
        ({"measure": "accuracy", "second": "elman", "other_labels": [5]}, "other_labels with labels"),
    ],
)
def test_a_statement_that_cannot_be_tested_is_an_error(fields: dict[str, object], said: str) -> None:
    about = {"id": "s", "where": "", "text": "", "first": "lstm", "claimed": "greater"}
    with pytest.raises(ValidationError, match=said):
        Statement.model_validate(about | fields)
