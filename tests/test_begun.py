"""Runs that are not complete show themselves: so many epochs of how many, on which machines, and no verdict."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd

from stages.compare.begun import begun_rows
from stages.compare.columns import BEGUN_COLUMNS
from stages.compare.first_epochs import table_of
from stages.params import load_params
from stages.report.page import environment
from stages.results.records import Part
from stages.results.started import _machines
from tests.beginnings import begun, beside
from tests.small import REPOSITORY


def test_a_seed_that_is_not_complete_has_a_row_with_its_last_epoch() -> None:
    made = replace(begun("elman", "elman", (0.0, 0.1)), machines={0: "abacus"})
    document = beside(a=made)
    first, second = begun_rows(document)
    assert set(first) == set(BEGUN_COLUMNS)
    told = [first[name] for name in ("run", "seed", "done", "epochs", "machines")]
    assert told == ["elman", 0, 10, 100, "abacus"]
    last = made.curves.query("seed == 1 and epoch == 9")
    assert (second["seed"], second["test_accuracy"]) == (1, last["test_accuracy"].item())
    assert not table_of(document, "elman").empty
    assert all(row["verdict"] == "not run" for row in document.claim_rows)


def test_what_does_not_follow_the_recipe_has_none() -> None:
    reduced = load_params(REPOSITORY / "params.yaml")
    assert begun_rows(beside(a=begun("elman", "elman", (0.0,), reduced))) == []


def test_machines_are_named_with_their_epochs_where_there_are_several() -> None:
    rows = pd.DataFrame(
        {
            "seed": [0, 0, 0, 1],
            "device_name": ["abacus", "abacus", "loom", "loom"],
            "torch": ["2.1", "2.1", "2.1", "2.2"],
        }
    )
    assert _machines(rows) == {
        0: "abacus, torch 2.1 (epochs 1 to 2), then loom, torch 2.1 (epochs 3 to 3)",
        1: "loom, torch 2.2",
    }


def test_the_page_says_how_far_a_run_is() -> None:
    found = begun_rows(beside(a=begun("elman", "elman", (0.0,))))
    rows = [{key: str(value) for key, value in row.items()} for row in found]
    source = '{% import "macros.html.j2" as m with context %}{% include "sections/ours.html.j2" %}'
    about = {"home": ".", "folder": "", "revision": ("abc",)}
    page = environment().from_string(source).render(view=SimpleNamespace(cells=[], begun=rows), **about)
    assert ">10 of 100 epochs<" in page
    assert "No verdict comes from them" in page
    assert " of 100 epochs" not in environment().from_string(source).render(
        view=SimpleNamespace(cells=[], begun=[]), **about
    )


def test_parts_of_run_json_may_say_more_than_is_shown() -> None:
    assert Part.model_validate({"epoch": 2, "step": 4, "device_name": "loom", "torch": "2.1", "threads": 1}).epoch == 2
