"""The schema of papers/, and what makes a run a full one."""

from pathlib import Path

import pytest

from stages.cell import Cell
from stages.core.errors import StageError
from stages.documents.claims import load_claims
from stages.documents.paper import PAPERS, Paper, load_paper, load_papers
from stages.params import Params, load_params

ROOT = Path(__file__).resolve().parents[1]
FOLDER = PAPERS / "recurnets"
METRICS = ("test_accuracy", "test_f1_weighted", "test_precision_weighted", "test_recall_weighted")

paper = load_paper(FOLDER)
claims = load_claims(FOLDER / "claims.csv", paper)
rnn = load_paper(PAPERS / "mnist-rnn")
rnn_claims = {claim.id: claim for claim in load_claims(PAPERS / "mnist-rnn" / "claims.csv", rnn)}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("cifar10-recurnet1-4,test_acc", "cifar100-recurnet1-4,test_acc", "line 3: unknown run 'cifar100-recurnet1-4'"),
        ("4,test_accuracy,0.81", "4,top5,0.81", "line 3: column metric, 'top5'"),
        (
            "accuracy,0.81,0.81,fraction",
            "accuracy,0.81,0.82,fraction",
            "line 3: value 0.82 is not the published '0.81'",
        ),
        (
            "T5.1-recurnet1-4-accuracy",
            "T5.1-recurnet1-4-parameters",
            "line 3: id 'T5.1-recurnet1-4-parameters' occurs twice",
        ),
        ("test_accuracy,0.81,0.81", "test_accuracy,high,0.81", "line 3: published 'high' is not a number"),
        ("T5.1-recurnet1-4-accuracy,5.1", "T5.1-recurnet1-4-accuracy,5.9", "line 3: unknown table '5.9'"),
        (",margin,", ",tolerance,", "column margin is missing"),
        (",better,", ",best,", "column better is missing"),
        ("0.02,higher", "0.02,up", "line 3: column better, 'up'"),
        ("0.02,higher", "0.02,", "line 3: column better, ''"),
    ],
)
def test_wrong_claims_are_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (FOLDER / "claims.csv").read_text()
    assert old in text
    path = tmp_path / "claims.csv"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(StageError) as error:
        load_claims(path, paper)
    assert str(error.value).startswith(str(path))
    assert said in str(error.value)


def test_wrong_paper_is_named(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"paper\.yaml is missing"):
        load_paper(tmp_path)
    (tmp_path / "paper.yaml").write_text((FOLDER / "paper.yaml").read_text().replace("title:", "titel:", 1))
    with pytest.raises(StageError, match="key 'title'"):
        load_paper(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    first: lstm\n", "    first: gru\n", "statements, lstm-beats-elman: unknown run 'gru'"),
        ("10: lstm-unbalanced", "10: lstm-10", "sweeps, imbalance: unknown run 'lstm-10'"),
        ('runs: "lstm-irm-*"', 'runs: "gru-irm-*"', "the pattern 'gru-irm-*' matches no run"),
        ("    level: 0.99\n", "", "a statement on epochs needs column and level"),
        ("measure: accuracy", "measure: beauty", "key 'statements.0.measure'"),
    ],
)
def test_wrong_names_in_a_paper_are_errors(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (PAPERS / "mnist-rnn" / "paper.yaml").read_text()
    assert old in text
    (tmp_path / "paper.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(StageError) as error:
        load_paper(tmp_path)
    assert said in str(error.value)


def full_params() -> Params:
    return load_params(ROOT / "full" / "params.yaml")


@pytest.mark.parametrize("document", load_papers(), ids=lambda document: document.id)
def test_every_run_of_the_full_home_is_at_full_scale(document: Paper) -> None:
    params = full_params()
    ours = [key for key, run in params.named.items() if run.paper == document.id]
    for run in ours:
        assert document.differences(params.cell(run)) == {}, run
    if document.id == "recurnets" or not ours:  # a grid, and a document of which the default home has every run
        return
    listed = {run for run in (*document.runs, *document.variants) if "*" not in run}
    asked_for = {run for run in listed if run.startswith("imagenet-")}  # see tests/test_imagenet.py
    assert listed - asked_for <= set(ours)
    assert all(document.knows(run) for run in ours)


def test_every_named_run_belongs_to_a_document_and_is_reduced_by_default() -> None:
    papers = {document.id: document for document in load_papers()}
    for params in (full_params(), load_params(ROOT / "params.yaml")):
        for key, run in params.named.items():
            document = papers[run.paper]
            assert document.knows(key)
            assert run.data in document.datasets or params.home == "."
            small = run.paper not in {other.paper for other in full_params().named.values()}
            assert (document.differences(params.cell(key)) == {}) == (params.home == "full" or small)


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
    differences = paper.differences(Cell.model_validate(tree))
    assert list(differences) == [key]
    assert differences[key][1] == value


def test_a_penalty_or_a_thinned_out_label_that_the_document_does_not_have_makes_a_reduced_run() -> None:
    tree = full_params().cell("lstm").model_dump(mode="json")
    tree["recipe"]["objective"]["irm"] = {"environments": "same_batch", "weight": 1.0}
    tree["split"]["fractions"] = {"3": 0.5}
    differences = rnn.differences(Cell.model_validate(tree))
    assert differences["split.fractions"] == ({}, {"3": 0.5})
    assert {key for key in differences if key.startswith("recipe.objective.irm")}


def test_seeds_are_free_and_another_dataset_is_a_difference() -> None:
    tree = full_params().cell("mnist-recurnet1-5").model_dump(mode="json")
    tree["recipe"]["seeds"] = [3, 4]
    assert paper.differences(Cell.model_validate(tree)) == {}
    digits = load_params(ROOT / "params.yaml").cell("digits-recurnet1-4")
    assert paper.differences(digits)["dataset"] == ("CIFAR-10, SVHN, MNIST", "digits")


def test_charts_are_numbered_as_in_the_document() -> None:
    charts = [chart for group in paper.charts for chart in group.charts]
    assert [chart.id for chart in charts] == [f"5.{n}" for n in range(1, 7)] + [f"7.{n}" for n in range(1, 37)]
    assert len({(chart.runs, chart.panels) for chart in charts}) == 36
    assert [chart.id for group in rnn.charts for chart in group.charts] == ["4", "5", "6", "7", "8", "9"]


def test_a_grid_of_a_study_is_free_in_what_it_varies_and_in_nothing_else() -> None:
    gru = load_paper(PAPERS / "cnn-gru")
    tree = full_params().cell("sensitivity-3-512").model_dump(mode="json")
    assert gru.differences(Cell.model_validate(tree)) == {}
    assert gru.run_title(Cell.model_validate(tree)) == "Proposed, 3 convolutions, 512 units"
    tree["options"]["width"] = 0.5
    assert gru.differences(Cell.model_validate(tree)) == {"options.width": (1.0, 0.5)}


def test_labels_as_published_are_a_difference_for_any_other_document() -> None:
    tree = full_params().cell("cnn-gru").model_dump(mode="json")
    tree["split"]["labels"] = "as_published"
    differences = load_paper(PAPERS / "cnn-gru").differences(Cell.model_validate(tree))
    assert differences == {"split.labels": ("(absent)", "as_published")}
