"""The claims of the five documents are what these print, and what their authors logged."""

import csv
import math
import re
from collections import Counter
from pathlib import Path

import pytest

from stages.documents.author_log import load_author_cost, load_author_log
from stages.documents.claims import load_claims
from stages.documents.paper import PAPERS, load_paper

FOLDER = PAPERS / "recurnets"
SHARED = Path(__file__).resolve().parents[2] / "shared"
REFERENCE = SHARED / "reference" / "recurnets"
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

# The text of the documents that have tables; the first line of the first of them; depths and labels.
ORIGINALS = {
    "recurnets": "000_0f302b666e2991b6.txt", "cnn-gru": "002_bf07c6d852330a4f.txt",
    "mnist-rnn": "003_2c044955384475dd.txt",
}  # fmt: skip
FIRST = {
    "recurnets": ["Model", "Depth", "Parameter", "Accuracy", "F-1 Score", "Precision", "Recall"],
    "cnn-gru": ["Model", "CIFAR-10", "ImageNet"], "mnist-rnn": ["#Train", "#Test", "#Total", "#Class"],
}  # fmt: skip
NOT_RESULTS = set("0123456789")
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
    trained = {(c.run, str(c.metric)): c.published for c in claims if c.run}
    assert trained == printed
    assert {(c.row, str(c.metric)): c.published for c in claims if not c.run} == CITED


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
    ours = {(c.run, str(c.metric)): c for c in claims}
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
        if str(claim.metric) == "test_accuracy" and claim.author_log_epochs:
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
        assert log.loc[(claim.run, 99), str(claim.metric)] == claim.author_log == claim.value


def test_mnist_rnns_tables_add_up() -> None:
    train = [rnn_claims[f"TIII-lstm-unbalanced-train_images_{label}"].value for label in range(10)]
    test = [rnn_claims[f"TIII-lstm-unbalanced-test_images_{label}"].value for label in range(10)]
    assert (sum(train), sum(test)) == (32_462, 10_000)
    for run in list(rnn.runs)[2:]:
        recalls = [rnn_claims[f"TVI-{run}-test_recall_{label}"].value for label in range(10)]
        total = sum(recall * count for recall, count in zip(recalls, test, strict=True)) / 10_000
        # Ten percentages, each rounded to hundredths of a point.
        assert total == pytest.approx(rnn_claims[f"TVI-{run}-test_accuracy"].value, abs=1e-4)


def test_every_number_of_gunn_and_cnn_gru_is_claimed() -> None:
    gru = load_claims(PAPERS / "cnn-gru" / "claims.csv", load_paper(PAPERS / "cnn-gru"))
    assert [claim.published for claim in gru] == [
        "87.2%", "68.4%", "76.8%", "54.2%", "89.2%", "70.3%", "90.1%", "71.8%", "91.5%", "73.2%",
    ]  # fmt: skip
    gunn = load_claims(PAPERS / "gunn" / "claims.csv", load_paper(PAPERS / "gunn"))
    published = ["0.87605534954071045", "0.6960", "0.8460", "0.7290", "0.8430", "0.7620"]
    assert [claim.published for claim in gunn] == [*published, *published, "80%", "772,686"]
    assert [claim.run for claim in gunn] == [*["gunn"] * 6, *["gunn-as-published"] * 6, None, "gunn"]


@pytest.mark.parametrize("document", ORIGINALS)
def test_every_number_of_the_documents_own_tables_is_a_claim(document: str) -> None:
    path = SHARED / "papers" / "original" / ORIGINALS[document]
    if not path.is_file():
        pytest.skip("the documents are not here")
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if "\t" in line]
    cells = [cell for line in lines[lines.index(FIRST[document]) :] for cell in line]
    numbers = Counter(cell for cell in cells if re.fullmatch(r"\d[\d.]*[m%]?", cell) and cell not in NOT_RESULTS)
    claimed = load_claims(PAPERS / document / "claims.csv", load_paper(PAPERS / document))
    assert Counter(claim.published for claim in claimed) == numbers
