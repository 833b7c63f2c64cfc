"""Confusion matrices and scores by class, which follow from the predictions, against scikit-learn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from stages.compare.class_scores import by_class
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.documents.paper import PAPERS, load_paper
from stages.learning.metrics import per_class
from stages.report.page import environment
from stages.report.views import MOST_CLASSES, RunView, run_views
from stages.results.cell_result import CellResult
from stages.results.read import Results, read_cell
from stages.splits.streams import numpy_stream
from tests.fake_results import write_cells, write_split
from tests.small import small_params

PARAMS = small_params(seeds=(0, 1, 2))
CELL = PARAMS.cell("digits-recurnet1-4")
SEEDS = CELL.recipe.seeds
SCORES = ("precision", "recall", "f1")


@pytest.fixture
def result(tmp_path: Path) -> CellResult:
    """A result of three seeds whose predictions are drawn, of all classes but the last."""
    write_cells(tmp_path, PARAMS, [CELL.key])
    draws = numpy_stream("class scores")
    columns = {name: draws.integers(0, 9, 200) for name in ("true", *(f"seed-{seed}" for seed in SEEDS))}
    return replace(read_cell(Layout(tmp_path), PARAMS, CELL), predicted=pd.DataFrame(columns))


def scikit_learns(result: CellResult) -> dict[str, np.ndarray]:
    """Precision, recall and F1 by class, (seeds, classes), and how many images each class has, (classes,)."""
    true, every = result.predicted["true"], []
    for seed in SEEDS:
        ours = result.predicted[f"seed-{seed}"]
        every.append(precision_recall_fscore_support(true, ours, labels=range(10), zero_division=0))
    scores = {name: np.array([each[number] for each in every]) for number, name in enumerate(SCORES)}
    return {**scores, "support": every[0][3]}


def view(result: CellResult) -> RunView:
    (made,) = run_views(load_paper(PAPERS / "recurnets"), Results((result,), (), ()), Layout(Path()))
    return made


def page(made: RunView) -> str:
    """What the report shows of a run."""
    text: str = environment().from_string('{% import "macros.html.j2" as m %}{{ m.run(item) }}').render(item=made)
    return text


def test_the_confusion_of_every_seed_is_scikit_learns(result: CellResult) -> None:
    true = result.predicted["true"]
    expected = [confusion_matrix(true, result.predicted[f"seed-{seed}"], labels=range(10)) for seed in SEEDS]
    np.testing.assert_array_equal(result.confusions(), expected)
    np.testing.assert_array_equal(result.confusion(), np.sum(expected, axis=0))


def test_the_confusion_of_a_result_has_every_image_once_and_the_right_ones_on_its_diagonal(tmp_path: Path) -> None:
    write_cells(tmp_path, PARAMS, [CELL.key])
    result = read_cell(Layout(tmp_path), PARAMS, CELL)
    for matrix, accuracy in zip(result.confusions(), result.values("test_accuracy"), strict=True):
        assert matrix.sum() == result.metrics.test_images
        assert np.trace(matrix) / matrix.sum() == pytest.approx(accuracy, abs=1e-12)


@pytest.mark.parametrize("score", SCORES)
def test_scores_by_class_of_many_matrices_at_once_are_scikit_learns(result: CellResult, score: str) -> None:
    found = by_class(result.confusions(), score)
    np.testing.assert_allclose(found, scikit_learns(result)[score], rtol=0, atol=1e-15)
    assert (found[:, 9] == 0).all()  # a class that neither occurs nor is predicted


@pytest.mark.parametrize("score", SCORES)
def test_training_and_comparing_score_classes_alike(score: str) -> None:
    matrices = numpy_stream("matrices").integers(0, 4, (50, 5, 5))
    for matrix, ours in zip(matrices, by_class(matrices, score), strict=True):
        np.testing.assert_array_equal(ours, per_class(matrix)[score])


def test_the_report_shows_the_confusion_of_all_seeds_and_the_mean_of_their_scores(result: CellResult) -> None:
    made, expected = view(result), scikit_learns(result)
    assert made.confusion == result.confusion().tolist()
    for label, row in enumerate(made.per_class):
        assert row["support"] == expected["support"][label]
        assert [row[name] for name in SCORES] == pytest.approx([expected[name][:, label].mean() for name in SCORES])
    lines = page(made).split('<tr><th scope="row">')[1:]
    assert len(lines) == 10
    for label, line in enumerate(lines):
        told = [f"<td>{expected[name][:, label].mean():.3f}</td>" for name in SCORES]
        assert "".join(told) in line


def test_a_run_of_many_classes_has_no_matrix_in_the_page_but_a_file_that_is_there(result: CellResult) -> None:
    many = replace(result, metrics=result.metrics.model_copy(update={"classes": MOST_CLASSES + 1}))
    made = view(many)
    assert (made.confusion, made.per_class) == (None, [])
    assert "21 classes: see <code>predicted.csv</code> among its results." in page(made)
    assert "<table" not in page(made)


@pytest.mark.parametrize("names", [["cat", "dog", "NA"], ["001", "002", "010"]])
def test_classes_are_called_as_their_split_calls_them(tmp_path: Path, names: list[str]) -> None:
    write_cells(tmp_path, PARAMS, [CELL.key])
    write_split(tmp_path, "digits")
    table = Layout(tmp_path).composition("digits") / "composition.csv"
    text = table.read_text()
    for label, name in enumerate(names):
        text = text.replace(f",{label},{label},", f",{label},{name},")
    table.write_text(text)
    result = read_cell(Layout(tmp_path), PARAMS, CELL)
    assert result.class_names() == [*names, *"3456789"]
    assert result.values("train_images_1") == (100,)


def test_classes_of_a_split_that_is_not_tabulated_are_their_labels(result: CellResult) -> None:
    assert result.composition is None
    assert result.class_names() == list("0123456789")


def test_a_damaged_table_of_a_split_is_named(tmp_path: Path) -> None:
    write_cells(tmp_path, PARAMS, [CELL.key])
    write_split(tmp_path, "digits")
    table = Layout(tmp_path).composition("digits") / "composition.csv"
    for old, new, said in ((",100,", ",many,", "column images holds something"), ("noisy", "loud", "no column noisy")):
        whole = table.read_text()
        table.write_text(whole.replace(old, new, 1))
        with pytest.raises(StageError, match=rf"composition\.csv.*{said}"):
            read_cell(Layout(tmp_path), PARAMS, CELL)
        table.write_text(whole)
