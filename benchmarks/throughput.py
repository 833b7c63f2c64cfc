"""How fast the engine trains, beside the naive loop and the machine's limit: ``python -m benchmarks.throughput``.

Both loops (the naive one is benchmarks/naive.py) train runs of full/params.yaml on the same made-up images, with the
run's own batch size and recipe. Rounds alternate, an epoch of a few steps each; rates are of the median round. A case
takes about ``--seconds`` for both loops together, or one step of each where that is longer.

The limit is the rate at which the device multiplies two large float32 matrices with as many threads: the best that was
measured beside any case. The work counted is that of a training step of our network: three times the
multiply-accumulates of a forward pass in evaluation, two operations each. (That is slightly too much: the gradient of
the images is not computed.) Data shares are the time to make the batches alone over that of whole steps.

Writes benchmarks/results/<device>.csv. Other work on the machine slows either loop down; idle, it is nearer the truth.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import naive
from benchmarks.memory import CLASSES, SIDES
from models.registry import build
from stages.arrays import Part
from stages.batches import Images, load_images, training_batches
from stages.device import choose_device, describe
from stages.engine import train
from stages.files import write_text
from stages.params import Cell, Compute, load_params
from stages.recipe import Recipe
from stages.streams import numpy_stream

ROOT = Path(__file__).resolve().parents[1]
CASES = (
    "cifar10-recurnet1-4", "cifar10-recurnet1-8", "cifar10-recurnet2-4", "cifar10-recurnet2-8",
    "lstm", "gunn", "cnn-gru",
)  # fmt: skip
ROUNDS = 5
Row = dict[str, str | int | float]


@dataclass(frozen=True)
class Case:
    """A run of params.yaml, and what its images are like."""

    cell: Cell

    @property
    def channels(self) -> int:
        """Channels of its images."""
        return len(self.cell.transform.mean)

    @property
    def classes(self) -> int:
        """Outputs of its network."""
        source = self.cell.split.source or self.cell.dataset
        return CLASSES.get(source, 10) if self.cell.split.classes is None else max(self.cell.split.classes) + 1

    def images(self, count: int) -> Part:
        """Made-up images of its shape."""
        side = SIDES.get(self.cell.split.source or self.cell.dataset, 32)
        draws = numpy_stream("made-up images", self.cell.key)
        pixels = draws.integers(0, 256, (count, side, side, self.channels), np.uint8)
        return Part(pixels, draws.integers(0, self.classes, count))

    def recipe(self, batch_size: int) -> Recipe:
        """Its recipe for one epoch of whole batches."""
        return self.cell.recipe.model_copy(update={"epochs": 1, "batch_size": batch_size, "drop_last": True})


def now(device: torch.device) -> float:
    """The clock, when all that was asked of ``device`` is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


class Loops:
    """Both loops on ``steps`` batches of the same images. Methods return the seconds of one epoch."""

    def __init__(self, case: Case, device: torch.device, batch_size: int, steps: int, workers: int) -> None:
        self.case, self.device, self.steps = case, device, steps
        self.recipe, part = case.recipe(batch_size), case.images(steps * batch_size)
        self.images = self._load(part, training=True)
        self.one = self._load(Part(part.array[:1], part.labels[:1]), training=False)
        self.loader = naive.load(naive.Pictures(part, case.cell.transform), self.recipe, workers=workers)
        if workers:
            next(iter(self.loader))  # starts the processes, which stay

    def _load(self, part: Part, *, training: bool) -> Images:
        return load_images(part, self.case.cell.transform, self.device, training=training, noise_seed=0)

    def ours(self) -> float:
        """The engine, by its own clock, which it reads only before the first step and after the last is done."""
        cell = self.case.cell
        make = partial(build, cell.architecture, self.case.channels, self.case.classes, cell.options)
        history = train(make, self.images, self.one, self.recipe, 0, classes=self.case.classes)[1]
        return history.timing[0]["train_seconds"]

    def naive(self) -> float:
        """The naive loop, without the time to build its network."""
        cell = self.case.cell
        model = naive.network(cell.architecture, self.case.channels, self.case.classes, cell.options).to(self.device)
        optimizer, started = naive.optimizer(model, self.recipe), now(self.device)
        naive.train_epoch(model, self.loader, optimizer, self.device)
        return now(self.device) - started

    def our_data(self) -> float:
        """The engine's batches, made and thrown away."""
        return self._exhausted(lambda: training_batches(self.images, self.recipe, 0, 0))

    def naive_data(self) -> float:
        """The naive loop's batches, made and thrown away."""
        return self._exhausted(lambda: self.loader)

    def _exhausted(self, batches: Callable[[], Iterable[object]]) -> float:
        started = now(self.device)
        for _ in batches():
            pass
        return now(self.device) - started


