"""Homes of other revisions: files from git, results from DVC's cache, and what is compared where that lacks some."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import compare_results
from commands.revisions import home_of
from stages.core.errors import StageError
from stages.core.files import read_json
from stages.params import load_params
from tests.dvc_here import dvc
from tests.fake_results import write_cells, write_fake_scores
from tests.small import REPOSITORY

PIPELINE = """
stages:
  make:
    cmd: "true"
    outs:
      - results/training/elman
      - results/evaluation/elman
      - results/clocks/training/elman
      - results/clocks/evaluation/elman
      - scores.csv: {cache: false}
"""
METRICS = "results/evaluation/elman/metrics.json"
OLD, NEW = 0.5, 0.75  # the test accuracy of full's one result, in two commits
Main = Callable[..., str]

pytestmark = pytest.mark.slow


def git(*words: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True, capture_output=True)


def commit(accuracy: float) -> None:
    """Let DVC keep the results of both homes, of which full's has this test accuracy, and git the rest."""
    for home in (Path(), Path("full")):
        metrics = json.loads((home / METRICS).read_text())
        metrics["seeds"][0]["accuracy"] = accuracy if home.name else 0.25
        (home / METRICS).write_text(json.dumps(metrics))
        write_fake_scores(home, load_params(REPOSITORY / "params.yaml"))
    dvc("commit", "--force", "dvc.yaml", "full/dvc.yaml")
    git("add", "-A")
    git("commit", "-qm", str(accuracy))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of two homes and two commits."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        git("init", "-q")
        dvc("init")
        for home in (Path(), Path("full")):
            write_cells(home, load_params(REPOSITORY / "params.yaml"), ["elman"])
            Path(home, "dvc.yaml").write_text(PIPELINE)
        Path(".gitignore").write_text("results/\nchecked/\n")
        commit(OLD)
        commit(NEW)
    return folder


@pytest.fixture
def repository(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to spoil, which is the working directory."""
    shutil.copytree(made, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Main:
    """Compare results by the command line; what it says in one line, with its exit status before it."""

    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["compare-results", *words])
        status = 0
        try:
            compare_results.main()
        except SystemExit as ended:
            status = int(str(ended.code))
        return f"{status}: {' '.join(capsys.readouterr().out.split())}"

    return run


def objects() -> list[Path]:
    """What DVC's cache holds of files, lists of files apart."""
    return [path for path in Path(".dvc/cache/files").rglob("*") if path.is_file() and path.suffix != ".dir"]


def test_a_revision_has_the_results_that_dvc_keeps_of_it(repository: Path) -> None:
    for revision, accuracy in (("HEAD~1:full", OLD), ("HEAD:full", NEW), ("HEAD", 0.25), ("HEAD~1", 0.25)):
        with home_of(revision) as home:
            assert read_json(home / METRICS)["seeds"][0]["accuracy"] == accuracy
            for kind in ("training", "clocks/training", "clocks/evaluation"):
                ours, theirs = (root / "results" / kind / "elman" for root in (repository, home))
                assert {path.name: path.read_bytes() for path in theirs.iterdir()} == {
                    path.name: path.read_bytes() for path in ours.iterdir()
                }
        assert not home.exists()


def test_a_folder_stands_for_itself(repository: Path) -> None:
    with home_of("full") as home:
        assert home == Path("full")


def test_a_revision_is_compared_by_the_results_themselves(repository: Path, main: Main) -> None:
    said = main("HEAD", ".", "--exact")
    assert said.startswith("0: ")
    assert "result files compared, byte for byte. Nothing moved." in said
    said = main("HEAD~1:full", "HEAD:full", "--exact")
    assert said.startswith("1: ")
    assert "seeds.0.accuracy" in said
    assert "1 value moved in 1 file" in said
    Path(METRICS).write_text(Path(METRICS).read_text().replace("0.25", "0.375"))
    assert "seeds.0.accuracy" in main("HEAD", ".", "--exact")


@pytest.mark.parametrize("lost", ["everything", "one file", "the lists of files"])
def test_where_the_cache_lacks_something_the_scores_are_compared(repository: Path, main: Main, lost: str) -> None:
    if lost == "everything":
        shutil.rmtree(".dvc/cache")
    elif lost == "one file":
        next(path for path in objects() if path.read_bytes() == Path("full", METRICS).read_bytes()).unlink()
    else:
        for path in Path(".dvc/cache/files").rglob("*.dir"):
            path.unlink()
    with home_of("HEAD:full") as home:
        assert not (home / "results").exists()
    said = main("HEAD~1:full", "HEAD:full", "--exact")
    assert said.startswith("1: ")
    assert "1 cells, by their rows in scores.csv, compared, byte for byte." in said
    assert "elman, test_accuracy" in said
    assert "elman, evaluation" in said
    assert "elman, training" not in said


def test_a_revision_before_there_were_scores_is_refused(repository: Path) -> None:
    git("rm", "-q", "--cached", "full/scores.csv")
    git("commit", "-qm", "none")
    with pytest.raises(StageError, match=r"HEAD:full has no scores\.csv"), home_of("HEAD:full"):
        pass
