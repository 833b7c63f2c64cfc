import csv
import math
from pathlib import Path

import pytest

from stages.claims import load_claims
from stages.errors import StageError
from stages.exhibits import Statement
from stages.papers import PAPERS, Paper, load_author_cost, load_author_log, load_paper, load_papers  # fmt: skip
from stages.params import Cell, Params, load_params

ROOT = Path(__file__).resolve().parents[1]
FOLDER = PAPERS / "recurnets"
REFERENCE = ROOT.parent / "shared" / "reference" / "recurnets"
# Tables 5.1 to 5.3, transcribed again: parameters, accuracy, F-1 score, precision, recall of depths 4 to 8.
PRINTED = {
    ("cifar10", "recurnet1"): """0.136m 0.81 0.81 0.81 0.81
        0.136m 0.72 0.73 0.79 0.73
        0.136m 0.77 0.78 0.81 0.78
        0.136m 0.82 0.82 0.83 0.82
        0.136m 0.75 0.75 0.80 0.76""",
    ("cifar10", "recurnet2"): """0.611m 0.88 0.89 0.89 0.89
        0.611m 0.89 0.89 0.89 0.89
        0.611m 0.88 0.89 0.89 0.89
        0.611m 0.82 0.82 0.83 0.82
        0.611m 0.87 0.88 0.88 0.88""",
    ("svhn", "recurnet1"): """0.136m 0.81 0.81 0.81 0.81
        0.136m 0.92 0.92 0.93 0.92
        0.136m 0.92 0.92 0.92 0.92
        0.136m 0.92 0.92 0.92 0.92
        0.136m 0.92 0.92 0.92 0.92""",
    ("svhn", "recurnet2"): """0.611m 0.93 0.94 0.94 0.94
        0.611m 0.93 0.94 0.94 0.94
        0.611m 0.93 0.93 0.93 0.93
        0.611m 0.93 0.93 0.94 0.93
        0.611m 0.93 0.93 0.93 0.93""",
    ("mnist", "recurnet1"): """0.135m 0.98 0.99 0.99 0.99
        0.135m 0.98 0.99 0.99 0.99
        0.135m 0.98 0.99 0.99 0.99
        0.135m 0.99 0.99 0.99 0.99
        0.135m 0.99 0.99 0.99 0.99""",
    ("mnist", "recurnet2"): """0.611m 0.99 0.99 0.99 0.99
        0.611m 0.99 0.99 0.99 0.99
        0.611m 0.99 0.99 0.99 0.99
        0.611m 0.99 0.99 0.99 0.99
        0.611m 0.99 0.99 0.99 0.99""",
}
CITED = {
    ("ViT-H/14", "parameters"): "632m",
    ("ViT-H/14", "test_accuracy"): "0.95",
    ("WRN28-10 (SAM)", "test_accuracy"): "0.99",
    ("Branching/Merging CNN + Homogeneous Vector Capsules", "parameters"): "1.5m",
    ("Branching/Merging CNN + Homogeneous Vector Capsules", "test_accuracy"): "0.99",
}

METRICS = ("test_accuracy", "test_f1_weighted", "test_precision_weighted", "test_recall_weighted")

paper = load_paper(FOLDER)
claims = load_claims(FOLDER / "claims.csv", paper)
rnn = load_paper(PAPERS / "mnist-rnn")
rnn_claims = {claim.id: claim for claim in load_claims(PAPERS / "mnist-rnn" / "claims.csv", rnn)}


def test_claims_are_the_printed_tables() -> None:
    printed = {
        (f"{dataset}-{architecture}-{depth}", metric): value
        for (dataset, architecture), block in PRINTED.items()
        for depth, line in enumerate(block.splitlines(), start=4)
        for metric, value in zip(("parameters", *METRICS), line.split(), strict=True)
    }
    trained = {(c.run, c.metric): c.published for c in claims if c.run}
    assert trained == printed
    assert {(c.row, c.metric): c.published for c in claims if not c.run} == CITED


def test_rounding_rule_holds_unless_a_note_says_otherwise() -> None:
    judged = [claim for claim in claims if claim.author_log is not None]
    assert len(judged) == 112
    for claim in judged:
        hundredths = (
            math.floor(claim.author_log * 100) if claim.rounding == "floored" else round(claim.author_log * 100)
        )
        assert (claim.note != "") == (hundredths != round(claim.value * 100)), claim.id


