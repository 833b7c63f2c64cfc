"""Which source files decide a cell's numbers, and their common hash.

They are the code that a training stage of dvc.yaml depends on, and no other (a test compares the two).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from models.registry import models
from stages.core.files import sha256, sha256_of

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("models/layers", "stages/cell", "stages/learning", "stages/splits")


def code_files(architecture: str) -> Iterator[Path]:
    """The files that decide what training ``architecture`` gives."""
    yield Path(str(sys.modules[models()[architecture].__module__].__file__)).resolve()
    for folder in FOLDERS:
        yield from (ROOT / folder).rglob("*.py")


def code_digest(architecture: str) -> str:
    """SHA-256 over the names and contents of :func:`code_files`."""
    return sha256_of({path.relative_to(ROOT).as_posix(): sha256(path) for path in code_files(architecture)})
