"""The contradictions that are found in the documents themselves."""

from functools import cache

import pytest
import torch

from models.registry import build
from stages.compare.contradictions import RULES, Found, found
from stages.compare.parameter_counts import count, size_rows
from stages.documents.author_log import load_author_log
from stages.documents.claims import load_claims
from stages.documents.paper import PAPERS, Paper, load_paper

IMAGES = {"cifar10": 10_000, "svhn": 26_032, "mnist": 10_000, "imagenet": 50_000, "gunn": 100}


def known_parameters(paper: Paper) -> dict[str, int]:
    counts = {}
    with torch.device("meta"):
        for run in paper.runs if paper.id == "recurnets" else ():
            dataset, architecture, depth = run.split("-")
            model = build(architecture, 1 if dataset == "mnist" else 3, 10, {"depth": int(depth)})
            counts[run] = count(model, statistics=False)
    return counts


@cache
def of_paper(name: str) -> list[Found]:
    paper = load_paper(PAPERS / name)
    claims = load_claims(PAPERS / name / "claims.csv", paper)
    images = {run: IMAGES.get(run.split("-")[0], 10_000) for run in paper.runs}
    labels = {int(str(c.metric)[-1]): int(c.value) for c in claims if str(c.metric).startswith("test_images_")}
    supports = dict.fromkeys(paper.runs, labels) if labels else {}
    sizes, log = size_rows(paper.sizes, claims), load_author_log(PAPERS / name)
    return found(paper, claims, log, sizes, images, supports, known_parameters(paper))


def test_what_is_found_in_recurnets() -> None:
    findings = of_paper("recurnets")
    assert [(finding.rule, finding.where) for finding in findings] == [
        ("repeated row", "Table 5.1, Experiment-2, depth 7"),
        ("repeated row", "Table 5.2, Experiment-1, depth 4"),
        ("parameters", "Table 5.3, Experiment-2, depth 4, depth 5, depth 6, depth 7 and depth 8"),
        ("table against log", "Table 5.1, Experiment-2, depth 7"),
        ("table against log", "Table 5.2, Experiment-1, depth 7"),
        ("table against log", "Table 5.2, Experiment-2, depth 7"),
        ("table against log", "Table 5.3, Experiment-1, depth 7"),
        ("log too short", "Logs"),
    ]
    said = [finding.finding for finding in findings]
    assert "repeats Table 5.1, Experiment-1, depth 7, digit for digit (0.82, 0.82, 0.83, 0.82)" in said[0]
    assert "repeats Table 5.1, Experiment-1, depth 4, digit for digit (0.81, 0.81, 0.81, 0.81)" in said[1]
    assert said[2] == "0.611m parameters are printed; the layers have 610,122."
    assert "Accuracy 0.8842 (floored 0.88, printed 0.82)" in said[3]
    assert said[4:7] == [
        "The log ends at other values: Accuracy 0.918754 (floored 0.91, printed 0.92).",
        "The log ends at other values: Precision 0.934952 (rounded 0.93, printed 0.94).",
        "The log ends at other values: Accuracy 0.9884 (floored 0.98, printed 0.99).",
    ]
    short = [("5.2", 1, 5, 106), ("5.2", 2, 5, 190), ("5.2", 2, 7, 163), ("5.2", 2, 8, 161)]
    short += [("5.3", 2, 4, 186), ("5.3", 2, 5, 178), ("5.3", 2, 7, 177)]
    runs = (f"Table {table}, Experiment-{part}, depth {depth} ({n} of 200 epochs)" for table, part, depth, n in short)
    assert said[7] == f"Logs that end before the recipe does: {'; '.join(runs)}."


def test_what_is_found_in_gunn() -> None:
    where = "Section 6, GUNN-15, correct labels and GUNN-15, labels as published"
    finding = "Test accuracy 0.6960: no whole number of 100 test images gives that."
    ids = ("S6-gunn-test_accuracy", "S6-gunn-as-published-test_accuracy")
    assert of_paper("gunn") == [Found("impossible accuracy", where, finding, ids, ids)]


@pytest.mark.parametrize("name", ["mnist-rnn", "recnet", "cnn-gru"])
def test_nothing_is_found_in_the_other_documents(name: str) -> None:
    assert of_paper(name) == []


def test_every_rule_is_explained_and_every_claim_named_exists() -> None:
    for name in ("recurnets", "gunn"):
        ids = {c.id for c in load_claims(PAPERS / name / "claims.csv", load_paper(PAPERS / name))}
        assert {finding.rule for finding in of_paper(name)} <= set(RULES)
        assert {i for finding in of_paper(name) for i in finding.evidence} <= ids
