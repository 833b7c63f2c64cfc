"""What comparing writes: the tables of every document, and the summary."""

import csv
import json
from pathlib import Path

import pytest

from stages.core.layout import Layout
from stages.params import Params
from stages.results.read import read_cell
from tests.compared import KEY, Rows, summary
from tests.fake_results import write_cells

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("unbalanced", "augmented", "generalized", "combined")
ENDS = (("low", -1), ("high", 1))  # of a target, and where its margin leads

pytest_plugins = ("tests.comparing",)

pytestmark = pytest.mark.slow


def runs(home: Path, paper: str = "recurnets") -> dict[str, int]:
    return summary(home)["papers"][paper]["runs"]


def claim(rows: Rows, run: str, metric: str) -> dict[str, str]:
    return next(row for row in rows if row["run"] == run and row["metric"] == metric)


def test_a_full_run_gets_a_difference(tmp_path: Path, full: Params, compare) -> None:
    write_cells(tmp_path, full, [KEY])
    row = claim(compare(full)("claims"), KEY, "test_accuracy")
    assert (row["table"], row["published"], row["scale"]) == ("5.3", "0.98", "full run")
    ours = read_cell(Layout(tmp_path), full, full.cell(KEY)).mean("test_accuracy")
    assert float(row["ours"]) == ours
    assert float(row["difference"]) == ours - 0.98
    assert float(row["low"]) < ours < float(row["high"])
    assert (row["basis"], row["reason"]) == ("assumed", "1 seed, spread assumed")
    assert row["verdict"] in {"match", "better", "worse", "inconclusive"}
    assert (row["target"], float(row["target_low"])) == ("log", float(row["log"]))
    assert runs(tmp_path) == {"full run": 1, "our reading": 0, "reduced run": 0, "not run": 29}


def test_a_reduced_run_never_gets_a_difference(tmp_path: Path, reduced: Params, compare) -> None:
    names = ("recurnet1", "recurnet2")
    keys = [f"{d}-{a}-{n}" for d in ("mnist", "svhn", "cifar10") for a in names for n in range(4, 9)]
    write_cells(tmp_path, reduced, [*keys, *reduced.runs])
    read = compare(reduced)
    for paper in ("recurnets", "mnist-rnn"):
        rows = [row for row in read("claims", paper) if row["run"]]
        assert {row["scale"] for row in rows} == {"reduced run"}
        assert not any(row["difference"] for row in rows)
        assert {(row["verdict"], row["reason"]) for row in rows} == {("not run", "reduced run")}
        assert all(row["ours"] for row in rows if "images" not in row["metric"])
    assert {row["outcome"] for row in read("statements", "mnist-rnn")} == {"reduced run"}
    assert {row["parameter"] for row in read("recipe_differences")} >= {"recipe.epochs", "options.width"}
    assert runs(tmp_path) == {"full run": 0, "our reading": 0, "reduced run": 30, "not run": 0}
    assert runs(tmp_path, "mnist-rnn") == {"full run": 0, "our reading": 0, "reduced run": 6, "not run": 0}


def test_what_was_not_run_is_said(tmp_path: Path, full: Params, compare) -> None:
    read = compare(full)
    claims = [row for row in read("claims") if row["run"]]
    assert {(row["scale"], row["verdict"], row["reason"], row["ours"]) for row in claims} == {
        ("not run", "not run", "", "")
    }
    assert {row["scale"] for row in read("headline")} == {"not run"}
    assert {row["outcome"] for row in read("statements", "mnist-rnn")} == {"not run"}
    assert read("cells") == []
    assert runs(tmp_path) == {"full run": 0, "our reading": 0, "reduced run": 0, "not run": 30}


def test_cited_models_stand_in_the_tables(full: Params, compare) -> None:
    last = [row for row in compare(full)("claims") if row["table"] == "5.1"][-1]
    assert (last["run"], last["scale"], last["ours"], last["difference"]) == ("", "", "", "")
    assert (last["verdict"], last["reason"]) == ("", "cited, not trained by the document")
    assert (last["row"], last["metric"], last["published"]) == ("ViT-H/14", "test_accuracy", "0.95")


def test_seeds_are_averaged(tmp_path: Path, full: Params, compare) -> None:
    params = full.model_copy(deep=True)
    recipe = params.recurnets.recipe.model_copy(update={"seeds": (0, 1, 2)})
    params = params.model_copy(update={"recurnets": params.recurnets.model_copy(update={"recipe": recipe})})
    write_cells(tmp_path, params, [KEY])
    row = claim(compare(params)("claims"), KEY, "test_accuracy")
    seeds = json.loads((Layout(tmp_path).evaluation(params.cell(KEY)) / "metrics.json").read_text())["seeds"]
    assert (row["seeds"], row["basis"], row["reason"]) == ("3", "seeds", "")
    assert float(row["ours"]) == pytest.approx(sum(seed["accuracy"] for seed in seeds) / 3, abs=1e-15)


