"""Which source files decide a cell's numbers, and their common hash."""

from __future__ import annotations

import sys
from pathlib import Path

from models.registry import models
from stages.files import sha256, sha256_of

_STAGES = Path(__file__).parent
_SHARED = (
    "arrays.py", "batches.py", "draws.py", "engine.py", "graphs.py", "inference.py", "learner.py", "metrics.py",
    "objectives.py", "recipe.py", "streams.py",
)  # fmt: skip


def code_digest(architecture: str) -> str:
    """SHA-256 over the engine's files, the architecture's own, and those of ``models/`` that it imports from."""
    module = sys.modules[models()[architecture].__module__]
    names = {str(getattr(value, "__module__", "")) for value in vars(module).values()} - {"models.registry"}
    modules = [module, *(sys.modules[name] for name in names if name.startswith("models."))]
    files = {*(_STAGES / name for name in _SHARED), *(Path(str(used.__file__)) for used in modules)}
    return sha256_of({path.name: sha256(path) for path in sorted(files)})
