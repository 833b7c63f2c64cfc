"""The schema of papers/, and what makes a run a full one."""

from pathlib import Path

import pytest

from stages.core.errors import StageError
from stages.documents.claims import load_claims
from stages.documents.paper import PAPERS, load_paper

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


def test_charts_are_numbered_as_in_the_document() -> None:
    charts = [chart for group in paper.charts for chart in group.charts]
    assert [chart.id for chart in charts] == [f"5.{n}" for n in range(1, 7)] + [f"7.{n}" for n in range(1, 37)]
    assert len({(chart.runs, chart.panels) for chart in charts}) == 36
    assert [chart.id for group in rnn.charts for chart in group.charts] == ["4", "5", "6", "7", "8", "9"]
