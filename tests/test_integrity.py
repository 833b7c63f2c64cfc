"""A flipped byte is found and named, wherever it is; and nothing that is read can run code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from commands.audit import audit, damages
from commands.damage import damaged_objects, damaged_outputs
from stages.cell import Compute
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.evaluate.cell import evaluate_cell
from stages.learning.weights import load_weights
from stages.splits.format import read_split
from stages.train import local as train
from tests.small import REPOSITORY, small_cell, write_split

COMPUTE = Compute(device="cpu", threads=1)
PIPELINE = """
stages:
  make:
    cmd: python make.py
    deps: [make.py]
    outs:
      - results/training
      - scores.csv: {cache: false}
      - reports/tables: {cache: false}
"""
MAKE = """
from pathlib import Path
for name in (
    "results/training/a", "results/training/sub/b", "scores.csv", "reports/tables/x.csv", "reports/tables/s/y"
):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(name * 9)
"""

pytestmark = pytest.mark.slow


def flip(path: Path, position: int = -5) -> None:
    """Flip one bit, and keep the time of change, as a failing disk does; DVC's objects are read-only."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[position] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def command(*words: str) -> None:
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(words, check=True, env={**environment, "PATH": path}, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose outputs, cached and committed, files and folders, DVC has made and recorded."""
    folder = tmp_path_factory.mktemp("reproduced")
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "make.py").write_text(MAKE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        command("git", "init", "-q")
        command("dvc", "init", "-q")
        shutil.copy(REPOSITORY / ".dvcignore", folder)
        command("dvc", "repro", "-q")
        (folder / ".gitignore").write_text("/results\n")
        command("git", "add", "-A")
        command("git", "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-qm", "made")
    return folder


CACHE = Path(".dvc/cache/files/md5")


def objects() -> list[Path]:
    return sorted(path for path in CACHE.glob("??/*") if path.is_file())


def test_what_dvc_made_is_whole(reproduced: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(reproduced)
    assert len(objects()) == 3  # the two files of results/training and their list
    (Path("reports/tables") / ".x.csv.abc.part").write_text("of a killed process")
    audit([Path()])


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("results/training/sub/b", "restore it with `rm -r results/training && dvc checkout results/training`"),
        ("scores.csv", r"restore it with `git checkout \w+ -- scores\.csv`"),
        ("reports/tables/s/y", r"restore it with `git checkout \w+ -- reports/tables`"),
    ],
)
def test_a_flipped_byte_of_an_output_is_named(
    name: str, remedy: str, reproduced: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(reproduced)
    flip(Path(name))
    with pytest.raises(StageError, match=f"1 file not as recorded, {name} first"):
        audit([Path()])
    said = re.search(
        rf"{name} is damaged: MD5 \w{{32}} was expected, \w{{32}} was found; ({remedy})\.", capsys.readouterr().out
    )
    assert said is not None
    follow(said[1])
    audit([Path()])


def follow(remedy: str) -> None:
    """Run the command that is given, which must not make anything again."""
    made = Path("make.py").rename("make.gone")
    command("sh", "-c", remedy.split("`")[1])
    made.rename("make.py")


def test_a_flipped_byte_that_was_committed_is_named(reproduced: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(reproduced)
    flip(Path("reports/tables/x.csv"))
    command("git", "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-qam", "flipped")
    (damage,) = damaged_outputs(Path(), CACHE)
    follow(damage.remedy)
    assert damaged_outputs(Path(), CACHE) == []


def test_a_folder_is_named_where_nothing_tells_its_files(reproduced: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(reproduced)
    flip(Path("results/training/a"))
    (damage,) = damaged_outputs(Path(), Path("no cache"))
    flip(Path("results/training/a"))
    assert str(damage.path) == "results/training"
    assert damage.expected.endswith(".dir")


def test_a_damaged_object_of_the_cache_is_named_and_restored_from_the_output(
    reproduced: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(reproduced)
    damaged = next(path for path in objects() if path.suffix != ".dir")
    whole = damaged.read_bytes()
    flip(damaged)
    with pytest.raises(StageError, match=re.escape(str(damaged))):
        audit([Path()])
    assert f"MD5 {damaged.parent.name}{damaged.name} was expected" in capsys.readouterr().out
    (damage,) = damaged_objects(CACHE, [Path()])
    follow(damage.remedy)
    assert damaged.read_bytes() == whole
    audit([Path()])


@pytest.mark.parametrize("kind", ["a file", "the list of files"])
def test_where_output_and_object_are_damaged_the_stage_runs_again(
    kind: str, reproduced: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(reproduced)
    output, whole = Path("results/training/a"), Path("results/training/a").read_bytes()
    (damaged,) = (p for p in objects() if (p.suffix == ".dir" if kind != "a file" else p.read_bytes() == whole))
    flip(damaged, 0)
    flip(output)
    for damage in damages([Path()]):
        command("sh", "-c", damage.remedy.split("`")[1])
    assert output.read_bytes() == whole
    audit([Path()])


def test_a_damaged_lock_is_named(tmp_path: Path) -> None:
    for text in ("stages: {a: {outs: [{path: x}]}}", "{", "stages: 3", ""):
        (tmp_path / "dvc.lock").write_text(text)
        with pytest.raises(StageError, match=r"dvc\.lock is damaged; restore it"):
            damaged_outputs(tmp_path, tmp_path)


@pytest.mark.parametrize("home", [".", "full"])
def test_what_is_committed_is_whole(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    committed = set(subprocess.check_output(["git", "ls-files"], text=True).split("\n"))
    assert [damage for damage in damaged_outputs(Path(home), CACHE) if str(damage.path) in committed] == []


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    layout = Layout(tmp_path_factory.mktemp("trained"))
    write_split(layout)
    train.train_cell(small_cell(epochs=1), COMPUTE, layout)
    return layout


@pytest.mark.parametrize("name", ["train_images.npy", "test_labels.npy"])
def test_a_flipped_byte_of_the_data_stops_whoever_reads_them(name: str, trained: Layout) -> None:
    path = trained.data("digits") / name
    flip(path)
    for stage in (train.train_cell, evaluate_cell):
        with pytest.raises(StageError, match=rf"{name} is damaged: SHA-256 \w{{64}} was expected, \w{{64}} was found"):
            stage(small_cell(epochs=2), COMPUTE, trained)
    flip(path)
    read_split(path.parent)


def test_a_flipped_byte_of_the_weights_stops_their_evaluation(trained: Layout) -> None:
    path = trained.training(small_cell()) / "seed-0.safetensors"
    for position in (3, 40, -5):
        flip(path, position)
        with pytest.raises(
            StageError, match=r"seed-0\.safetensors is damaged: SHA-256 .* delete it and run `dvc repro`"
        ):
            evaluate_cell(small_cell(epochs=1), COMPUTE, trained)
        flip(path, position)
    assert not trained.evaluation(small_cell()).exists()
    assert not trained.evaluation_clock(small_cell()).exists()
    assert load_weights(path.parent, 0)


def test_a_flipped_byte_of_the_weights_own_digests_is_one_sentence(trained: Layout) -> None:
    path = trained.training(small_cell()) / "weights.json"
    for position in range(len(path.read_bytes())):
        flip(path, position)
        with pytest.raises(StageError, match=str(path.parent)):
            load_weights(path.parent, 0)
        flip(path, position)
