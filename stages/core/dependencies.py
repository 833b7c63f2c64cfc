"""The code that a stage depends on, as dvc.yaml says: the one place where this stands."""

from __future__ import annotations

import os
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
        if path.is_dir():
            yield from _below(path)
        else:
            yield path


def _below(folder: Path) -> Iterator[Path]:
    """In the order of their paths; a folder that is gone meanwhile has none."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        path = folder / entry.name
        if entry.is_dir(follow_symlinks=False):
            if entry.name != "__pycache__":
                yield from _below(path)
        elif entry.is_file() and path.suffix != ".part":
            yield path