def measure(case: Case, device: torch.device, seconds: float, workers: int) -> Row:
    """Both loops round about, and the limit."""
    size = case.cell.recipe.batch_size
    trial = Loops(case, device, max(1, size // 8), 1, workers)  # also warms up
    trial.ours(), trial.naive()
    guess = 8 * (trial.ours() + trial.naive())
    loops = Loops(case, device, size, min(100, max(1, int(seconds / ROUNDS / guess))), workers)
    rounds: list[tuple[float, float, float, float]] = []
    began = time.perf_counter()
    while not rounds or (len(rounds) < ROUNDS and time.perf_counter() - began < seconds):
        rounds.append((loops.ours(), loops.naive(), loops.our_data(), loops.naive_data()))
    ours, plain, our_data, plain_data = (median(column) for column in zip(*rounds, strict=True))
    cell, images = case.cell, size * loops.steps
    model = build(cell.architecture, case.channels, case.classes, cell.options)
    work = 3 * 2 * forward_macs(model, case)
    return {
        "case": cell.key,
        "batch_size": size,
        "workers": workers,
        "rounds": len(rounds),
        "steps": loops.steps,
        "ours_images_per_second": images / ours,
        "naive_images_per_second": images / plain,
        "ratio": plain / ours,
        "ours_mmacs_forward": work / 6e6,
        "naive_mmacs_forward": forward_macs(naive.plain(model), case) / 1e6,
        "ours_gflops": work * images / ours / 1e9,
        "matrix_gflops": matrix_rate(device) / 1e9,
        "ours_data_share": our_data / ours,
        "naive_data_share": plain_data / plain,
    }


def forward_macs(model: nn.Module, case: Case) -> float:
    """Multiply-accumulates of a forward pass in evaluation, per image; of a recurrent layer those of its products."""
    images = load_images(case.images(2), case.cell.transform, torch.device("cpu"), training=True, noise_seed=0)
    (batch,) = training_batches(images, case.recipe(2), 0, 0)
    # torch counts no fused recurrent layer of oneDNN; without it, the layer is made of products.
    with FlopCounterMode(display=False) as counter, torch.no_grad(), torch.backends.mkldnn.flags(enabled=False):
        model.eval()(batch.pixels)
    return counter.get_total_flops() / 2 / 2


def matrix_rate(device: torch.device, rounds: int = 4) -> float:
    """Floating-point operations per second of a large square float32 product: the best of some rounds."""
    size = 8192 if device.type == "cuda" else 2048
    a, b = (torch.rand(size, size, device=device) for _ in range(2))
    best = float("inf")
    for _ in range(rounds):
        started = now(device)
        torch.mm(a, b)
        best = min(best, now(device) - started)
    return 2 * size**3 / best


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int, nargs="+", default=[1], help="one table row each (default: 1)")
    parser.add_argument("--seconds", type=float, default=10.0, help="for both loops of a case (default: 10)")
    parser.add_argument("--workers", type=int, default=0, help="num_workers of the naive loop (default: 0)")
    parser.add_argument("--cases", nargs="+", metavar="RUN", default=CASES, help=f"default: {' '.join(CASES)}")
    parser.add_argument("--csv", type=Path, help="file to write (default: benchmarks/results/<device>.csv)")
    arguments = parser.parse_args()
    params, rows = load_params(ROOT / "full" / "params.yaml"), []
    for key in arguments.cases:
        for threads in arguments.threads:
            device = choose_device(Compute(device=arguments.device, threads=threads))
            about = {name: describe(device)[name] for name in ("device", "device_name", "threads", "torch")}
            rows.append({**about, **measure(Case(params.cell(key)), device, arguments.seconds, arguments.workers)})
            print(f"{key}, {threads} threads: {rows[-1]['ours_images_per_second']:.4g} images/s", flush=True)
    frame = with_fractions(rows)
    show(frame)
    text = frame.to_csv(index=False, lineterminator="\n", float_format=lambda number: str(float(f"{number:.4g}")))
    write_text(arguments.csv or ROOT / "benchmarks" / "results" / f"{device.type}.csv", text)


def with_fractions(rows: list[Row]) -> pd.DataFrame:
    """The rows, with the best matrix rate that was measured with the same number of threads, and our fraction of it."""
    frame = pd.DataFrame(rows)
    frame["matrix_gflops"] = frame.groupby("threads")["matrix_gflops"].transform("max")
    return frame.assign(ours_fraction=frame["ours_gflops"] / frame["matrix_gflops"])


def show(frame: pd.DataFrame) -> None:
    """Print the numbers as a table."""
    from rich.console import Console
    from rich.table import Table

    columns = {
        "run": "{case}", "threads": "{threads}", "batch": "{batch_size}", "ours /s": "{ours_images_per_second:,.0f}",
        "naive /s": "{naive_images_per_second:,.0f}", "ratio": "{ratio:.2f}", "Gflop/s": "{ours_gflops:.1f}",
        "limit": "{matrix_gflops:.1f}", "fraction": "{ours_fraction:.1%}",
        "data ours": "{ours_data_share:.1%}", "data naive": "{naive_data_share:.1%}",
    }  # fmt: skip
    lines = Table()
    for name in columns:
        lines.add_column(name, justify="left" if name == "run" else "right", no_wrap=name == "run")
    for _, row in frame.iterrows():
        lines.add_row(*(form.format_map(row) for form in columns.values()))
    first = frame.iloc[0]
    console = Console(width=None if Console().is_terminal else 120, highlight=False)
    console.print(f"{first['device_name']}, torch {first['torch']}; images per second of training")
    console.print(lines)
    console.print(
        f"Medians of up to {ROUNDS} rounds; the naive loop has {first['workers']} worker processes. Gflop/s are ours, "
        "their limit is that of a matrix product; data are shares of a step's time."
    )


if __name__ == "__main__":
    main()
