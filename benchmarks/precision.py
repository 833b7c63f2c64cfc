"""Does reduced precision change what is learnt? ``python -m benchmarks.precision``.

Trains a short run of the default pipeline under several seeds, in float32 and in every reduced precision that the
device has, from the same initial weights, orders and draws. Per seed the two test accuracies make a pair. `equivalent`
says that the 90 % interval of the mean difference lies within the margin, which is two one-sided tests at 5 %. It is
evidence for this run only; a paper's number in reduced precision remains a variant of its run.

Needs the digits that `dvc repro` prepares. Writes benchmarks/results/precision-<device>.csv, which the report shows.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from stages.cell import Cell, Compute
from stages.compare.intervals import over_seeds
from stages.core.errors import run_stage
from stages.core.files import write_text
from stages.core.layout import Layout
from stages.learning.assemble import builder, test_images, training_images
from stages.learning.device import choose_device, describe, keep_freed_memory
from stages.learning.engine import train
from stages.params import load_params
from stages.splits.format import read_split

ROOT = Path(__file__).resolve().parents[1]
MARGIN = 0.013  # of accuracies, as most claims have it
REDUCED = {"cpu": ("bfloat16",), "cuda": ("tf32", "bfloat16")}


def accuracies(cell: Cell, compute: Compute, layout: Layout, seeds: Sequence[int]) -> tuple[list[float], float]:
    """Test accuracy after the last epoch per seed, and the seconds of all training."""
    device = choose_device(compute)
    keep_freed_memory()
    split = read_split(layout.data(cell.dataset))
    tested, found, seconds = test_images(cell, split, device), [], 0.0
    for seed in seeds:
        images = training_images(cell, split, seed, device)
        options = {"classes": len(split.classes), "compute": compute}
        _, history = train(builder(cell, split), images, tested, cell.recipe, seed, **options)
        found.append(history.curves[-1]["test_accuracy"])
        seconds += sum(row["train_seconds"] for row in history.timing)
    return found, seconds


def compared(exact: Sequence[float], reduced: Sequence[float]) -> dict[str, float | str | None]:
    """The paired difference, reduced minus exact, and what it says."""
    difference = over_seeds([one - other for one, other in zip(reduced, exact, strict=True)], level=0.9)
    low, high = difference.low, difference.high
    within = low is not None and high is not None and low > -MARGIN and high < MARGIN
    return {
        "difference": difference.mean,
        "low": low,
        "high": high,
        "margin": MARGIN,
        "outcome": "equivalent" if within else "not shown",
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=10, help="how many (default: 10)")
    parser.add_argument("--cells", nargs="+", default=("cnn-gru", "cnn-pool"), metavar="RUN")
    parser.add_argument("--home", type=Path, default=ROOT, help="folder with params.yaml and data (default: this one)")
    parser.add_argument("--csv", type=Path, help="file to write (default: benchmarks/results/precision-<device>.csv)")
    arguments = parser.parse_args()
    params, layout, rows = load_params(arguments.home / "params.yaml"), Layout(arguments.home), []
    for key in arguments.cells:
        cell, seeds = params.cell(key), range(arguments.seeds)
        plain = Compute(device=arguments.device, threads=arguments.threads)
        device = choose_device(plain)
        exact, seconds = accuracies(cell, plain, layout, seeds)
        for precision in REDUCED[device.type]:
            found, took = accuracies(cell, plain.model_copy(update={"precision": precision}), layout, seeds)
            about = {name: describe(device)[name] for name in ("device", "device_name", "threads", "torch")}
            means = {"float32_accuracy": sum(exact) / len(exact), "accuracy": sum(found) / len(found)}
            rows.append(
                {**about, "run": key, "epochs": cell.recipe.epochs, "seeds": len(seeds), "precision": precision}
                | means | compared(exact, found) | {"float32_seconds": seconds, "seconds": took}
            )  # fmt: skip
            print("  ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
    target = arguments.csv or ROOT / "benchmarks" / "results" / f"precision-{device.type}.csv"
    write_text(target, pd.DataFrame(rows).to_csv(index=False, lineterminator="\n", float_format="%.5g"))


if __name__ == "__main__":
    run_stage(main)
