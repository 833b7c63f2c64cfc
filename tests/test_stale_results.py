"""Results that are not compared: of other parameters, of unknown cells, not evaluated, damaged; and the headline."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.headline import headline
from stages.params import Params
from stages.results.read import read_cell, read_results
from tests.compared import KEY, summary
from tests.fake_results import write_cells

pytest_plugins = ("tests.comparing",)

pytestmark = pytest.mark.slow


def test_a_stale_result_is_named_and_not_shown(tmp_path: Path, full: Params, reduced: Params, compare) -> None:
    write_cells(tmp_path, reduced, [KEY])
    read = compare(full)
    assert read("cells") == []
    assert summary(tmp_path)["stale"] == [KEY]
    with pytest.raises(StageError, match="other parameters"):
        read_cell(Layout(tmp_path), full, full.cell(KEY))


def test_a_result_of_an_unknown_cell_is_stale(tmp_path: Path, reduced: Params, compare) -> None:
    write_cells(tmp_path, reduced, ["digits-recurnet1-4"])
    path = Layout(tmp_path).training(reduced.cell("digits-recurnet1-4")) / "run.json"
    path.write_text(path.read_text().replace('"key": "digits-', '"key": "gone-'))
    compare(reduced)
    assert summary(tmp_path)["stale"] == ["digits-recurnet1-4"]


def test_a_result_that_does_not_lie_at_the_address_of_its_cell_is_stale(
    tmp_path: Path, reduced: Params, compare
) -> None:
    write_cells(tmp_path, reduced, ["resnet1"])
    folder = Layout(tmp_path).training(reduced.cell("resnet1"))
    assert [row["key"] for row in compare(reduced)("cells", "recnet")] == ["resnet1"]
    folder.rename(folder.parents[1] / "resnet1")  # as if it were no cell of a study
    assert compare(reduced)("cells", "recnet") == []
    assert summary(tmp_path)["stale"] == ["resnet1"]


def test_a_result_that_was_not_evaluated_is_named(tmp_path: Path, full: Params, compare) -> None:
    write_cells(tmp_path, full, [KEY], evaluated=False)
    assert compare(full)("cells") == []
    assert summary(tmp_path)["not_evaluated"] == [KEY]
    with pytest.raises(StageError, match="evaluate the cell"):
        read_cell(Layout(tmp_path), full, full.cell(KEY))


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("run.json", lambda text: text[:40], "not valid JSON"),
        ("run.json", lambda text: text.replace("data_sha256", "data"), "key 'data_sha256'"),
        ("metrics.json", lambda text: text.replace('"macs": 3', '"macs": -3'), "key 'macs'"),
        ("curves.csv", lambda text: text[: len(text) // 2], "curves.csv"),
        ("curves.csv", lambda text: text.replace("test_accuracy", "accuracy"), "no column test_accuracy"),
        ("timing.csv", lambda text: "\n".join(text.splitlines()[:-1]), "has 199 rows"),
        ("class_curves.csv", lambda text: "\n".join(text.splitlines()[:-1]), "has 1999 rows"),
        ("predicted.csv", lambda text: "\n".join(text.splitlines()[:-1]), "has 999 rows where 1000"),
        ("predicted.csv", lambda text: text.replace("seed-0", "seed-1"), "no column seed-0"),
        ("predicted.csv", lambda text: text.replace("\n9,", "\nnine,", 1), "not a number"),
        ("predicted.csv", lambda text: text.replace("\n9,", "\n10,", 1), "labels 0 to 9"),
        ("predicted.csv", lambda text: text.replace("\n9,", "\n-1,", 1), "labels 0 to 9"),
        ("predicted.csv", lambda text: text.replace("\n9,", "\n8.5,", 1), "labels 0 to 9"),
        ("timing.csv", lambda text: text.replace("0.25", "fast", 1), "not a number"),
        ("environment.json", lambda text: text.replace("torch", "tf"), "key 'seeds.0.torch'"),
        ("environment.json", lambda text: text.replace('"0"', '"1"'), "has no seed 0"),
        ("environment.json", None, "environment.json is missing"),
        ("metrics.json", lambda text: text.replace('"nll"', '"nil"'), "key 'seeds.0.nll'"),
        ("metrics.json", lambda text: text.replace('"ece": 0.05', '"ece": 1.05'), "key 'seeds.0.ece'"),
        ("latency.json", lambda text: text.replace("1.5", "0"), "key 'milliseconds'"),
        ("latency.json", None, "latency.json is missing"),
        ("calibration.csv", lambda text: text.replace("confidence", "trust"), "no column confidence"),
        ("calibration.csv", lambda text: text.replace("0.96", "high", 1), "not a number"),
    ],
)
def test_damaged_files_are_named(
    tmp_path: Path, full: Params, name: str, damage: Callable[[str], str] | None, said: str
) -> None:
    write_cells(tmp_path, full, [KEY])
    (path,) = Layout(tmp_path).results.rglob(name)
    if damage is None:
        path.unlink()
    else:
        path.write_text(damage(path.read_text()))
    with pytest.raises(StageError) as error:
        read_results(Layout(tmp_path), full)
    assert str(path) in str(error.value)
    assert said in str(error.value)


def test_headline_is_flat_and_reads_one_cell_only(tmp_path: Path, full: Params) -> None:
    write_cells(tmp_path, full, [KEY])
    other = Layout(tmp_path).training(full.cell("mnist-recurnet1-5")) / "run.json"
    other.parent.mkdir()
    other.write_text("damaged")
    numbers = headline(read_cell(Layout(tmp_path), full, full.cell(KEY)))
    assert len(numbers) == 8
    assert all(isinstance(number, int | float) for number in numbers.values())
    with pytest.raises(StageError, match="is missing"):
        read_cell(Layout(tmp_path), full, full.cell("mnist-recurnet1-6"))


def test_a_run_of_a_document_without_a_folder_is_named(tmp_path: Path, full: Params, compare: Any) -> None:
    run = full.runs["lstm"].model_copy(update={"paper": "lost"})
    lost = full.model_copy(update={"runs": {"lstm": run}, "explanations": {}})
    write_cells(tmp_path, lost, ["lstm"])
    with pytest.raises(StageError, match=r"lost/paper\.yaml is missing, and lstm is a run of that paper"):
        compare(lost)
