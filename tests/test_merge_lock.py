"""Merging what is made by running stages: real merges in a small repository that `make environment` has set up."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.merge_lock import merge_entries
from tests.preloaded import preloaded
from tests.small import REPOSITORY

BIN = Path(sys.executable).parent
PARAMS = """\
runs:
  first: {epochs: 1}
  # What is between the two lets git merge params.yaml
  # where the branches add a run at either end; where both
  # add it at the same place, a person has to.
  last: {epochs: 9}
"""
PIPELINE = """\
stages:
  check:
    cmd: cp params.yaml checked
    deps: [params.yaml]
    outs: [checked]
  train-run:
    foreach: ${runs}
    do:
      cmd: mkdir -p results && echo ${item.epochs} > results/${key}
      params: ["runs.${key}"]
      outs: ["results/${key}"]
  compare:
    cmd: cat results/* > compared
    deps: [checked, results]
    outs: [compared]
"""

pytestmark = pytest.mark.slow


class Repository:
    """A git repository with the project's commands, rules for merging and Makefile, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("commands", "stages"):
            shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in (".gitattributes", "Makefile", "pyproject.toml", "requirements.lock"):
            shutil.copy(REPOSITORY / name, folder)
        python = folder / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        (folder / ".venv" / "complete").touch()
        (folder / ".gitignore").write_text("/.*/\n__pycache__/\n/results/\n/checked\n/compared\n")

    def initialised(self) -> Repository:
        self.git("init", "-q", "-b", "main")
        for key, value in (("user.name", "Test"), ("user.email", "test@example.org")):
            self.git("config", key, value)
        return self

    def run(self, *command: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
        environment = preloaded(environment)
        ended = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        assert not ok or ended.returncode == 0, ended.stdout + ended.stderr
        return ended

    def git(self, *arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("git", *arguments, ok=ok)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()

    def commit(self, files: dict[str, str], *, repro: bool = False) -> None:
        """Commit ``files``, and what `dvc repro` makes of them."""
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)
        if repro:
            self.run("dvc", "repro")
        self.git("add", "-A")
        self.git("commit", "-qm", "a commit")

    def diverge(
        self, base: dict[str, str], ours: dict[str, str], theirs: dict[str, str], *, repro: bool = False
    ) -> None:
        """A commit, and two branches with one more each: `other`, and `main`, which is checked out."""
        self.commit(base, repro=repro)
        self.git("checkout", "-qb", "other")
        self.commit(theirs, repro=repro)
        self.git("checkout", "-q", "main")
        self.commit(ours, repro=repro)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path).initialised()
    made.run("make", "environment")
    return made


def lock(**sizes: int) -> str:
    """A dvc.lock as DVC writes it: stages by their names (__ for @), each of which depends on a file of this size."""
    stages = {name.replace("__", "@"): {"cmd": "true", "deps": [{"path": "code", "size": size}]}
              for name, size in sizes.items()}  # fmt: skip
    return yaml.safe_dump({"schema": "2.0", "stages": stages}, sort_keys=False)


def test_two_branches_that_each_add_a_run_merge_and_neither_run_is_made_again(repository: Repository) -> None:
    repository.diverge(
        {".dvc/config": "", "dvc.yaml": PIPELINE, "params.yaml": PARAMS},
        {"params.yaml": PARAMS.replace("runs:\n", "runs:\n  ours: {epochs: 2}\n")},
        {"params.yaml": PARAMS + "  theirs: {epochs: 3}\n"},
        repro=True,
    )
    merged = repository.git("merge", "other")
    assert merged.stderr == (
        "dvc.lock: left out, since both branches changed them: check, compare; make anew: `dvc repro`.\n"
    )
    assert re.findall("^  ([a-z].*):$", repository.read("dvc.lock"), flags=re.MULTILINE) == [
        "train-run@first", "train-run@last", "train-run@ours", "train-run@theirs",
    ]  # fmt: skip
    ran = repository.run("dvc", "repro").stdout
    assert re.findall("Running stage '(.*)'", ran) == ["check", "compare"]
    assert repository.read("compared").split() == ["1", "9", "2", "3"]  # first, last, ours, theirs


def test_the_merged_file_is_what_dvc_would_write(repository: Repository) -> None:
    """DVC's own file, from which one branch has taken the second stage and the other the last."""
    written = (REPOSITORY / "dvc.lock").read_text(encoding="utf-8")
    schema, *entries = re.split("^(?=  [a-z])", written, flags=re.MULTILINE)
    without = [schema + "".join(entry for place, entry in enumerate(entries) if place not in gone)
               for gone in ((1, len(entries) - 1), (1,), (len(entries) - 1,))]  # fmt: skip
    repository.diverge(*({"dvc.lock": text} for text in without))
    assert repository.git("merge", "other").stderr == ""
    merged = re.split("^(?=  [a-z])", repository.read("dvc.lock"), flags=re.MULTILINE)
    assert merged == [schema, entries[0], *entries[2:], entries[1]]


