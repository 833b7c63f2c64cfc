"""Which source files decide a cell's numbers, and their common hash."""

from __future__ import annotations

import sys
from pathlib import Path

from models.registry import models
from stages.files import sha256, sha256_of

_STAGES = Path(__file__).parent
_SHARED = ("arrays.py", "batches.py", "engine.py", "metrics.py", "streams.py")


def code_digest(architecture: str) -> str:
    """SHA-256 over the engine's files and the architecture's own."""
    model_file = sys.modules[models()[architecture].__module__].__file__
    assert model_file is not None
    files = [*(_STAGES / name for name in _SHARED), Path(model_file)]
    return sha256_of({path.name: sha256(path) for path in files})
