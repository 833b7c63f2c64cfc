"""The common hash of the source files that decide a cell's numbers: those that dvc.yaml names for its training."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from models.registry import models
from stages.core.dependencies import ROOT, code_of, files_in
from stages.core.files import sha256, sha256_of


def code_files(architecture: str) -> Iterator[Path]:
    """The files that decide what training ``architecture`` gives."""
    module = sys.modules[models()[architecture].__module__]
    return files_in(code_of("train-run", module.__name__.rpartition(".")[2]))


def code_digest(architecture: str) -> str:
    """SHA-256 over the names and contents of :func:`code_files`."""
    return sha256_of({path.relative_to(ROOT).as_posix(): sha256(path) for path in code_files(architecture)})
