"""Do numbers near zero slow training down? ``python -m benchmarks.denormals``.

Below 1.2e-38 float32 has denormal numbers, for which many processors take a hundred cycles instead of one; setting them
to zero (`torch.set_flush_denormal`) would spare that, and change results. One training step of each network is timed
both ways in up to four states:

- ``fresh``: as initialised, on made-up images;
- ``trained``: with the weights of seed 0 after the recipe's last epoch, on training images, where HOME has both;
- ``dead``: as fresh, but no weight gets a gradient, and the optimizer's state has decayed as far as rounding lets it:
  m <- 0.9 m ends at 4 times the smallest denormal, v <- 0.999 v at 500 times. Weight decay keeps that away;
- ``vanishing``: as fresh, with the loss times 2^-120, so that nearly all gradients are denormal: the worst case.

Seconds are processor time, the least of a few steps each, alternating, each way on a network of its own. Writes
benchmarks/results/denormals-cpu.csv, which the report shows.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from benchmarks.loops import Case
from stages.cell import Compute
from stages.cell.recipe import Recipe
from stages.core.files import write_text
from stages.core.layout import Layout
from stages.learning.assemble import set_weights, training_images
from stages.learning.batches import Batch, load_images, training_batches
from stages.learning.device import choose_device, describe, keep_freed_memory
from stages.learning.engine import Training
from stages.learning.weights import load_weights
from stages.params import load_params
from stages.splits.format import read_split

ROOT = Path(__file__).resolve().parents[1]
CASES = (
    "mnist-recurnet1-4", "mnist-recurnet2-4", "elman", "lstm", "resnet1", "recnet-flat", "mnist-cnn",
    "mnist-cnn-softplus", "gunn", "cnn-gru",
)  # fmt: skip
STATES = ("fresh", "trained", "dead", "vanishing")
SMALLEST = 2.0**-149  # of the positive numbers of float32
STUCK = {"exp_avg": 4 * SMALLEST, "exp_avg_sq": 500 * SMALLEST, "momentum_buffer": 4 * SMALLEST}
FACTOR = {"dead": 0.0, "vanishing": 2.0**-120}


class Step:
    """A training step of a case in one of :data:`STATES`; of ``layout`` the trained state has its weights and data."""

    def __init__(self, case: Case, state: str, size: int, layout: Layout) -> None:
        compute = Compute(device="cpu", threads=1)
        device, self.factor = choose_device(compute), FACTOR.get(state, 1.0)
        if state == "trained":
            images = training_images(case.cell, read_split(layout.data(case.cell.dataset)), 0, device)
        else:
            images = load_images(case.images(size), case.cell.transform, device, training=True, noise_seed=0)
        recipe: Recipe = case.recipe(size)
        self.learner = Training(case.build, {0: images}, recipe, case.classes, compute).learner
        self.learner.train_mode()
        self.batch: Batch = next(training_batches(images, recipe, 0, 0))
        if state == "trained":
            set_weights(self.learner.models[0], load_weights(layout.training(case.cell), 0), layout.home)
        self.run()  # the optimizer's state is made by its first step
        if state == "dead":
            for stored in self._states():
                for name in STUCK.keys() & stored.keys():
                    stored[name].fill_(STUCK[name])

    def run(self) -> None:
        """One update, as the engine's, of the loss times the factor of the state."""
        losses, _ = self.learner._forward(self.batch)
        self.learner.optimizer.zero_grad(set_to_none=True)
        (losses.sum() * self.factor).backward()
        self.learner.optimizer.step()

    def seconds(self, *, flush: bool) -> float:
        """Processor time of one update."""
        torch.set_flush_denormal(flush)
        try:
            started = time.process_time()
            self.run()
            return time.process_time() - started
        finally:
            torch.set_flush_denormal(False)

    def denormal_share(self) -> float:
        """Of the gradients and the optimizer's state, after a step."""
        gradients = [weight.grad for weight in self.learner.models[0].parameters() if weight.grad is not None]
        stored = [value for state in self._states() for value in state.values() if value is not None and value.dim()]
        values = torch.cat([tensor.flatten() for tensor in (*gradients, *stored)]).abs()
        return float(((values > 0) & (values < torch.finfo(torch.float32).tiny)).float().mean())

    def _states(self) -> Sequence[dict[str, Tensor]]:
        return list(self.learner.optimizer.state.values())


def measure(case: Case, state: str, size: int, rounds: int, layout: Layout) -> dict[str, str | int | float]:
    """The least of ``rounds`` steps each way, after one that warms up."""
    steps = {flush: Step(case, state, size, layout) for flush in (False, True)}
    found: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(rounds + 1):
        for flush, seconds in found.items():
            seconds.append(steps[flush].seconds(flush=flush))
    kept, flushed = (min(seconds[1:]) for seconds in found.values())
    return {
        "case": case.cell.key, "state": state, "batch_size": size,
        "denormal_share": f"{steps[False].denormal_share():.4f}",
        "seconds": f"{kept:.4f}", "seconds_flushed": f"{flushed:.4f}", "ratio": f"{kept / flushed:.3f}",
    }  # fmt: skip


def states(case: Case, layout: Layout) -> list[str]:
    """Those that can be measured here."""
    there = (layout.training(case.cell) / "weights.json").is_file() and layout.data(case.cell.dataset).is_dir()
    return [state for state in STATES if state != "trained" or there]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=CASES, metavar="RUN", help=f"default: {' '.join(CASES)}")
    parser.add_argument("--images", type=int, default=0, help="batch size (default: each recipe's own)")
    parser.add_argument("--rounds", type=int, default=5, help="steps each way (default: 5)")
    parser.add_argument("--home", type=Path, default=ROOT / "full", help="folder with params.yaml (default: full)")
    parser.add_argument("--csv", type=Path, default=ROOT / "benchmarks/results/denormals-cpu.csv", help="file to write")
    arguments = parser.parse_args()
    keep_freed_memory()
    layout, rows = Layout(arguments.home), []
    params = load_params(layout.params)
    machine = describe(choose_device(Compute(device="cpu", threads=1)))
    for key in arguments.cases:
        case = Case(params.cell(key))
        for state in states(case, layout):
            row = measure(case, state, arguments.images or case.cell.recipe.batch_size, arguments.rounds, layout)
            rows.append({"device_name": machine["device_name"], "torch": machine["torch"], **row})
            print(" ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    write_text(arguments.csv, pd.DataFrame(rows).to_csv(index=False, lineterminator="\n"))


if __name__ == "__main__":
    main()
