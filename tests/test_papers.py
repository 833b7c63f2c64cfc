import csv
import math
from pathlib import Path

import pytest

from stages.errors import StageError
from stages.papers import METRICS, PAPERS, load_author_cells, load_author_log, load_claims, load_paper
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
    ("ViT-H/14", "accuracy"): "0.95",
    ("WRN28-10 (SAM)", "accuracy"): "0.99",
    ("Branching/Merging CNN + Homogeneous Vector Capsules", "parameters"): "1.5m",
    ("Branching/Merging CNN + Homogeneous Vector Capsules", "accuracy"): "0.99",
}

paper = load_paper(FOLDER)
claims = load_claims(FOLDER / "claims.csv", paper)


def test_claims_are_the_printed_tables() -> None:
    printed = {
        (dataset, architecture, depth, metric): value
        for (dataset, architecture), block in PRINTED.items()
        for depth, line in enumerate(block.splitlines(), start=4)
        for metric, value in zip(("parameters", *METRICS), line.split(), strict=True)
    }
    trained = {(c.dataset, c.architecture, c.depth, c.metric): c.published for c in claims if c.architecture}
    assert trained == printed
    assert {(c.row, c.metric): c.published for c in claims if not c.architecture} == CITED


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
    ours = {(c.dataset, c.architecture, str(c.depth), c.metric): c for c in claims}
    with (REFERENCE / "table_check.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            metric = short.get(row["metric"], row["metric"])
            dataset = row["dataset"].lower()
            claim = ours[dataset, f"recurnet{row['architecture']}", row["depth"], metric]
            assert claim.value == float(row["table"])
            assert (claim.note == "") == (row["verdict"] == "agrees with final epoch")
            if claim.author_log is not None and metric != "accuracy":
                assert claim.author_log == pytest.approx(float(row["final_epoch_value"]), rel=1e-6)


def test_author_log_ends_where_the_claims_say() -> None:
    log = load_author_log(FOLDER).set_index(["dataset", "architecture", "depth", "epoch"]).sort_index()
    for claim in claims:
        if claim.metric == "accuracy" and claim.author_log_epochs:
            last = log.loc[
                (claim.dataset, claim.architecture, claim.depth, claim.author_log_epochs - 1), "test_accuracy"
            ]
            assert last == pytest.approx(claim.author_log, rel=1e-5)
    cells = load_author_cells(FOLDER)
    assert cells["epochs_logged"].sum() == len(log) == 5361
    assert (FOLDER / "author_log.csv").stat().st_size < 450_000


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("cifar10,recurnet1,4,accuracy", "cifar100,recurnet1,4,accuracy", "line 3: unknown dataset 'cifar100'"),
        ("cifar10,recurnet1,4,accuracy", "cifar10,resnet,4,accuracy", "line 3: unknown architecture 'resnet'"),
        ("4,accuracy,0.81", "4,top5,0.81", "line 3: column metric, 'top5'"),
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
        ("4,accuracy,0.81,0.81", "four,accuracy,0.81,0.81", "line 3: column depth, 'four'"),
        ("T5.1-recurnet1-4-accuracy,5.1", "T5.1-recurnet1-4-accuracy,5.9", "line 3: unknown table '5.9'"),
        ("T5.1-recurnet1-4-accuracy,5.1", "T5.1-recurnet1-4-accuracy,5.2", "line 3: dataset 'cifar10' is not that of"),
        (",margin,", ",tolerance,", "column margin is missing"),
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


def full_params() -> Params:
    return load_params(ROOT / "full" / "params.yaml")


def test_the_full_grid_is_at_full_scale() -> None:
    params = full_params()
    for dataset in paper.datasets:
        for architecture in paper.architectures:
            assert paper.differences(params.cell(dataset, architecture, 4)) == {}


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
    tree = full_params().cell("mnist", "recurnet1", 5).model_dump(mode="json")
    branch = tree
    *parents, leaf = key.split(".")
    for parent in parents:
        branch = branch[parent]
    branch[leaf] = value
    differences = paper.differences(Cell.model_validate(tree))
    assert list(differences) == [key]
    assert differences[key][1] == value


def test_seeds_are_free_and_another_dataset_is_a_difference() -> None:
    tree = full_params().cell("mnist", "recurnet1", 5).model_dump(mode="json")
    tree["recipe"]["seeds"] = [3, 4]
    assert paper.differences(Cell.model_validate(tree)) == {}
    digits = load_params(ROOT / "params.yaml").cell("digits", "recurnet1", 4)
    assert paper.differences(digits)["dataset"] == ("cifar10, svhn, mnist", "digits")


def test_charts_are_numbered_as_in_the_document() -> None:
    numbers = [chart.id for chart in paper.charts]
    assert numbers == [f"5.{n}" for n in range(1, 7)] + [f"7.{n}" for n in range(1, 37)]
    assert len({(c.dataset, c.architecture, c.metric) for c in paper.charts}) == 36
