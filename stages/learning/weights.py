"""Trained weights on disk: one safetensors file per seed, and weights.json with the SHA-256 of each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from stages.core.errors import StageError
from stages.core.files import read_json, sha256, write_digests

Weights = dict[str, Tensor]


def weights_of(model: nn.Module) -> Weights:
    """A model's state dict, on the CPU."""
    return {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}


def write_weights(folder: Path, weights: Mapping[int, Weights]) -> None:
    """Write the weights of every seed into ``folder``."""
    from safetensors.torch import save

    for seed, tensors in weights.items():
        # Written by Python, whose errors say what the disk lacks.
        (folder / f"seed-{seed}.safetensors").write_bytes(save(tensors))
    write_digests(folder / "weights.json", folder.glob("*.safetensors"))


def load_weights(folder: Path, seed: int) -> Weights:
    """The weights of ``seed``; a :class:`StageError` names a file that is missing or damaged."""
    from safetensors.torch import load_file

    name = f"seed-{seed}.safetensors"
    path, listed = folder / name, folder / "weights.json"
    if not listed.is_file():
        raise StageError(f"{path} is missing; run `dvc repro -f -s` on the stage that trains it.")
    digests = read_json(listed).get("sha256")
    if not isinstance(digests, dict):
        raise StageError(f"{listed} is damaged: key 'sha256' is missing; delete {folder} and run `dvc repro`.")
    expected = digests.get(name)
    if expected is None or not path.is_file():
        raise StageError(f"{path} is missing; run `dvc repro` to train this cell.")
    if (found := sha256(path)) != expected:
        raise StageError(
            f"{path} is damaged: SHA-256 {expected} was expected, {found} was found; delete it and run "
            "`dvc repro`, which restores it from DVC's cache or trains the cell again."
        )
    return load_file(path)
