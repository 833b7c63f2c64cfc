"""The machine that a run uses."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from stages.errors import StageError
from stages.params import Compute


def choose_device(compute: Compute) -> torch.device:
    """Pick the device, set the thread count, and switch off what would make a float32 run inexact or irreproducible."""
    available = torch.cuda.is_available()
    if compute.device == "cuda" and not available:
        raise StageError("compute.device is 'cuda', but torch finds no GPU; set it to 'auto' or 'cpu'.")
    if compute.threads:
        torch.set_num_threads(compute.threads)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    return torch.device("cuda" if available and compute.device != "cpu" else "cpu")


def describe(device: torch.device) -> dict[str, str | int]:
    """What a reader needs to judge a result's numbers and its wall time."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": device.type,
        "device_name": name,
        "threads": torch.get_num_threads(),
        "platform": platform.platform(terse=True),
    }


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
