"""The code that a stage depends on, as dvc.yaml says: the one place where this stands."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from stages.core.files import read_yaml

ROOT = Path(__file__).resolve().parents[2]
MODEL_FILE = "${item.model.file}"


@cache
def _stages() -> dict[str, Any]:
    stages: dict[str, Any] = read_yaml(ROOT / "dvc.yaml")["stages"]
    return {name: stage.get("do", stage) for name, stage in stages.items()}


def code_of(stage: str, model_file: str = "") -> list[Path]:
    """The files and folders of code in the dependencies of a stage of dvc.yaml, as absolute paths.

    ``model_file``: which of ``models/``, for a stage that trains or evaluates what has a name.
    """
    code = [dep.removeprefix("${root}/") for dep in _stages()[stage]["deps"] if dep.startswith("${root}/")]
    return [ROOT / path.replace(MODEL_FILE, model_file) for path in code]


def files_in(paths: list[Path]) -> Iterator[Path]:
    """The files at and under ``paths``, but for what Python compiles and what a killed process left half-written."""
    for path in paths:
        if not path.is_dir():
            yield path
        else:
            for file in sorted(path.rglob("*")):
                if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".part":
                    yield file
