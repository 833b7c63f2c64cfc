"""What the source may not do: run what a file says, draw from a random state that nothing names."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.small import REPOSITORY


def nodes(*folders: str) -> Iterator[tuple[str, ast.AST]]:
    """The syntax of the program, by file."""
    for folder in folders:
        for path in REPOSITORY.glob(f"{folder}/**/*.py"):
            yield from ((path.name, node) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def test_nothing_is_unpickled_but_by_the_restricted_reader() -> None:
    """What ruff's S301 does not see: torch.load, numpy.load and classes of one's own."""
    loads, keywords, readers = 0, [], []
    for name, node in nodes("stages", "commands", "models", "benchmarks"):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            loads += 1
        elif isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "weights_only"):
            keywords.append((node.arg, ast.unparse(node.value)))
        elif isinstance(node, ast.Attribute | ast.Name) and ast.unparse(node).endswith("Unpickler"):
            readers.append(name)
    assert loads
    assert keywords == [("weights_only", "True")] * loads
    assert readers == ["readers.py"]


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("import pickle\npickle.load(open('x', 'rb'))\n", "S301"),
        ("import yaml\nyaml.load('x', Loader=yaml.Loader)\n", "S506"),
        ("import random\n", "TID251"),
        ("import numpy as np\nnp.random.seed(0)\n", "NPY002"),
        ("import numpy as np\nnp.random.rand(3)\n", "NPY002"),
        ("import numpy as np\nnp.random.default_rng()\n", "TID251"),
        ("import torch\ntorch.manual_seed(0)\n", "TID251"),
        ("from torch import randperm\nrandperm(3)\n", "TID251"),
        ("import torch\ntorch.rand(3)\n", "TID251"),
    ],
)
def test_the_lint_refuses_unpickling_and_global_random_state(code: str, rule: str) -> None:
    words = [sys.executable, "-m", "ruff", "check", "--output-format=concise", "--stdin-filename=stages/new.py", "-"]
    ended = subprocess.run(words, input=code, cwd=REPOSITORY, capture_output=True, text=True)
    assert ended.returncode == 1
    assert f" {rule} " in ended.stdout


def test_draws_in_the_stages_name_their_generator() -> None:
    """Where the lint allows drawing, because the generator is given, it must be given."""
    draws = re.compile(r"torch\.(rand\w*|normal|bernoulli|multinomial)")
    calls = [n for _, n in nodes("stages") if isinstance(n, ast.Call) and draws.fullmatch(ast.unparse(n.func))]
    assert calls
    for call in calls:
        assert "generator" in {keyword.arg for keyword in call.keywords}, ast.unparse(call)
