"""`python -m commands`: what can be run, in a sentence each, and the help of every command."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

from commands.__main__ import COMMANDS, main, module_of, sentence
from tests.small import REPOSITORY

TEXTS = (
    "*.md", "docs/*.md", "Makefile", ".github/workflows/*.yml",
    "benchmarks/**/*.py", "commands/**/*.py", "stages/**/*.py",
)  # fmt: skip


def ask(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["commands/__main__.py", *words])
    main()


@pytest.mark.parametrize("words", [(), ("--help",)])
def test_the_help_lists_every_command_with_a_short_sentence(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(monkeypatch, *words)
    listed = re.findall(r"^  (\S+) +(.+)$", capsys.readouterr().out, flags=re.MULTILINE)
    assert [name for name, _ in listed] == list(COMMANDS)
    for name, said in listed:
        assert re.fullmatch(r"[A-Z].{20,98}[.?]", said), name


def test_every_module_that_can_be_run_is_listed() -> None:
    runnable = set()
    for path in (REPOSITORY / "commands").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body):
            runnable.add(".".join(path.relative_to(REPOSITORY).with_suffix("").parts))
    assert runnable == {"commands.__main__", *map(module_of, COMMANDS)}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_explains_itself(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        ask(monkeypatch, name, "--help")
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert told.startswith(f"usage: python -m commands {name} ")
    assert sentence(name) in " ".join(told.split())


def test_an_unknown_command_is_one_sentence() -> None:
    words = [sys.executable, "-m", "commands", "reproduse", "."]
    ended = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"error: unknown command 'reproduse'; expected one of {', '.join(COMMANDS)}.\n"


def test_every_command_that_a_text_names_is_there() -> None:
    named = {}
    for path in (path for pattern in TEXTS for path in REPOSITORY.glob(pattern)):
        text = " ".join(path.read_text(encoding="utf-8").split())
        named |= dict.fromkeys(re.findall(r"python -m commands[ .]([a-z][\w-]*)", text), path.name)
    assert named.keys() >= {"reproduce", "audit", "pull-request"}
    assert {name: path for name, path in named.items() if name not in COMMANDS} == {}
