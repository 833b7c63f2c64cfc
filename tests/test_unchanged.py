"""What is recorded is what ran: an edit while a stage runs makes it fail, in one sentence."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import stages
from commands.reproduce.driver import reproduce
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.core.unchanged import unchanged
from tests.dvc_here import dvc
from tests.preloaded import python
from tests.small import REPOSITORY, write_split

KEY = "digits-recurnet1-4"

pytestmark = pytest.mark.slow


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder of inputs."""
    folder = tmp_path / "inputs"
    (folder / "inner").mkdir(parents=True)
    for name in ("a", "inner/b"):
        (folder / name).write_text(name)
    return folder


def test_a_block_that_leaves_its_inputs_alone_may_write_and_touch(inputs: Path) -> None:
    with unchanged([inputs, inputs / "not there"], lambda: [1]):
        os.utime(inputs / "a", (0, 0))
        (inputs / "inner" / "b").write_text("inner/b")
        (inputs / "__pycache__").mkdir()
        (inputs / "__pycache__" / "c.pyc").write_text("compiled")


EDITS: dict[str, Callable[[Path], object]] = {
    r"inputs/a was changed while this stage ran": lambda folder: (folder / "a").write_text("A"),
    r"inputs/c was added while this stage ran": lambda folder: (folder / "c").write_text("c"),
    r"inputs/inner/b was removed while this stage ran": lambda folder: (folder / "inner" / "b").unlink(),
}


@pytest.mark.parametrize("said", EDITS)
def test_what_was_edited_is_named(said: str, inputs: Path) -> None:
    why = "so that its result would not be of what is recorded; run it again"
    with pytest.raises(StageError, match=f"{said}, {why}"), unchanged([inputs]):
        EDITS[said](inputs)


def test_other_settings_than_in_the_beginning_are_refused(inputs: Path) -> None:
    used = [1]
    said = "The parameters of this stage were changed while it ran; run it again"
    with pytest.raises(StageError, match=said), unchanged([inputs], lambda: list(used)):
        used.append(2)


def test_code_that_was_edited_while_the_process_read_it_is_refused(inputs: Path) -> None:
    code = inputs / "code.py"
    code.write_text("")
    os.utime(code, (stages.STARTED + 1, stages.STARTED + 1))
    said = r"code\.py was changed while this stage was starting"
    with pytest.raises(StageError, match=said), unchanged([inputs]):
        raise AssertionError("the block must not begin")


def test_a_failure_of_the_block_is_told_as_it_is(inputs: Path) -> None:
    with pytest.raises(StageError, match="its own"), unchanged([inputs]):
        (inputs / "a").write_text("A")
        raise StageError("its own")


# A stage that edits a file as soon as it is at work: after the first step, with the first predictions, with the tables.
PROGRAM = """
import importlib, sys
from pathlib import Path

stage, hook, path, old, new = (sys.argv.pop(1) for _ in range(5))
module, _, name = hook.rpartition(".")
module = importlib.import_module(module)
original = getattr(module, name)

def edit(*arguments, **options):
    setattr(module, name, original)
    Path(path).write_text(Path(path).read_text().replace(old, new))
    return original(*arguments, **options)

setattr(module, name, edit)
from stages.core.errors import run_stage
run_stage(importlib.import_module(f"stages.{stage}.__main__").main)
"""
HOOKS = {
    "train": "stages.train.local.train_together",
    "evaluate": "stages.evaluate.cell.measure",
    "compare": "stages.compare.tables.write_tables",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which a small cell is trained, evaluated and compared."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("stages", "models", "papers"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "dvc.yaml", folder)
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["recurnets"]["recipe"] |= {"epochs": 1, "batch_size": 25, "test_batch_size": 25}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    write_split(Layout(folder))
    for command in (["check", "."], ["train", ".", KEY], ["evaluate", ".", KEY], ["compare", "."]):
        ended = run(folder, "-m", f"stages.{command[0]}", *command[1:])
        assert ended.returncode == 0, ended.stderr
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return python(*arguments, folder=folder, RECURNETS_TRAIN_ANEW="1", PYTHONDONTWRITEBYTECODE="1")


@pytest.mark.parametrize(
    ("stage", "path", "old", "new", "said"),
    [
        ("train", "stages/learning/engine.py", '"""', '"""Edited. ', "stages/learning/engine.py was changed"),
        ("train", "models/recurnets.py", '"""', '"""Edited. ', "models/recurnets.py was changed"),
        ("train", "data/digits/dataset.json", "{", "{ ", "data/digits/dataset.json was changed"),
        ("train", "params.yaml", "epochs: 1\n", "epochs: 2\n", "The parameters of this stage were changed"),
        ("evaluate", "stages/evaluate/size.py", '"""', '"""Edited. ', "stages/evaluate/size.py was changed"),
        ("evaluate", f"results/training/{KEY}/run.json", "{", "{ ", f"results/training/{KEY}/run.json was changed"),
        ("evaluate", "params.yaml", "threads: 1\n", "threads: 2\n", "The parameters of this stage were changed"),
        ("compare", "stages/compare/verdicts.py", '"""', '"""Edited. ', "stages/compare/verdicts.py was changed"),
        ("compare", "papers/gunn/paper.yaml", "title: ", "title:  ", "papers/gunn/paper.yaml was changed"),
        ("compare", "checked/cells.json", "{", "{ ", "checked/cells.json was changed"),
    ],
)
def test_a_stage_whose_inputs_are_edited_fails(
    project: Path, stage: str, path: str, old: str, new: str, said: str
) -> None:
    edited = project / path
    before = edited.read_text()
    assert old in before
    key = [] if stage == "compare" else [KEY]
    ended = run(project, "-c", PROGRAM, stage, HOOKS[stage], path, old, new, ".", *key)
    edited.write_text(before)
    os.utime(edited, (0, 0))  # for the next one, whose process may begin within the same tick of the clock
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: {said}"), ended.stderr
    assert "run it again" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_an_edit_that_a_stage_does_not_depend_on_is_allowed(project: Path) -> None:
    """Other entries of params.yaml, and code that decides none of its numbers."""
    path = project / "params.yaml"
    before = path.read_text()
    ended = run(project, "-c", PROGRAM, "train", HOOKS["train"], "params.yaml", "depth: 4\n", "depth: 5\n", ".", KEY)
    path.write_text(before)
    assert ended.returncode == 0, ended.stderr


def test_side_by_side_nothing_is_recorded_of_a_stage_whose_inputs_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Commands that do not look after it themselves: code, data and parameters, edited in the middle."""
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    dvc("init")
    Path("data").write_text("data")
    Path("params.yaml").write_text("depth: 4\n")
    edits = {"data": "echo edited >> data", "depth": "echo 'depth: 5' > params.yaml"}
    cells = {
        name: {"cmd": f"{edit}; echo {name} > {name}.out", "outs": [f"{name}.out"]} for name, edit in edits.items()
    }
    cells["data"]["deps"], cells["depth"]["params"] = ["data"], ["depth"]
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": cells}))
    with pytest.raises(StageError, match="2 of 2 stages failed"):
        reproduce(Path(), 1)
    said = capfd.readouterr().out
    assert "failed: data: data changed while it ran; run it again" in said
    assert "failed: depth: params.yaml changed while it ran; run it again" in said
    assert not Path("dvc.lock").exists() or not yaml.safe_load(Path("dvc.lock").read_text()).get("stages")