def test_every_named_run_is_compared_under_its_own_metrics(tmp_path: Path, full: Params, compare) -> None:
    write_cells(tmp_path, full, full.runs)
    read = compare(full)
    assert runs(tmp_path, "mnist-rnn") == {"full run": 6, "our reading": 0, "reduced run": 0, "not run": 0}
    with (Layout(tmp_path).training(full.cell("lstm")) / "curves.csv").open(newline="") as stream:
        last = list(csv.DictReader(stream))[-1]
    for metric in ("train_accuracy", "test_loss_sum"):
        assert float(claim(read("claims", "mnist-rnn"), "lstm", metric)["ours"]) == float(last[metric])
    row = claim(read("claims", "mnist-rnn"), "lstm-combined", "test_recall_3")
    assert row["difference"]
    assert {row["outcome"] for row in read("statements", "mnist-rnn")} <= {
        "holds", "contradicted", "undecided", "seen", "not seen"
    }  # fmt: skip
    remedies = read("comparison_remedies", "mnist-rnn")
    assert remedies[0]["run"] == "lstm-unbalanced"
    assert remedies[0]["gain"] == ""
    assert all(float(row["low"]) <= float(row["gain"]) <= float(row["high"]) for row in remedies[1:])
    assert [float(row["point"]) for row in read("sweep_imbalance", "mnist-rnn")] == [1, 2, 5, 10, 20, 50, 100]


def test_verdicts_outcomes_and_energy_are_counted(tmp_path: Path, full: Params, compare) -> None:
    write_cells(tmp_path, full, [KEY, *full.runs])
    read = compare(full)
    told = summary(tmp_path)
    for paper, counts in told["papers"].items():
        claims, statements = read("claims", paper), read("statements", paper)
        assert sum(counts["verdicts"].values()) == len([row for row in claims if row["run"]])
        for verdict, count in counts["verdicts"].items():
            assert count == len([row for row in claims if row["verdict"] == verdict])
        assert sum(counts["statements"].values()) == len([row for row in statements if row["whose"] == "document"])
    cells = [row for paper in told["papers"] for row in read("cells", paper)]
    for total in ("energy_wh", "co2_g"):
        assert told[total] == pytest.approx(sum(float(row[total]) for row in cells), rel=1e-9)
    assert told["energy_kinds"] == ["estimated"]


def test_a_number_without_a_margin_is_decided_only_if_ours_would_hardly_draw_it(
    tmp_path: Path, full: Params, compare
) -> None:
    write_cells(tmp_path, full, full.runs)
    rows = compare(full)("claims", "mnist-rnn")
    alone, three = (claim(rows, run, "test_loss_sum") for run in ("lstm-unbalanced", "elman"))
    assert (alone["verdict"], alone["plausible"], alone["predicted_low"]) == ("inconclusive", "", "")
    assert alone["reason"] == three["reason"] == "no margin was declared"
    inside = float(three["predicted_low"]) <= float(three["log"]) <= float(three["predicted_high"])
    assert three["plausible"] == ("yes" if inside else "no")
    assert (three["verdict"] == "inconclusive") == inside
    borrowed = claim(rows, "lstm", "test_loss_sum")
    pooled = "; 1 seed, spread of similar runs" if borrowed["basis"] == "seeds of similar runs" else ""
    assert borrowed["reason"] == f"no margin was declared{pooled}"
    training = claim(rows, "lstm-unbalanced", "train_accuracy")
    assert (training["verdict"], training["reason"], training["low"]) == ("inconclusive", "1 seed, no interval", "")
    assert claim(rows, "lstm", "train_images")["verdict"] == "not run"  # the split is not tabulated
    assert claim(rows, "lstm", "train_images")["reason"] == "not measured"


def test_a_match_says_how_many_other_runs_of_the_document_match_too(tmp_path: Path, full: Params, compare) -> None:
    write_cells(tmp_path, full, full.runs)
    rows = [row for row in compare(full)("claims", "mnist-rnn") if row["scale"] == "full run"]
    shared = [row for row in rows if row["metric"] == "test_recall_3"]
    assert {row["run"] for row in shared} == {f"lstm-{kind}" for kind in KINDS}
    for row in shared:
        ends = {each["run"]: (float(each["low"]), float(each["high"])) for each in shared if each is not row}
        low, high = (float(row["log"]) + sign * float(row["margin"]) for sign in (-1, 1))
        told = int(row["rivals"]) - sum(low <= below and above <= high for below, above in ends.values())
        assert 0 <= told <= 2  # elman and lstm have no printed recall of their own
    assert {row["rivals"] for row in rows if not row["margin"] or row["better"] == "equal"} == {""}


def test_a_document_without_a_recipe_is_read_and_ours_only_differs(tmp_path: Path, full: Params, compare) -> None:
    write_cells(tmp_path, full, full.runs)
    read = compare(full)
    rows = [row for row in read("claims", "recnet") if row["run"]]
    assert {row["scale"] for row in rows} == {"our reading"}
    assert all(row["difference"] for row in rows)
    for row in rows:
        if row["low"]:
            low, high = (float(row["target_" + end]) + sign * float(row["margin"]) for end, sign in ENDS)
            far = "higher" if float(row["low"]) > high else "lower" if float(row["high"]) < low else ""
            assert (row["verdict"] == f"differs (ours {far})") == bool(far)
            assert far or row["verdict"] in ("match", "inconclusive")
    assert sum(row["verdict"].startswith("differs") for row in rows) > 0
    assert set(runs(tmp_path, "recnet")) == {"full run", "our reading", "reduced run", "not run"}
    assert runs(tmp_path, "recnet")["our reading"] == 3
    verdicts = summary(tmp_path)["papers"]["recnet"]["verdicts"]
    assert sum(verdicts.values()) == len(rows)
    assert not verdicts["better"] + verdicts["worse"]
