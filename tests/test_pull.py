"""Published results come into a bare clone by one command, from a folder of the repository."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from commands.dvc_inside.repository import stale_stages
from commands.pull import main, pull, without_weights
from stages.core.errors import StageError
from stages.core.layout import Layout
from tests.dvc_here import dvc


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of a repository that published two trained cells, one of them without weights, and not its data."""
    origin = tmp_path / "origin"
    (origin / "full").mkdir(parents=True)
    monkeypatch.chdir(origin)
    subprocess.run(["git", "init", "-q"], check=True)
    dvc("init")
    with Path(".dvc/config").open("a") as stream:
        stream.write("['remote \"published\"']\n    url = ../published\n")
    stages = {"data": {"cmd": "mkdir -p data && echo 1 > data/x", "outs": [{"data": {"push": False}}]}}
    for key, files in {"whole": ["run.json", "weights.json"], "bare": ["run.json"]}.items():
        out = f"results/training/{key}"
        made = " && ".join(f"echo '{{}}' > {out}/{name}" for name in files)
        stages[key] = {"cmd": f"mkdir -p {out} && {made}", "deps": ["data"], "outs": [out]}
    Path("full/dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    Path("full/.gitignore").write_text("/data\n/results\n")
    dvc("repro", "full/dvc.yaml")
    dvc("push", "--remote", "published")
    subprocess.run(["git", "add", "-A"], check=True)
    author = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", *author, "commit", "-qm", "published"], check=True)
    subprocess.run(["git", "clone", "-q", str(origin), str(tmp_path / "clone")], check=True)
    monkeypatch.chdir(tmp_path / "clone")
    return tmp_path / "clone"


def test_what_is_published_comes_into_a_bare_clone(
    clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["pull", "full"])
    main()
    said = capsys.readouterr().out
    assert "full has 2 outputs in place, 2 trained cells among them.\n" in said
    assert said.rstrip().endswith("without their weights: bare.")
    assert json.loads((clone / "full/results/training/whole/run.json").read_text()) == {}
    assert not (clone / "full" / "data").exists()
    assert without_weights(Layout(Path("full"))) == ["bare"]
    assert subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True).stdout == ""
    assert stale_stages(Path("full")) == []


def test_a_clone_without_the_published_folder_is_told_what_to_do(clone: Path) -> None:
    subprocess.run(["rm", "-r", "published"], check=True)
    with pytest.raises(StageError, match=r"nothing of full/dvc\.lock is in .*published/files/md5; restore it with"):
        pull(Path("full"))
