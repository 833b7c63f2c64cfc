"""Unfinished training, so that an interruption costs less than a minute.

A checkpoint lies outside DVC's outputs, under a fingerprint of everything that decides the numbers (cell, data, code,
device, threads); one with another fingerprint is never used.
"""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from stages.core.files import atomic_path

_DIGEST = hashlib.sha256().digest_size


class DamagedError(Exception):
    """A checkpoint that differs from what was saved; its argument is the path."""


class Checkpoints:
    """The checkpoints of one cell: ``folder/fingerprint/seed-<n>.pt``, or ``seed-<n>-<m>.pt`` of seeds together."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder
        self.current = folder / fingerprint[:16]

    def stale(self) -> bool:
        """Whether there are checkpoints of this cell from other parameters, data or code."""
        return self.folder.is_dir() and any(path != self.current for path in self.folder.iterdir())

    def save(self, seeds: Sequence[int], state: dict[str, Any]) -> None:
        """Replace the checkpoint of ``seeds``, which are trained together: its SHA-256, then what torch saves."""
        content = io.BytesIO()
        torch.save(state, content)
        digest = hashlib.sha256(content.getbuffer()).digest()
        with atomic_path(self._path(seeds)) as temporary, temporary.open("wb") as stream:
            stream.write(digest)
            stream.write(content.getbuffer())

    def load(self, seeds: Sequence[int]) -> dict[str, Any] | None:
        """The checkpoint of ``seeds``, or None. Tensors and plain values only: no code is ever unpickled.

        Raises :class:`DamagedError` if the file is not what was saved.
        """
        path = self._path(seeds)
        if not path.is_file():
            return None
        digest, content = (whole := path.read_bytes())[:_DIGEST], memoryview(whole)[_DIGEST:]
        if hashlib.sha256(content).digest() != digest:
            raise DamagedError(path)
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)

    def _path(self, seeds: Sequence[int]) -> Path:
        return self.current / f"seed-{'-'.join(map(str, seeds))}.pt"

    def remove(self) -> None:
        """Delete the cell's checkpoints, stale ones too."""
        shutil.rmtree(self.folder, ignore_errors=True)
