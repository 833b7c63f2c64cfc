"""Unfinished training, so that an interruption costs less than a minute.

A checkpoint lies outside DVC's outputs, under a fingerprint of everything that decides the numbers (cell, data, code,
device, threads). One with another fingerprint is not used; of other hardware alone, when that was said
(:mod:`stages.train.course`).
"""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from stages.core.files import atomic_path

_DIGEST = hashlib.sha256().digest_size


class DamagedError(Exception):
    """A checkpoint that differs from what was saved; its argument is the path."""


def reached(state: Mapping[str, Any]) -> tuple[int, int]:
    """How far a training is: its epoch, and the step in it, both from 0."""
    return state["epoch"], state["step"]


def _read(path: Path) -> dict[str, Any]:
    digest, content = (whole := path.read_bytes())[:_DIGEST], memoryview(whole)[_DIGEST:]
    if hashlib.sha256(content).digest() != digest:
        raise DamagedError(path)
    state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return state


def seeds_name(seeds: Sequence[int]) -> str:
    """What the checkpoint of seeds that are trained together is called."""
    return f"seed-{'-'.join(map(str, seeds))}.pt"


class Checkpoint:
    """That of the ``seeds`` of a cell that are trained together: ``folder``/<fingerprint>/seed-<n>[-<m>].pt."""

    def __init__(self, folder: Path, fingerprint: str, seeds: Sequence[int]) -> None:
        self.folder = folder
        self.path = folder / fingerprint[:16] / seeds_name(seeds)

    def _others(self) -> Iterator[Path]:
        """Those of the same seeds with other fingerprints."""
        return (path for path in self.folder.glob(f"*/{self.path.name}") if path != self.path)

    def stale(self) -> bool:
        """Whether there is one of these seeds from other parameters, data, code or hardware."""
        return any(self._others())

    def elsewhere(self, seeds: Sequence[str]) -> dict[str, Any] | None:
        """The furthest state that other hardware left of ``seeds`` (fingerprints: alike but for it), or None."""
        states = []
        for path in self._others():
            with suppress(DamagedError, OSError):
                states.append(_read(path))
        return max((state for state in states if state.get("fingerprints") == list(seeds)), key=reached, default=None)

    def save(self, state: dict[str, Any]) -> None:
        """Replace it: the SHA-256 of what torch saves, then that."""
        content = io.BytesIO()
        torch.save(state, content)
        digest = hashlib.sha256(content.getbuffer()).digest()
        with atomic_path(self.path) as temporary, temporary.open("wb") as stream:
            stream.write(digest)
            stream.write(content.getbuffer())

    def load(self) -> dict[str, Any] | None:
        """What was saved, or None. Tensors and plain values only: no code is ever unpickled.

        Raises :class:`DamagedError` if the file is not what was saved.
        """
        return _read(self.path) if self.path.is_file() else None

    def remove(self) -> None:
        """Delete it, and stale ones of these seeds, with the folders that this leaves empty."""
        for path in (self.path, *self._others()):
            shutil.rmtree(path.parent, ignore_errors=True)
        with suppress(OSError):  # seeds of the cell that are unfinished, or another process that trains it
            self.folder.rmdir()
