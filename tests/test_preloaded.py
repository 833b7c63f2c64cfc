"""What tests run as a copy of a process with the libraries says, does and returns what a process of its own does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clone import BIN, Clone
from tests.preloaded import python
from tests.small import REPOSITORY

PIPELINE = """\
stages:
  source: {cmd: "python -m json.tool params.yaml > source", deps: [params.yaml], outs: [source]}
  told: {cmd: "python -c 'print(input())' < source > told", deps: [source], outs: [told]}
  refused: {cmd: "echo sorry >&2; python -c 'import sys; sys.exit(5)'", deps: [told]}
"""

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "words",
    [
        ("-m", "stages.download", "--help"),
        ("-m", "stages.headline", "nowhere"),
        ("-c", "import sys; print(sys.argv); sys.exit(7)", "first", "second"),
        ("-c", "import sys; print('half', end=''); sys.exit('a sentence')"),
        ("-c", "import os, signal; print(os.getcwd(), os.environ['TOLD'], flush=True); os.kill(os.getpid(), 9)"),
        ("-c", "import atexit; atexit.register(print, 'in the end')"),
        ("--version",),
    ],
    ids=["help", "error", "status", "sentence", "killed", "normal end", "something else"],
)
def test_a_copy_says_and_returns_what_a_process_of_its_own_does(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOLD", "told")
    alone = subprocess.run([sys.executable, *words], cwd=REPOSITORY, capture_output=True, text=True)
    copy = python(*words)
    assert (copy.returncode, copy.stdout, copy.stderr) == (alone.returncode, alone.stdout, alone.stderr)


def test_dvc_runs_says_and_records_the_same_either_way(tmp_path: Path) -> None:
    first, second = tmp_path / "processes", tmp_path / "copies"
    first.mkdir()
    for name, text in {"dvc.yaml": PIPELINE, "params.yaml": "{}", ".dvc/config": ""}.items():
        (first / name).parent.mkdir(exist_ok=True)
        (first / name).write_text(text)
    Clone(first, copies=False).run("git", "init", "-q")
    shutil.copytree(first, second)
    alone, copied = (Clone(folder, copies=folder == second) for folder in (first, second))
    for words in (("status",), ("repro",), ("status",), ("repro", "told"), ("repro", "nothing")):
        expected, ended = (clone.dvc(*words, ok=False) for clone in (alone, copied))
        assert (ended.returncode, ended.stdout) == (expected.returncode, expected.stdout)
        assert ended.stderr == expected.stderr
    assert "sorry" in alone.dvc("repro", ok=False).stderr
    assert (second / "dvc.lock").read_bytes() == (first / "dvc.lock").read_bytes()
    assert (second / "told").read_text() == "{}\n"


def test_the_code_of_the_project_is_read_when_it_is_run_and_not_before(tmp_path: Path) -> None:
    (tmp_path / "stages").mkdir()
    for told in ("before", "after"):
        (tmp_path / "stages" / "__init__.py").write_text(f"print({told!r}.upper())")
        os.utime(tmp_path / "stages" / "__init__.py", (len(told), 0))
        ended = python("-c", "import stages", folder=tmp_path)
        assert ended.stdout == f"{told.upper()}\n", ended.stderr


def test_the_libraries_are_there_and_the_interpreter_is_that_of_the_tests() -> None:
    told = python("-c", "import sys; print(sys.executable, 'torch' in sys.modules, 'stages' in sys.modules)")
    assert told.stdout.split() == [str(BIN / Path(sys.executable).name), "True", "False"]
