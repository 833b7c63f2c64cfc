import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.compare import Comparison, write_comparison
from stages.errors import StageError
from stages.headline import headline
from stages.layout import Layout
from stages.papers import METRICS, PAPERS, load_claims, load_paper
from stages.params import Params, load_params
from stages.results import read_cell, read_results
from tests.fake_results import write_cells

ROOT = Path(__file__).resolve().parents[1]
PLACE = ("mnist", "recurnet1", 4)
KEY = "mnist-recurnet1-4"
Rows = list[dict[str, str]]


@pytest.fixture
def reduced() -> Params:
    return load_params(ROOT / "params.yaml")


@pytest.fixture
def full() -> Params:
    return load_params(ROOT / "full" / "params.yaml")


@pytest.fixture
def compare(tmp_path: Path) -> Callable[[Params], Callable[[str], Rows]]:
    """Compare what lies in the temporary home; gives a reader of the tables written."""

    def run(params: Params) -> Callable[[str], Rows]:
        folder = PAPERS / "recurnets"
        paper = load_paper(folder)
        claims = load_claims(folder / "claims.csv", paper)
        layout = Layout(tmp_path)
        write_comparison(Comparison(paper, claims, read_results(layout, params)), layout.reports)

        def read(name: str) -> Rows:
            with (layout.reports / "tables" / f"{name}.csv").open(newline="") as stream:
                return list(csv.DictReader(stream))

        return read

    return run


def summary(home: Path) -> dict[str, object]:
    return json.loads((Layout(home).reports / "summary.json").read_text())


def test_a_full_run_gets_a_difference(tmp_path: Path, full: Params, compare) -> None:
    write_cells(tmp_path, full, [PLACE])
    row = next(row for row in compare(full)("table_5_3") if row["scale"] == "full run")
    assert (row["architecture"], row["depth"], row["accuracy_published"]) == ("recurnet1", "4", "0.98")
    ours = read_cell(Layout(tmp_path), full, full.cell(*PLACE)).mean("accuracy")
    assert float(row["accuracy_ours"]) == ours
    assert float(row["accuracy_difference"]) == ours - 0.98
    assert summary(tmp_path)["paper_cells"] == {"full run": 1, "reduced run": 0, "not run": 29}


def test_a_reduced_run_never_gets_a_difference(tmp_path: Path, reduced: Params, compare) -> None:
    places = [(d, a, n) for d in ("mnist", "svhn", "cifar10") for a in ("recurnet1", "recurnet2") for n in range(4, 9)]
    write_cells(tmp_path, reduced, places)
    read = compare(reduced)
    for name in ("table_5_1", "table_5_2", "table_5_3"):
        rows = read(name)
        assert [row["scale"] for row in rows] == ["reduced run"] * 10 + [""]
        assert not any(row[f"{metric}_difference"] for row in rows for metric in METRICS)
        assert all(row["accuracy_ours"] for row in rows[:10])
    assert {row["parameter"] for row in read("recipe_differences")} >= {"recipe.epochs", "options.width"}
    assert summary(tmp_path)["paper_cells"] == {"full run": 0, "reduced run": 30, "not run": 0}


def test_what_was_not_run_is_said(tmp_path: Path, full: Params, compare) -> None:
    read = compare(full)
    assert [row["scale"] for row in read("table_5_1")] == ["not run"] * 10 + [""]
    assert {row["scale"] for row in read("headline")} == {"not run"}
    assert read("cells") == []
    assert summary(tmp_path)["paper_cells"] == {"full run": 0, "reduced run": 0, "not run": 30}


def test_cited_models_stand_in_the_tables(full: Params, compare) -> None:
    last = compare(full)("table_5_1")[-1]
    assert (last["row"], last["parameters_published"], last["accuracy_published"]) == ("ViT-H/14", "632m", "0.95")


