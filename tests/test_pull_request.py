"""The comment on a pull request: a repository of two commits, the second with other numbers and another verdict."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from commands import pull_request
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.params import load_params
from tests.fake_results import write_cells, write_fake_scores
from tests.small import REPOSITORY

PIPELINE = "metrics: [headline.json]\n"

pytestmark = pytest.mark.slow


def git(*arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def commit(accuracy: float, verdict: str, outcome: str) -> None:
    """Commit a headline, the scores of one run with its test accuracy, and a verdict of either kind."""
    Path("headline.json").write_text(json.dumps({"test_accuracy": accuracy, "parameters": 9610}))
    params = load_params(Path("params.yaml"))
    for home in (Path(), Path("full")):
        path = Layout(home).evaluation(params.cell("elman")) / "metrics.json"
        metrics = json.loads(path.read_text())
        metrics["seeds"][0]["accuracy"] = 0.5 if home.name else accuracy
        path.write_text(json.dumps(metrics))
        write_fake_scores(home, params)
    tables = Path("full/reports/tables/mnist-rnn")
    tables.mkdir(parents=True, exist_ok=True)
    (tables / "claims.csv").write_text(f"id,verdict\nTII-accuracy,{verdict}\nTII-loss,worse\n")
    (tables / "statements.csv").write_text(f"id,outcome\nlstm|better,{outcome}\n")
    verdicts = {
        word: [verdict, "worse"].count(word) for word in ("match", "better", "worse", "inconclusive", "not run")
    }
    Path("full/reports/summary.json").write_text(json.dumps({"papers": {"mnist-rnn": {"verdicts": verdicts}}}))
    git("add", "-A")
    git("commit", "-qm", verdict)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").touch()
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    params = load_params(tmp_path / "params.yaml")
    for home in (tmp_path, tmp_path / "full"):
        write_cells(home, params, ["elman"])
    (tmp_path / ".gitignore").write_text("results/\nchecked/\n")  # DVC keeps them; a revision has the scores only
    git("init", "-q")
    commit(0.5, "inconclusive", "undecided")
    commit(0.75, "match", "undecided")
    return tmp_path


def test_the_comment_shows_what_moved_between_two_commits_and_says_reduced_run(repository: Path) -> None:
    base, head = map(pull_request.short, ("HEAD~1", "HEAD"))
    text = pull_request.comment(base, head, "the check's output")
    assert "**Reduced runs** (1): they show that everything works, and say nothing about the documents." in text
    default, full = text.split("### Full reproduction")
    assert f"| `dvc metrics diff` | {base} | {head} | change |" in default
    assert "| headline.json: test_accuracy | 0.5000 | 0.7500 | +0.2500 |" in default
    assert "parameters" not in default
    assert "| elman | 0.5000 | 0.7500 | +0.2500 |" in default
    assert "Test accuracy of 1 run: nothing moved." in full
    assert "| mnist-rnn | **1** (+1) | 0 | 1 | 0 | 0 | **0** (-1) | 0 |" in full
    assert "| mnist-rnn | TII-accuracy | ? inconclusive | ✓ match |" in full
    assert "TII-loss" not in full
    assert "lstm" not in full
    assert text.endswith("````\nthe check's output\n````")


def test_nothing_moved_is_said(repository: Path) -> None:
    text = pull_request.comment("HEAD", "HEAD", None)
    assert "`dvc metrics diff`: nothing moved." in text
    assert "No verdict changed." in text
    assert "make check" not in text


def test_a_run_that_is_new_or_gone_is_said(repository: Path) -> None:
    rows = Path("scores.csv").read_text()
    Path("scores.csv").write_text(rows.replace("elman", "lstm", 1))
    git("commit", "-qam", "another run")
    text = pull_request.comment("HEAD~1", "HEAD", None)
    assert f"| elman | 0.7500 | {pull_request.MISSING} | gone |" in text
    assert f"| lstm | {pull_request.MISSING} | 0.7500 | new |" in text


def test_runs_at_the_scale_of_their_documents_are_full_runs(repository: Path) -> None:
    Path("scores.csv").write_text(Path("scores.csv").read_text().replace("reduced run", "full run"))
    git("commit", "-qam", "at full scale")
    assert "Full runs: 1." in pull_request.comment("HEAD", "HEAD", None)


def test_a_revision_without_scores_has_no_runs(repository: Path) -> None:
    git("rm", "-q", "full/scores.csv")
    git("commit", "-qm", "before there were scores")
    default, full = pull_request.comment("HEAD", "HEAD~1", None).split("### Full reproduction")
    assert "Test accuracy of 1 run: nothing moved." in default
    assert f"| elman | {pull_request.MISSING} | 0.5000 | new |" in full


def test_a_table_of_many_rows_is_cut_and_keeps_its_bars() -> None:
    lines = pull_request.table(("name", "number"), [("a|b", n) for n in range(pull_request.ROWS + 5)]).splitlines()
    assert lines[1:3] == ["| --- | --: |", r"| a\|b | 0 |"]
    assert len(lines) == pull_request.ROWS + 4
    assert lines[-1] == "and 5 more."


def test_what_is_no_revision_is_said_in_one_sentence(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["pull_request", "no-such-branch"])
    with pytest.raises(StageError, match="no-such-branch is no revision of this clone"):
        pull_request.main()
