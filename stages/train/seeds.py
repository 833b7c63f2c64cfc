"""Seeds that were trained before: a seed is trained once, whatever set of seeds asks for it.

A finished seed is kept beside DVC's cache, under a fingerprint of everything that decides its numbers. What is kept may
be deleted at any time; it is then trained again when it is needed, or found among the outputs that dvc.lock records.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.cell import Cell, Compute
from stages.core.dvc_files import cache_folder
from stages.core.errors import StageError
from stages.core.files import atomic_folder, read_json, sha256_of, write_json
from stages.learning.engine import History
from stages.learning.weights import Weights, load_weights, write_weights

KEPT = "kept.json"


@dataclass(frozen=True)
class TrainedSeed:
    """What training a seed left. ``environment``: what it was trained on, as environment.json has it."""

    weights: Weights
    history: History
    environment: dict[str, Any]


def fingerprint(cell: Cell, seed: int, data: str, code: str, compute: Compute) -> str:
    """SHA-256 over what decides a seed's numbers, but for the machine.

    Not its name, nor the study or the paper that it is trained for, nor the other seeds. ``data``: the digest of what
    the seed sees of its split. ``code``: that of :mod:`stages.train.code_digest`.
    """
    recipe = cell.recipe.model_dump(mode="json", exclude={"seeds"})
    about = cell.model_dump(mode="json", include={"architecture", "options", "transform"})
    computed = compute.model_dump(mode="json")
    return sha256_of({**about, "recipe": recipe, "seed": seed, "data": data, "code": code, **computed})


class KeptSeeds:
    """The seeds that are kept in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """The folder of the seed whose fingerprint is ``name``."""
        return self.folder / name[:2] / name

    def has(self, name: str) -> bool:
        """Whether the seed whose fingerprint is ``name`` is here, damaged perhaps."""
        return (self.path(name) / KEPT).is_file()

    def keep(self, name: str, seed: int, trained: TrainedSeed) -> None:
        """Keep what training a seed left."""
        about = {"seed": seed, "history": vars(trained.history), "environment": trained.environment}
        with atomic_folder(self.path(name)) as folder:
            write_weights(folder, {seed: trained.weights})
            write_json(folder / KEPT, {**about, "sha256": sha256_of(about)})

    def find(self, name: str) -> TrainedSeed | None:
        """The seed whose fingerprint is ``name``; None if it is not here. A :class:`StageError` if it is damaged."""
        if not self.has(name):
            return None
        folder = self.path(name)
        about = read_json(folder / KEPT)
        expected = about.pop("sha256", None)
        if sha256_of(about) != expected:
            raise StageError(f"{folder / KEPT} is damaged; delete {folder}.")
        return TrainedSeed(load_weights(folder, about["seed"]), History(**about["history"]), about["environment"])


def kept_seeds(home: Path) -> KeptSeeds:
    """Where the seeds of ``home`` are kept: beside DVC's cache, which an experiment in a folder of its own shares."""
    cache = cache_folder(home)
    return KeptSeeds(home / ".seeds" if cache is None else cache / "seeds")