def test_seeds_are_averaged(tmp_path: Path, full: Params, compare) -> None:
    params = full.model_copy(deep=True)
    recipe = params.recurnets.recipe.model_copy(update={"seeds": (0, 1, 2)})
    params = params.model_copy(update={"recurnets": params.recurnets.model_copy(update={"recipe": recipe})})
    write_cells(tmp_path, params, [PLACE])
    row = next(row for row in compare(params)("table_5_3") if row["scale"] == "full run")
    seeds = json.loads((Layout(tmp_path).results(KEY) / "metrics.json").read_text())["seeds"]
    assert row["seeds"] == "3"
    assert float(row["accuracy_ours"]) == pytest.approx(sum(seed["accuracy"] for seed in seeds) / 3, abs=1e-15)


def test_a_stale_result_is_named_and_not_shown(tmp_path: Path, full: Params, reduced: Params, compare) -> None:
    write_cells(tmp_path, reduced, [PLACE])
    read = compare(full)
    assert read("cells") == []
    assert summary(tmp_path)["stale"] == [KEY]
    with pytest.raises(StageError, match="other parameters"):
        read_cell(Layout(tmp_path), full, full.cell(*PLACE))


def test_a_result_of_an_unknown_cell_is_stale(tmp_path: Path, reduced: Params, compare) -> None:
    write_cells(tmp_path, reduced, [("digits", "recurnet1", 4)])
    path = Layout(tmp_path).results("digits-recurnet1-4") / "run.json"
    path.write_text(path.read_text().replace('"dataset": "digits"', '"dataset": "gone"'))
    compare(reduced)
    assert summary(tmp_path)["stale"] == ["digits-recurnet1-4"]


def test_a_result_that_was_not_evaluated_is_named(tmp_path: Path, full: Params, compare) -> None:
    write_cells(tmp_path, full, [PLACE], evaluated=False)
    assert compare(full)("cells") == []
    assert summary(tmp_path)["not_evaluated"] == [KEY]
    with pytest.raises(StageError, match="evaluate the cell"):
        read_cell(Layout(tmp_path), full, full.cell(*PLACE))


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("run.json", lambda text: text[:40], "not valid JSON"),
        ("run.json", lambda text: text.replace("data_sha256", "data"), "key 'data_sha256'"),
        ("metrics.json", lambda text: text.replace('"macs": 3', '"macs": -3'), "key 'macs'"),
        ("curves.csv", lambda text: text[: len(text) // 2], "curves.csv"),
        ("curves.csv", lambda text: text.replace("test_accuracy", "accuracy"), "no column test_accuracy"),
        ("timing.csv", lambda text: "\n".join(text.splitlines()[:-1]), "has 199 rows"),
        ("timing.csv", lambda text: text.replace("0.25", "fast", 1), "not a number"),
        ("environment.json", lambda text: text.replace("torch", "tf"), "key 'torch'"),
        ("environment.json", None, "environment.json is missing"),
    ],
)
def test_damaged_files_are_named(
    tmp_path: Path, full: Params, name: str, damage: Callable[[str], str] | None, said: str
) -> None:
    write_cells(tmp_path, full, [PLACE])
    path = Layout(tmp_path).results(KEY) / name
    if damage is None:
        path.unlink()
    else:
        path.write_text(damage(path.read_text()))
    with pytest.raises(StageError) as error:
        read_results(Layout(tmp_path), full)
    assert str(path) in str(error.value)
    assert said in str(error.value)


def test_headline_is_flat_and_reads_one_cell_only(tmp_path: Path, full: Params) -> None:
    write_cells(tmp_path, full, [PLACE])
    other = Layout(tmp_path).results("mnist-recurnet1-5") / "run.json"
    other.parent.mkdir()
    other.write_text("damaged")
    numbers = headline(read_cell(Layout(tmp_path), full, full.cell(*PLACE)))
    assert len(numbers) == 8
    assert all(isinstance(number, int | float) for number in numbers.values())
    with pytest.raises(StageError, match="is missing"):
        read_cell(Layout(tmp_path), full, full.cell("mnist", "recurnet1", 6))
