"""Running a pipeline again and comparing: a repository whose only stage writes a result in a moment."""

import json
import subprocess
from pathlib import Path

import pytest

from commands import rerun
from stages.core.errors import StageError

ENVIRONMENT = {"device_name": "fake processor", "threads": 1, "torch": "2.13.0"}
STAGE = f"""
import json, pathlib
folder = pathlib.Path("results/runs/only")
folder.mkdir(parents=True, exist_ok=True)
accuracy = float(pathlib.Path("accuracy.txt").read_text())
(folder / "metrics.json").write_text(json.dumps({{"seeds": [{{"accuracy": accuracy}}]}}))
(folder / "environment.json").write_text(json.dumps({ENVIRONMENT!r}))
"""
PIPELINE = """
stages:
  train:
    cmd: python train.py
    deps: [train.py, accuracy.txt]
    outs:
      - results/runs/only: {cache: false}
"""


def git(*arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The committed result of a small repository, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()
    texts = {"train.py": STAGE, "dvc.yaml": PIPELINE, "accuracy.txt": "0.5", ".dvc/config": ""}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    exec(STAGE)
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "results")
    return tmp_path / "results" / "runs" / "only" / "metrics.json"


def test_results_that_come_out_again_pass_and_nothing_is_touched(
    metrics: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = metrics.stat().st_mtime_ns
    assert rerun.check(None)
    assert "byte for byte" in capsys.readouterr().out
    assert git("status", "--porcelain", "--ignored") == ""
    assert metrics.stat().st_mtime_ns == times


def test_a_committed_number_that_does_not_come_out_is_named_and_the_fresh_one_can_be_kept(
    metrics: Path, capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    metrics.write_text(metrics.read_text().replace("0.5", "0.9"))
    git("commit", "-qam", "embellished")
    kept = tmp_path_factory.mktemp("kept") / "fresh"
    assert not rerun.check(kept)
    assert "0.9" in (said := capsys.readouterr().out) and "0.5" in said
    assert json.loads((kept / "results" / "runs" / "only" / "metrics.json").read_text())["seeds"][0]["accuracy"] == 0.5
    assert git("status", "--porcelain", "--ignored") == ""
    with pytest.raises(StageError, match="fresh exists; expected a new folder"):
        rerun.check(kept)


def test_code_that_is_changed_but_not_committed_is_what_runs(metrics: Path) -> None:
    Path("accuracy.txt").write_text("0.75")
    assert not rerun.check(None)
    assert git("status", "--porcelain", "--ignored") == " M accuracy.txt\n"


def test_a_stage_that_fails_is_an_error(metrics: Path) -> None:
    Path("accuracy.txt").write_text("none")
    with pytest.raises(StageError, match="the stage that DVC names above"):
        rerun.check(None)
