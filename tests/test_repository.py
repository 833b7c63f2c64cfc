"""What a clone brings beside code: line ends, the list of targets, hooks, the floor plan."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.small import REPOSITORY

MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
ARCHITECTURE = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")


def run(*command: str, folder: Path = REPOSITORY) -> str:
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, encoding="utf-8").stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone for which git is told to use Windows line ends, without its files."""
    folder = tmp_path / "clone"
    run("git", "clone", "--quiet", "--no-checkout", "-c", "core.autocrlf=true", str(REPOSITORY), str(folder))
    return folder


def committed(folder: Path) -> dict[str, str]:
    """The hash by which git knows the content of every file, by its path."""
    entries = run("git", "ls-tree", "-r", "-z", "HEAD", folder=folder).rstrip("\0").split("\0")
    return {path: about.split()[2] for about, path in (entry.split("\t") for entry in entries)}


def blob(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def test_a_clone_with_windows_line_ends_has_the_committed_bytes(clone: Path) -> None:
    run("git", "checkout", "--quiet", "HEAD", "--", ".", folder=clone)
    files = committed(clone)
    assert {"params.yaml", "dvc.yaml", "stages/check.py"} <= files.keys()
    assert [name for name, expected in files.items() if blob(clone / name) != expected] == []


def test_without_the_rule_such_a_clone_would_have_other_bytes(clone: Path) -> None:
    (clone / ".git" / "info" / "attributes").write_text("* !eol\n")
    run("git", "checkout", "--quiet", "HEAD", "--", "params.yaml", folder=clone)
    assert b"\r\n" in (clone / "params.yaml").read_bytes()


def test_plain_make_reproduces_and_help_has_a_sentence_for_every_target() -> None:
    targets = re.findall(r"^([\w-]+):", MAKEFILE, flags=re.MULTILINE)
    assert targets[0] == "reproduce"
    lines = [line.split(maxsplit=2) for line in run("make", "--no-print-directory", "help").splitlines()]
    assert [(line[0], line[1]) for line in lines] == [("make", target) for target in targets]
    assert all(len(line) == 3 for line in lines)


def test_hooks_run_what_the_lint_runs_from_the_environment() -> None:
    (source,) = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert source["repo"] == "local"
    lint = {line.split()[0] for line in re.search(r"^lint:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)[1].splitlines()}
    tools = {Path(hook["entry"].split()[0]) for hook in source["hooks"]}
    assert {str(tool.parent) for tool in tools} == {".venv/bin"}
    assert {tool.name for tool in tools} <= lint
    assert all(Path(sys.executable).with_name(tool.name).is_file() for tool in tools)


def test_the_floor_plan_names_every_room() -> None:
    folders = {f"stages/{path.parent.name}/" for path in REPOSITORY.glob("stages/*/__init__.py")}
    files = {f"stages/{path.name}" for path in REPOSITORY.glob("stages/*.py") if path.name != "__init__.py"}
    rooms = re.findall(r"^\| `(stages/[^`]+)` \|", ARCHITECTURE, flags=re.MULTILINE)
    assert sorted(rooms) == sorted(folders | files)


@pytest.mark.parametrize("path", sorted(REPOSITORY.glob("tests/test_*.py")), ids=lambda path: path.stem)
def test_the_first_line_of_a_test_file_says_what_it_is_about(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith('"""')


def test_no_file_of_tests_is_a_library_of_another() -> None:
    files = sorted((REPOSITORY / "tests").glob("*.py"))
    assert len(files) > 100
    imported = re.compile(r"^\s*(?:from tests\.test_|import tests\.test_|from tests import .*\btest_)", re.MULTILINE)
    assert [path.name for path in files if imported.search(path.read_text(encoding="utf-8"))] == []
