"""Full, reduced or not run: which departures from its document's recipe make a run a reduced one."""

from __future__ import annotations

from functools import cache

import pytest

from stages.cell import Cell
from stages.compare.scale import FULL, NOT_RUN, READING, REDUCED, differences, poorest, scale_of
from stages.documents.paper import PAPERS, Paper, load_paper, load_papers
from stages.params import Params, load_params
from tests import judged
from tests.small import REPOSITORY

paper, rnn, gru = (load_paper(PAPERS / name) for name in ("recurnets", "mnist-rnn", "cnn-gru"))

pytestmark = pytest.mark.slow


@cache
def full_params() -> Params:
    return load_params(REPOSITORY / "full" / "params.yaml")


@pytest.mark.parametrize("document", load_papers(), ids=lambda document: document.id)
def test_every_run_of_the_full_home_is_at_full_scale(document: Paper) -> None:
    params = full_params()
    ours = [key for key, run in params.named.items() if run.paper == document.id]
    for run in ours:
        assert differences(document, params.cell(run)) == {}, run
    if document.id == "recurnets" or not ours:  # a grid, and a document of which the default home has every run
        return
    listed = {run for run in (*document.runs, *document.variants) if "*" not in run}
    asked_for = {run for run in listed if run.startswith("imagenet-")}  # see tests/test_imagenet.py
    assert listed - asked_for <= set(ours)
    assert all(document.knows(run) for run in ours)


def test_every_named_run_belongs_to_a_document_and_is_reduced_by_default() -> None:
    papers = {document.id: document for document in load_papers()}
    for params in (full_params(), load_params(REPOSITORY / "params.yaml")):
        for key, run in params.named.items():
            document = papers[run.paper]
            assert document.knows(key)
            assert run.data in document.datasets or params.home == "."
            small = run.paper not in {other.paper for other in full_params().named.values()}
            assert (differences(document, params.cell(key)) == {}) == (params.home == "full" or small)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("recipe.epochs", 199),
        ("recipe.optimizer.momentum", 0.8),
        ("options.head_every_iterate", False),
        ("options.new_option", 3),
        ("split.train_first", 100),
        ("split.source", "digits"),
        ("transform.flip", False),
    ],
)
def test_any_other_value_makes_a_reduced_run(key: str, value: object) -> None:
    tree = full_params().cell("mnist-recurnet1-5").model_dump(mode="json")
    branch = tree
    *parents, leaf = key.split(".")
    for parent in parents:
        branch = branch[parent]
    branch[leaf] = value
    found = differences(paper, Cell.model_validate(tree))
    assert list(found) == [key]
    assert found[key][1] == value


def test_a_penalty_or_a_thinned_out_label_that_the_document_does_not_have_makes_a_reduced_run() -> None:
    tree = full_params().cell("lstm").model_dump(mode="json")
    tree["recipe"]["objective"]["irm"] = {"environments": "same_batch", "weight": 1.0}
    tree["split"]["fractions"] = {"3": 0.5}
    found = differences(rnn, Cell.model_validate(tree))
    assert found["split.fractions"] == ({}, {"3": 0.5})
    assert {key for key in found if key.startswith("recipe.objective.irm")}


def test_seeds_are_free_and_another_dataset_is_a_difference() -> None:
    tree = full_params().cell("mnist-recurnet1-5").model_dump(mode="json")
    tree["recipe"]["seeds"] = [3, 4]
    assert differences(paper, Cell.model_validate(tree)) == {}
    digits = load_params(REPOSITORY / "params.yaml").cell("digits-recurnet1-4")
    assert differences(paper, digits)["dataset"] == ("CIFAR-10, SVHN, MNIST", "digits")


def test_a_grid_of_a_study_is_free_in_what_it_varies_and_in_nothing_else() -> None:
    tree = full_params().cell("sensitivity-3-512").model_dump(mode="json")
    assert differences(gru, Cell.model_validate(tree)) == {}
    assert gru.run_title(Cell.model_validate(tree)) == "Proposed, 3 convolutions, 512 units"
    tree["options"]["width"] = 0.5
    assert differences(gru, Cell.model_validate(tree)) == {"options.width": (1.0, 0.5)}


def test_labels_as_published_are_a_difference_for_any_other_document() -> None:
    tree = full_params().cell("cnn-gru").model_dump(mode="json")
    tree["split"]["labels"] = "as_published"
    assert differences(gru, Cell.model_validate(tree)) == {"split.labels": ("(absent)", "as_published")}


def test_a_folder_that_is_not_all_of_imagenet_makes_a_reduced_run() -> None:
    cell = full_params().cell("cnn-gru")
    assert differences(gru, cell, (50_000, 10_000)) == {}
    tree = cell.model_dump(mode="json") | {"key": "imagenet-cnn-gru", "dataset": "imagenet"}
    small = differences(gru, Cell.model_validate(tree), (12, 6))
    assert small["images"] == ([1_281_167, 50_000], [12, 6])
    assert "images" not in differences(gru, Cell.model_validate(tree), (1_281_167, 50_000))


def test_what_needs_several_runs_has_the_scale_of_the_poorest() -> None:
    assert poorest([FULL, FULL]) == FULL
    assert poorest([FULL, REDUCED, FULL]) == REDUCED
    assert poorest([NOT_RUN, REDUCED, FULL]) == NOT_RUN
    assert poorest([READING, FULL]) == READING


def test_a_document_without_a_recipe_has_readings_instead_of_full_runs() -> None:
    result = judged.made()[judged.A]
    read = judged.PAPER.model_copy(update={"reading": True})
    assert (scale_of(judged.PAPER, result), scale_of(read, result)) == (FULL, READING)
    short = judged.with_seeds(result, 1, epochs=3)
    assert scale_of(judged.PAPER, short) == scale_of(read, short) == REDUCED
    assert scale_of(read, None) == NOT_RUN
    assert {document.id for document in load_papers() if document.reading} == {"recnet", "cnn-gru"}
