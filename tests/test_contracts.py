"""Who imports whom: the contracts of pyproject.toml are kept, and would be broken by what they are there for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from tests.small import REPOSITORY

PACKAGES = ("stages", "models", "commands", "benchmarks")


def lint(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_the_contracts_are_kept() -> None:
    ended = lint(REPOSITORY)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize(
    ("contract", "module", "line"),
    [
        ("storeys", "stages.check", "import commands.audit"),
        ("storeys", "stages.report.page", "def draw():\n    import benchmarks.rows"),
        ("storeys", "models.gunn", "import stages.cell"),
        ("floors", "stages.core.text", "import stages.cell"),
        ("floors", "stages.train.local", "import stages.evaluate.size"),
        ("floors", "stages.results.read", "import stages.documents.paper"),
        ("floors", "stages.attic", "NAME = 1"),
        ("readers", "stages.headline", "import stages.learning.metrics"),
        ("models", "stages.learning.engine", "import models.gunn"),
        ("models", "commands.spotcheck", "import models.layers.stepwise"),
        ("plain", "stages.params.whole", "def check():\n    import torch"),
        ("clusters", "stages.train.local", "import ray"),
        ("clusters", "commands.reproduce.slurm", "def submit():\n    import submitit"),
        ("dvc", "commands.audit", "def audit():\n    from dvc.repo import Repo"),
        ("dvc", "stages.core.dvc_files", "import dvc_data"),
        ("circles", "stages.train.checkpoint", "def resume():\n    import stages.train.__main__"),
    ],
)
def test_an_import_that_a_contract_forbids_breaks_it(contract: str, module: str, line: str, tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        shutil.copytree(REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "*.csv"))
    with (tmp_path / f"{module.replace('.', '/')}.py").open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")
    ended = lint(tmp_path, "--contract", contract)
    assert ended.returncode == 1
    assert module.rpartition(".")[2] in ended.stdout.partition("Broken contracts")[2]


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Beside the contract, which looks at the modules of a package, but not at its own ``__init__``."""
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)
    steps = [(one, other) for one in graph.modules for other in graph.find_modules_directly_imported_by(one)]
    assert steps
    assert not [(one, *back) for one, other in steps if (back := graph.find_shortest_chain(other, one))]