A, B = {"md5": "a"}, {"md5": "b"}


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged", "left_out"),
    [
        pytest.param({"s": A}, {"s": A}, {"s": B}, {"s": B}, [], id="changed there"),
        pytest.param({"s": A}, {"s": B}, {"s": A}, {"s": B}, [], id="changed here"),
        pytest.param({"s": A}, {"s": B}, {"s": B}, {"s": B}, [], id="changed alike"),
        pytest.param({"s": A}, {"s": B}, {"s": {}}, {}, ["s"], id="changed differently"),
        pytest.param({}, {"s": A}, {"s": A}, {"s": A}, [], id="added alike"),
        pytest.param({}, {"s": A}, {"s": B}, {}, ["s"], id="added differently"),
        pytest.param({"s": A}, {}, {"s": A}, {}, [], id="removed here"),
        pytest.param({"s": A}, {"s": A}, {}, {}, [], id="removed there"),
        pytest.param({"s": A}, {}, {}, {}, [], id="removed by both"),
        pytest.param({"s": A}, {}, {"s": B}, {}, ["s"], id="removed here, changed there"),
        pytest.param({"s": A}, {"s": B}, {}, {}, ["s"], id="changed here, removed there"),
    ],
)
def test_an_entry_is_taken_from_the_side_that_changed_it(
    base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any], merged: dict[str, Any], left_out: list[str]
) -> None:
    assert merge_entries(base, ours, theirs) == (merged, left_out)


def test_entries_stand_in_the_order_of_this_branch_and_then_of_the_other() -> None:
    base, ours, theirs = (dict.fromkeys(names, A) for names in ("ab", "cab", "xaby"))
    assert list(merge_entries(base, ours, theirs)[0]) == ["c", "a", "b", "x", "y"]


def test_of_the_full_reproduction_only_what_both_changed_is_made_again_in_the_order_of_the_pipeline(
    repository: Repository,
) -> None:
    base, ours, theirs = (lock(compare=size, train__lstm=size, kept=0) for size in (1, 2, 3))
    repository.diverge(
        {"full/dvc.lock": base, "full/dvc.yaml": "stages: {train: {}, compare: {}}"},
        {"full/dvc.lock": ours},
        {"full/dvc.lock": theirs},
    )
    assert repository.git("merge", "other").stderr == (
        "full/dvc.lock: left out, since both branches changed them: compare, train@lstm; make anew: "
        "`dvc checkout --allow-missing full/dvc.yaml`, then "
        "`dvc repro -s full/dvc.yaml:train@lstm full/dvc.yaml:compare`.\n"
    )
    assert repository.read("full/dvc.lock") == lock(kept=0)


@pytest.mark.parametrize(
    ("damaged", "side", "remedy"), [("ours", "this branch", "theirs"), ("theirs", "the other branch", "ours")]
)
@pytest.mark.parametrize("text", ["<<<<<<< HEAD\nschema: '2.0'\n=======\n", "- a list", "stages: 3", "stages: \x00"])
def test_a_damaged_lock_is_named_and_nothing_is_merged(
    repository: Repository, damaged: str, side: str, remedy: str, text: str
) -> None:
    sides = {"ours": lock(a=1, b=2), "theirs": lock(a=1, c=3), damaged: text}
    repository.diverge({"dvc.lock": lock(a=1)}, {"dvc.lock": sides["ours"]}, {"dvc.lock": sides["theirs"]})
    merged = repository.git("merge", "other", ok=False)
    assert merged.returncode == 1
    assert merged.stderr == (
        f"error: dvc.lock of {side} is damaged; take one that is whole with `git checkout --{remedy} dvc.lock`, "
        "then run `dvc repro`.\n"
    )
    assert repository.read("dvc.lock") == sides["ours"]
    repository.git("checkout", f"--{remedy}", "dvc.lock")
    assert repository.read("dvc.lock") == sides[remedy]


@pytest.mark.parametrize("name", ["headline.json", "scores.csv", "full/scores.csv", "full/reports/report.html"])
def test_what_a_stage_makes_of_the_results_stays_as_here_until_it_is_made_anew(
    repository: Repository, name: str
) -> None:
    repository.diverge({name: "before\n"}, {name: "ours\n"}, {name: "theirs\n"})
    assert repository.git("merge", "other").stderr == f"{name}: kept as on this branch, made anew by dvc repro\n"
    assert repository.read(name) == "ours\n"


def test_a_merge_that_was_begun_without_the_setting_is_repeated_with_it(repository: Repository) -> None:
    repository.git("config", "--remove-section", "merge.dvc-lock")
    repository.diverge({"dvc.lock": lock(a=1)}, {"dvc.lock": lock(a=1, b=2)}, {"dvc.lock": lock(a=1, c=3)})
    assert repository.git("merge", "other", ok=False).returncode == 1
    assert "<<<<<<<" in repository.read("dvc.lock")
    repository.run("make", "environment")
    repository.git("checkout", "--merge", "dvc.lock")
    assert repository.read("dvc.lock") == lock(a=1, b=2, c=3)


def test_outside_of_a_clone_nothing_is_set_and_nothing_said(tmp_path: Path) -> None:
    unpacked = Repository(tmp_path)
    made = unpacked.run("make", "--no-print-directory", "environment")
    assert (made.stdout, made.stderr) == ("", "")
    inner = Repository(tmp_path / "inner")
    unpacked.initialised()
    inner.run("make", "environment")
    assert "merge." not in unpacked.git("config", "--list", "--local").stdout


def test_an_unpacked_archive_runs_without_git_and_takes_to_it_later(tmp_path: Path) -> None:
    unpacked = Repository(tmp_path)
    for name, text in {"params.yaml": PARAMS, "dvc.yaml": PIPELINE, ".dvc/config": ""}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert "is not a git repository" in unpacked.run("dvc", "repro", ok=False).stderr
    unpacked.run("make", "environment")
    unpacked.run(sys.executable, "-m", "commands", "reproduce", ".", "--jobs", "2")
    assert unpacked.read("compared") == "1\n9\n"
    unpacked.initialised().run("make", "environment")
    assert "no_scm" not in unpacked.run("dvc", "config", "--list").stdout
    assert unpacked.run("dvc", "status").stdout.strip() == "Data and pipelines are up to date."
