"""The choice of a device, and what is switched on and off with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from stages.cell import Compute
from stages.core.errors import StageError
from stages.learning.device import choose_device

SWITCHES: tuple[tuple[Any, str], ...] = (
    (torch.backends.cudnn, "deterministic"),
    (torch.backends.cudnn, "allow_tf32"),
    (torch.backends.cuda.matmul, "allow_tf32"),
    (torch.utils.deterministic, "fill_uninitialized_memory"),  # type: ignore[attr-defined]
)


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Torch's switches, which belong to the whole process, are put back."""
    before = [getattr(module, name) for module, name in SWITCHES]
    yield
    for (module, name), value in zip(SWITCHES, before, strict=True):
        setattr(module, name, value)


def machine(monkeypatch: pytest.MonkeyPatch, *, gpu: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)


@pytest.mark.parametrize(
    ("asked", "gpu", "chosen"), [("auto", False, "cpu"), ("auto", True, "cuda"), ("cpu", True, "cpu")]
)
def test_auto_takes_a_gpu_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, asked: str, gpu: bool, chosen: str
) -> None:
    machine(monkeypatch, gpu=gpu)
    monkeypatch.setattr(torch, "use_deterministic_algorithms", lambda *_asked, **_options: None)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    assert choose_device(Compute(device=asked)).type == chosen


@pytest.mark.parametrize(
    ("compute", "said"),
    [
        (Compute(device="cuda"), "torch finds no GPU"),
        (Compute(precision="tf32"), "which only a GPU has"),
    ],
)
def test_what_the_machine_lacks_is_said(monkeypatch: pytest.MonkeyPatch, compute: Compute, said: str) -> None:
    machine(monkeypatch, gpu=False)
    with pytest.raises(StageError, match=said):
        choose_device(compute)


@pytest.mark.parametrize("precision", ["float32", "tf32"])
def test_a_gpu_computes_the_same_bits_every_time_and_in_the_precision_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    machine(monkeypatch, gpu=True)
    demanded = []
    monkeypatch.setattr(torch, "use_deterministic_algorithms", lambda mode, **options: demanded.append((mode, options)))
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")  # so that it is put back
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    choose_device(Compute(precision=precision))
    assert demanded == [(True, {"warn_only": True})]
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert torch.backends.cudnn.deterministic
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == ((precision == "tf32"),) * 2
