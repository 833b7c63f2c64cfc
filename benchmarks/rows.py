"""How fast the row-by-row networks of mnist-rnn train here, beside a plain loop: ``python -m benchmarks.rows``.

The plain loop is what one would write first: torch's layer, a data set of PIL images with ToTensor in a DataLoader, and
`.item()` at every step. Both train on the same images with the same recipe (batches of 1,024, Adam, cross-entropy).
Rounds alternate, one epoch each; rates, ratio and fractions are of the median epoch. Other work on the machine can only
slow an epoch down: where median and fastest differ much, it was not idle, and the fastest are nearer the truth.

Fractions are of the rate at which this machine multiplies two large float32 matrices, with the same number of threads.
The work counted is that of the layer's equations. Images begin with empty rows, whose steps the layer here computes
once for all; its fraction is therefore also given for the work that is left without them.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from models.registry import build
from stages.cell import Transform
from stages.cell.recipe import Adam, Recipe, Steps
from stages.core.files import write_json
from stages.core.torchvision_import import load_torchvision
from stages.learning.batches import load_images
from stages.learning.device import describe
from stages.learning.engine import train
from stages.splits.format import Part, read_split

SIDE, CLASSES, BATCH = 28, 10, 1024
GATES = {"elman": 1, "lstm": 4}
RECIPE = Recipe(
    seeds=(0,), epochs=1, batch_size=BATCH, test_batch_size=BATCH, drop_last=False,
    optimizer=Adam(name="adam", lr=1e-3), schedule=Steps(name="steps", period=10, gamma=0.8),
)  # fmt: skip


def images(folder: Path, count: int) -> tuple[Part, str]:
    """The first images of a split folder, or, where there is none, made-up strokes in empty margins, and their name."""
    if (folder / "dataset.json").is_file():
        part = read_split(folder, verify=False).pool
        return Part(np.array(part.array[:count]), part.labels[:count]), str(folder)
    draws = np.random.Generator(np.random.Philox(0))
    pixels = np.zeros((count, SIDE, SIDE, 1), np.uint8)
    pixels[:, 5:24, 6:22] = draws.integers(0, 256, (count, 19, 16, 1)) * (draws.random((count, 19, 16, 1)) < 0.3)
    return Part(pixels, draws.integers(0, CLASSES, count)), "made-up images"


def plain_loop(architecture: str, hidden: int, part: Part) -> float:
    """Seconds of one epoch of the plain loop."""
    load_torchvision()
    from PIL import Image
    from torch.utils.data import DataLoader
    from torchvision.transforms import ToTensor

    to_tensor = ToTensor()
    pictures = [Image.fromarray(image[:, :, 0]) for image in part.array]
    samples: Any = list(zip(pictures, part.labels.tolist(), strict=True))
    loader: DataLoader[Any] = DataLoader(
        samples,
        batch_size=BATCH,
        shuffle=True,
        collate_fn=lambda batch: (torch.stack([to_tensor(i) for i, _ in batch]), torch.tensor([y for _, y in batch])),
    )
    layer = (nn.LSTM if architecture == "lstm" else nn.RNN)(SIDE, hidden, batch_first=True)
    head = nn.Linear(hidden, CLASSES)
    optimizer = torch.optim.Adam([*layer.parameters(), *head.parameters()], lr=1e-3)
    started, total, correct = time.perf_counter(), 0.0, 0
    for pixels, labels in loader:
        logits = head(layer(pixels.squeeze(1))[0][:, -1])
        loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
        correct += (logits.argmax(1) == labels).sum().item()
    return time.perf_counter() - started


def engine(architecture: str, hidden: int, part: Part) -> float:
    """Seconds of one epoch of the project's engine, as a run's timing.csv has them."""
    options = {"width": SIDE, "hidden": hidden}
    ready = load_images(part, Transform(mean=(0.0,), std=(1.0,)), torch.device("cpu"), training=True, noise_seed=0)
    few = load_images(
        Part(part.array[:1], part.labels[:1]), Transform(mean=(0.0,), std=(1.0,)), torch.device("cpu"),
        training=False, noise_seed=0,
    )  # fmt: skip
    make: Callable[[], nn.Module] = partial(build, architecture, 1, CLASSES, options)
    return train(make, ready, few, RECIPE, 0, classes=CLASSES)[1].timing[0]["train_seconds"]


def matrix_rate(size: int = 2048, rounds: int = 8) -> float:
    """Floating-point operations per second of a large square float32 product: the best of some rounds."""
    a, b = torch.rand(size, size), torch.rand(size, size)
    best = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def operations(architecture: str, hidden: int, steps: int) -> int:
    """Floating-point operations of training on one image: forward, gradients of the states and of the weights."""
    return 2 * steps * GATES[architecture] * hidden * ((SIDE + hidden) + hidden + (SIDE + hidden))


def measure(architecture: str, hidden: int, part: Part, rounds: int) -> dict[str, float | str]:
    """Both loops on the same images, round about; an epoch is one pass over ``part``."""
    plain, ours = [], []
    for _ in range(rounds):
        plain.append(plain_loop(architecture, hidden, part))
        ours.append(engine(architecture, hidden, part))
    rate, count = matrix_rate(), len(part.labels)
    begun = (part.array.reshape(count, SIDE, -1) != 0).any(axis=2)
    shared = float(np.where(begun.any(axis=1), begun.argmax(axis=1), SIDE - 1).mean())
    nominal = operations(architecture, hidden, SIDE) * count
    plain_seconds, ours_seconds = median(plain), median(ours)
    return {
        "network": f"{architecture} {hidden}",
        "plain_epoch_seconds": plain_seconds,
        "ours_epoch_seconds": ours_seconds,
        "plain_fastest_epoch_seconds": min(plain),
        "ours_fastest_epoch_seconds": min(ours),
        "plain_images_per_second": count / plain_seconds,
        "ours_images_per_second": count / ours_seconds,
        "time_ratio": ours_seconds / plain_seconds,
        "matrix_gflops": rate / 1e9,
        "plain_fraction": nominal / plain_seconds / rate,
        "ours_fraction": nominal / ours_seconds / rate,
        "ours_fraction_of_work_done": nominal * (1 - shared / SIDE) / ours_seconds / rate,
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="threads of both loops (default: 2)")
    parser.add_argument("--hidden", type=int, default=256, help="hidden units (default: 256)")
    parser.add_argument("--images", type=int, default=60_000, help="images of an epoch (default: 60000)")
    parser.add_argument("--rounds", type=int, default=3, help="epochs of each loop (default: 3)")
    parser.add_argument("--networks", nargs="+", choices=GATES, default=["lstm", "elman"])
    parser.add_argument("--data", type=Path, default=Path("full/data/mnist"), help="a split (default: full/data/mnist)")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    part, source = images(arguments.data, arguments.images)
    rows = [measure(network, arguments.hidden, part, arguments.rounds) for network in arguments.networks]
    about = {**describe(torch.device("cpu")), "images": len(part.labels), "data": source, "host": platform.machine()}
    show(rows, about)
    if arguments.json:
        write_json(arguments.json, {"machine": about, "rows": rows})


def show(rows: list[dict[str, float | str]], about: dict[str, str | int]) -> None:
    """Print the numbers as a table, a column per network."""
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for name, *values in zip(rows[0], *(row.values() for row in rows), strict=True):
        cells = [value if isinstance(value, str) else f"{value:.4g}" for value in values]
        if name == "network":
            table.add_column(name)
            for cell in cells:
                table.add_column(cell, justify="right")
        else:
            table.add_row(name.replace("_", " "), *cells)
    console = Console(width=None if Console().is_terminal else 120, highlight=False)
    console.print("; ".join(f"{key} {value}" for key, value in about.items()))
    console.print(table)
    console.print(
        f"An epoch is {about['images']} images, its seconds the median of the rounds. `ours fraction` counts the steps "
        "of the empty rows that images begin with, most of which are not done; the last line leaves them out."
    )


if __name__ == "__main__":
    main()
