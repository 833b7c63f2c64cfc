"""The machine that a run uses."""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

import torch

from stages.cell import Compute
from stages.core.errors import StageError


def choose_device(compute: Compute) -> torch.device:
    """Pick the device, set the thread count, and switch off what would make a float32 run inexact or irreproducible."""
    available = torch.cuda.is_available()
    if compute.device == "cuda" and not available:
        raise StageError("compute.device is 'cuda', but torch finds no GPU; set it to 'auto' or 'cpu'.")
    if compute.threads:
        torch.set_num_threads(compute.threads)
    device = torch.device("cuda" if available and compute.device != "cpu" else "cpu")
    tf32 = compute.precision == "tf32"
    if tf32 and device.type == "cpu":
        raise StageError("compute.precision is 'tf32', which only a GPU has; set it to 'float32' or 'bfloat16'.")
    if device.type == "cuda":
        # The same bits every time, by cuBLAS and by torch; an operation that has no such form says so.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cuda.matmul.allow_tf32 = tf32
    return device


# Names and numbers of <malloc.h>.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> None:
    """Let this process reuse the memory it frees, where the C library is glibc.

    By default large arrays go back to the system at once, and the next step's have to be cleared and mapped again, page
    by page: a fifth of the time of a small network's step. The memory in use at once stays what it was.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(_M_TOP_PAD, 64 * 2**20)


def describe(device: torch.device) -> dict[str, str | int]:
    """What a reader needs to judge a result's numbers and its wall time."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": device.type,
        "device_name": name,
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "platform": platform.platform(terse=True),
    }


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