def test_claims_agree_with_the_reference_check() -> None:
    if not REFERENCE.is_dir():
        pytest.skip("the reference logs are not here")
    short = {"f1": "f1_weighted", "precision": "precision_weighted", "recall": "recall_weighted"}
    ours = {(c.run, c.metric): c for c in claims}
    with (REFERENCE / "table_check.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            metric = short.get(row["metric"], row["metric"])
            metric = metric if metric == "parameters" else f"test_{metric}"
            claim = ours[f"{row['dataset'].lower()}-recurnet{row['architecture']}-{row['depth']}", metric]
            assert claim.value == float(row["table"])
            assert (claim.note == "") == (row["verdict"] == "agrees with final epoch")
            if claim.author_log is not None and metric != "test_accuracy":
                assert claim.author_log == pytest.approx(float(row["final_epoch_value"]), rel=1e-6)


def test_author_log_ends_where_the_claims_say() -> None:
    log = load_author_log(FOLDER).set_index(["run", "epoch"]).sort_index()
    for claim in claims:
        if claim.metric == "test_accuracy" and claim.author_log_epochs:
            last = log.loc[(claim.run, claim.author_log_epochs - 1), "test_accuracy"]
            assert last == pytest.approx(claim.author_log, rel=1e-5)
    assert len(log) == 5361
    cost = load_author_cost(FOLDER)
    assert cost is not None
    assert cost[0] == 28
    assert cost[1] / 3600 == pytest.approx(61.3, abs=0.05)
    assert (FOLDER / "author_log.csv").stat().st_size < 450_000


def test_every_logged_number_of_mnist_rnn_is_the_printed_one() -> None:
    log = load_author_log(PAPERS / "mnist-rnn").set_index(["run", "epoch"])
    logged = [claim for claim in rnn_claims.values() if claim.author_log is not None]
    assert len(logged) == 6 * 4 + 4 * 11
    for claim in logged:
        assert log.loc[(claim.run, 99), claim.metric] == claim.author_log == claim.value


def test_mnist_rnns_tables_add_up() -> None:
    train = [rnn_claims[f"TIII-lstm-unbalanced-train_images_{label}"].value for label in range(10)]
    test = [rnn_claims[f"TIII-lstm-unbalanced-test_images_{label}"].value for label in range(10)]
    assert (sum(train), sum(test)) == (32_462, 10_000)
    for run in list(rnn.runs)[2:]:
        recalls = [rnn_claims[f"TVI-{run}-test_recall_{label}"].value for label in range(10)]
        total = sum(recall * count for recall, count in zip(recalls, test, strict=True)) / 10_000
        # Ten percentages, each rounded to hundredths of a point.
        assert total == pytest.approx(rnn_claims[f"TVI-{run}-test_accuracy"].value, abs=1e-4)


@pytest.mark.parametrize("statement", rnn.statements, ids=lambda statement: statement.id)
def test_published_differences_follow_from_the_tables_and_the_log(statement: Statement) -> None:
    pair = (statement.first, statement.second)
    log = load_author_log(PAPERS / "mnist-rnn")
    if statement.measure == "epochs":
        reached = [log[(log["run"] == run) & (log[statement.column] >= statement.level)]["epoch"].min() for run in pair]
    else:
        last = log[log["epoch"] == 99].set_index("run")
        if statement.labels is None:
            reached = [last.loc[run, "test_accuracy"] for run in pair]
        else:
            weights = [rnn_claims[f"TIII-lstm-unbalanced-test_images_{label}"].value for label in statement.labels]
            columns = [f"test_recall_{label}" for label in statement.labels]
            reached = [(last.loc[run, columns] * weights).sum() / sum(weights) for run in pair]
    assert statement.published == pytest.approx(float(reached[0] - reached[1]), abs=5.1e-5)


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


def test_every_number_of_gunn_and_cnn_gru_is_claimed() -> None:
    gru = load_claims(PAPERS / "cnn-gru" / "claims.csv", load_paper(PAPERS / "cnn-gru"))
    assert [claim.published for claim in gru] == [
        "87.2%", "68.4%", "76.8%", "54.2%", "89.2%", "70.3%", "90.1%", "71.8%", "91.5%", "73.2%",
    ]  # fmt: skip
    gunn = load_claims(PAPERS / "gunn" / "claims.csv", load_paper(PAPERS / "gunn"))
    published = ["0.87605534954071045", "0.6960", "0.8460", "0.7290", "0.8430", "0.7620"]
    assert [claim.published for claim in gunn] == 2 * published
    assert {claim.run for claim in gunn} == {"gunn", "gunn-as-published"}
