"""Unfinished training, so that an interruption costs at most one epoch.

A checkpoint lies outside DVC's outputs, under a fingerprint of everything that decides the numbers (cell, data, code,
device, threads); one with another fingerprint is never used.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from stages.files import atomic_path


class Checkpoints:
    """The checkpoints of one cell: ``folder/fingerprint/seed-<n>.pt``."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder
        self.current = folder / fingerprint[:16]

    def stale(self) -> bool:
        """Whether there are checkpoints of this cell from other parameters, data or code."""
        return self.folder.is_dir() and any(path != self.current for path in self.folder.iterdir())

    def save(self, seed: int, state: dict[str, Any]) -> None:
        """Replace the checkpoint of ``seed``."""
        with atomic_path(self.current / f"seed-{seed}.pt") as temporary:
            torch.save(state, temporary)

    def load(self, seed: int) -> dict[str, Any] | None:
        """The checkpoint of ``seed``, or None. Tensors and plain values only: no code is ever unpickled."""
        path = self.current / f"seed-{seed}.pt"
        return torch.load(path, map_location="cpu", weights_only=True) if path.is_file() else None

    def remove(self) -> None:
        """Delete the cell's checkpoints, stale ones too."""
        shutil.rmtree(self.folder, ignore_errors=True)
