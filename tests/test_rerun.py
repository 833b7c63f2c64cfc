"""Running a pipeline again and comparing: a repository whose only stage writes a result in a moment."""

import os
import subprocess
from pathlib import Path

import pytest

from commands import rerun
from stages.core.errors import StageError
from tests.clone import BIN

STAGE = """
import pathlib
accuracy = float(pathlib.Path("accuracy.txt").read_text())
folder = pathlib.Path("results/training/only")
folder.mkdir(parents=True, exist_ok=True)
(folder / "curves.csv").write_text(f"test_accuracy\\n{accuracy}\\n")
pathlib.Path("scores.csv").write_text(f"key,test_accuracy,machine\\nonly,{accuracy},fake processor\\n")
"""
PIPELINE = """
stages:
  train:
    cmd: python train.py
    deps: [train.py, accuracy.txt]
    outs:
      - results/training/only
      - scores.csv: {cache: false}
"""

pytestmark = pytest.mark.slow


def git(*arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The committed scores of a small repository, which is the working directory and has the result as well."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / ".dvc").mkdir()
    texts = {"train.py": STAGE, "dvc.yaml": PIPELINE, "accuracy.txt": "0.5", ".dvc/config": "", ".gitignore": "results"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    exec(STAGE)
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "results")
    return tmp_path / "scores.csv"


def everything() -> dict[Path, tuple[bytes, int]]:
    """Content and time of every file here, but for git's own."""
    files = (path for path in Path().rglob("*") if path.is_file() and path.parts[0] != ".git")
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_results_that_come_out_again_pass_and_nothing_is_touched(
    scores: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything()
    assert rerun.check(None)
    assert "byte for byte" in capsys.readouterr().out
    assert everything() == before


def test_a_committed_number_that_does_not_come_out_is_named_and_the_fresh_one_can_be_kept(
    scores: Path, capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    scores.write_text(scores.read_text().replace("0.5", "0.9"))
    git("commit", "-qam", "embellished")
    before, kept = everything(), tmp_path_factory.mktemp("kept") / "fresh"
    assert not rerun.check(kept)
    said = capsys.readouterr().out
    assert "only, test_accuracy" in said and "0.9" in said and "0.5" in said
    assert "only,0.5," in (kept / "scores.csv").read_text()
    assert (kept / "results" / "training" / "only" / "curves.csv").read_text() == "test_accuracy\n0.5\n"
    assert everything() == before
    with pytest.raises(StageError, match="fresh exists; expected a new folder"):
        rerun.check(kept)


def test_code_that_is_changed_but_not_committed_is_what_runs(scores: Path) -> None:
    Path("accuracy.txt").write_text("0.75")
    assert not rerun.check(None)
    assert git("status", "--porcelain") == " M accuracy.txt\n"


def test_a_stage_that_fails_is_an_error(scores: Path) -> None:
    Path("accuracy.txt").write_text("none")
    with pytest.raises(StageError, match="the stage that DVC names above"):
        rerun.check(None)
