"""The energy counters of a machine: joules of the GPU and of the processors, where it has them.

Counters cover whole devices: what else runs on them at the same time is in the figure, too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # importing it takes more than a second, which a report need not pay
    import torch

POWERCAP = Path("/sys/class/powercap")
Counter = Callable[[], float]  # joules since an arbitrary start, never falling


class Meter:
    """Joules between two calls of :meth:`lap`; ``source`` names the counters, empty where there is none."""

    def __init__(self, counters: dict[str, Counter]) -> None:
        self.source = " and ".join(counters)
        self._counters = list(counters.values())
        self._last = self._read()

    def lap(self) -> float | None:
        """Joules since the last call, or since the start; None without a counter."""
        before, self._last = self._last, self._read()
        return None if before is None or self._last is None else self._last - before

    def _read(self) -> float | None:
        return sum(counter() for counter in self._counters) if self._counters else None


def meter(device: torch.device) -> Meter:
    """The counters of ``device`` and of the processors, as far as they can be read."""
    counters: dict[str, Counter] = {}
    if device.type == "cuda" and (gpu := gpu_counter(device)) is not None:
        counters["the GPU's counter"] = gpu
    if (processors := rapl_counter(POWERCAP)) is not None:
        counters["the processors' counters"] = processors
    return Meter(counters)


def gpu_counter(device: torch.device) -> Counter | None:
    """The energy counter of an NVIDIA GPU (since Volta); None where the driver does not give it."""
    import pynvml
    import torch

    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError:
        return None
    return lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000


def rapl_counter(folder: Path) -> Counter | None:
    """The sum of the processor packages' counters under ``folder``; None where none can be read."""
    zones = [zone for zone in sorted(folder.glob("intel-rapl:?")) if all(map(_readable, _files(zone)))]
    packages = [_files(zone)[0] for zone in zones]
    if not packages:
        return None
    spans = [int(_files(zone)[1].read_text()) for zone in zones]
    last = [int(path.read_text()) for path in packages]
    total = 0

    def joules() -> float:  # the counters start again at 0 beyond their span
        nonlocal total
        for number, path in enumerate(packages):
            now = int(path.read_text())
            total += (now - last[number]) % (spans[number] + 1)
            last[number] = now
        return total / 1e6

    return joules


def _files(zone: Path) -> tuple[Path, Path]:
    """The counter of a zone, and where it starts again, both in microjoules."""
    return zone / "energy_uj", zone / "max_energy_range_uj"


def _readable(path: Path) -> bool:
    try:
        path.read_text()
    except OSError:
        return False
    return True
