"""How much memory a training step takes, at each run's own batch size: ``python -m benchmarks.memory``.

Every run of full/params.yaml (or the ones named) takes two steps and a batch of its test on made-up images in a process
of its own: the peak of that process, and how much of it came with training. On a GPU, the peak that torch allocated.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch

from models.registry import build
from stages.cell import Cell, Compute
from stages.learning.batches import load_images
from stages.learning.device import choose_device, keep_freed_memory
from stages.learning.engine import train
from stages.params import load_params
from stages.splits.format import Part
from stages.splits.streams import numpy_stream

ROOT = Path(__file__).resolve().parents[1]
MIB = 2**20
SIDES = {"mnist": 28}  # of the images of a source, where it is not 32
CLASSES = {"imagenet": 1000}  # of a source, where it is not 10


def measured(cell: Cell) -> dict[str, float | str]:
    """Two training steps of ``cell`` and a batch of its test in this process."""
    device = choose_device(Compute())
    keep_freed_memory()
    source, size = cell.split.source or cell.dataset, cell.recipe.batch_size
    side = cell.transform.resize or SIDES.get(source, 32)
    classes = CLASSES.get(source, 10) if cell.split.classes is None else max(cell.split.classes) + 1
    draws = numpy_stream("made-up images", cell.key)
    parts = [
        Part(
            draws.integers(0, 256, (count, side, side, len(cell.transform.mean)), np.uint8),
            draws.integers(0, classes, count),
        )
        for count in (2 * size, cell.recipe.test_batch_size)
    ]
    train_images, test_images = (
        load_images(part, cell.transform, device, training=number == 0, noise_seed=0)
        for number, part in enumerate(parts)
    )
    before, started = _peak(), time.perf_counter()
    train(
        partial(build, cell.architecture, len(cell.transform.mean), classes, cell.options),
        train_images,
        test_images,
        cell.recipe.model_copy(update={"epochs": 1}),
        seed=0,
        classes=classes,
    )
    found: dict[str, float | str] = {"device": device.type, "seconds": time.perf_counter() - started}
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated() / MIB
        return {**found, "peak_mib": peak, "steps_mib": peak}
    return {**found, "peak_mib": _peak(), "steps_mib": _peak() - before}


def _peak() -> float:
    """The largest resident size of this process so far, in MiB; the system counts in KiB, macOS in bytes."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / MIB if sys.platform == "darwin" else size / 1024


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("keys", nargs="*", metavar="key", help="runs (default: all that have a name)")
    parser.add_argument("--home", type=Path, default=ROOT / "full", help="folder with params.yaml (default: full)")
    parser.add_argument("--here", action="store_true", help="measure the one run in this process, as JSON")
    arguments = parser.parse_args()
    params = load_params(arguments.home / "params.yaml")
    if arguments.here:
        print(json.dumps(measured(params.cell(arguments.keys[0]))))
        return
    for key in arguments.keys or list(params.named):
        command = [sys.executable, "-m", "benchmarks.memory", "--home", str(arguments.home), "--here", key]
        found = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
        print(
            f"{key:24} batch {params.cell(key).recipe.batch_size:5} peak {found['peak_mib']:7.0f} MiB, of training "
            f"{found['steps_mib']:7.0f} MiB, {found['seconds']:6.1f} s ({found['device']})",
            flush=True,
        )


if __name__ == "__main__":
    main()
