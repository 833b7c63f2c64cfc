"""How fast the engine trains, beside the naive loop and the machine's limit: ``python -m benchmarks.throughput``.

Both loops (the naive one is benchmarks/naive.py) train runs of full/params.yaml on the same made-up images, with the
run's own batch size and recipe, each in a process of its own. Rounds alternate, an epoch of a few steps each; rates are
of the median round, after one that is not counted. A case takes about ``--seconds`` for both loops together, or one
step of each where that is longer. With ``--seeds`` the engine trains so many at once; its images of all are counted.

The limit is the rate at which the device multiplies two large float32 matrices with as many threads: the best that was
measured beside any case. The work counted is that of a training step of our network: three times the
multiply-accumulates of a forward pass in evaluation, two operations each. (That is slightly too much: the gradient of
the images is not computed.) Data shares are the time to make the batches alone over that of an epoch's steps; the
engine's overhead is what an epoch takes beyond the updates alone, data, counting and logging, and may come out below
zero, since it is a difference.

Writes benchmarks/results/<device>.csv, which the report shows. Other work on the machine slows either loop down; idle,
it is nearer the truth.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from statistics import median

import pandas as pd
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import naive
from benchmarks.loops import Case, apart, now
from stages.cell import Compute
from stages.core.files import write_text
from stages.learning.batches import load_images, training_batches
from stages.learning.device import choose_device, describe
from stages.params import load_params

ROOT = Path(__file__).resolve().parents[1]
CASES = (
    "cifar10-recurnet1-4", "cifar10-recurnet1-8", "cifar10-recurnet2-4", "cifar10-recurnet2-8",
    "lstm", "gunn", "cnn-gru",
)  # fmt: skip
ROUNDS = 5
Row = dict[str, str | int | float]


def measure(case: Case, compute: Compute, seconds: float, workers: int) -> Row:
    """Both loops round about, and the limit."""
    size = case.cell.recipe.batch_size
    trial = apart(case, compute, max(1, size // 8), 1, workers)
    guess = 8 * sum(min(loop.seconds("epoch") for _ in range(2)) for loop in trial)  # the first warms up
    steps = min(100, max(1, int(seconds / ROUNDS / guess)))
    ours, plain = loops = apart(case, compute, size, steps, workers)
    for loop in (*trial, *loops):
        if loop in trial:
            loop.close()
        else:
            loop.seconds("epoch")
    rounds: list[list[float]] = []
    began = time.perf_counter()
    while not rounds or (len(rounds) < ROUNDS and time.perf_counter() - began < seconds):
        methods = ((ours, "epoch"), (plain, "epoch"), (ours, "steps"), (ours, "data"), (plain, "data"))
        rounds.append([loop.seconds(method) for loop, method in methods])
    for loop in loops:
        loop.close()
    epoch, plain_epoch, alone, data, plain_data = (median(column) for column in zip(*rounds, strict=True))
    images, seeds, model = size * steps, compute.seeds_together, case.build()
    work = 3 * 2 * forward_macs(model, case)
    return {
        "case": case.cell.key,
        "precision": compute.precision,
        "cuda_graphs": compute.cuda_graphs,
        "seeds": seeds,
        "batch_size": size,
        "workers": workers,
        "rounds": len(rounds),
        "steps": steps,
        "ours_images_per_second": seeds * images / epoch,
        "naive_images_per_second": images / plain_epoch,
        "ratio": seeds * plain_epoch / epoch,
        "ours_mmacs_forward": work / 6e6,
        "naive_mmacs_forward": forward_macs(naive.plain(model), case) / 1e6,
        "ours_gflops": seeds * work * images / epoch / 1e9,
        "matrix_gflops": matrix_rate(choose_device(compute)) / 1e9,
        "ours_data_share": data / epoch,
        "ours_overhead_share": 1 - alone / epoch,
        "naive_data_share": plain_data / plain_epoch,
    }


def forward_macs(model: nn.Module, case: Case) -> float:
    """Multiply-accumulates of a forward pass in evaluation, per image; of a recurrent layer those of its products."""
    images = load_images(case.images(2), case.cell.transform, torch.device("cpu"), training=True, noise_seed=0)
    (batch,) = training_batches(images, case.recipe(2), 0, 0)
    # torch counts no fused recurrent layer of oneDNN; without it, the layer is made of products. That Intel's GPUs
    # could do more, of which it warns then, helps nobody here.
    with warnings.catch_warnings(), FlopCounterMode(display=False) as counter, torch.no_grad():
        warnings.simplefilter("ignore", UserWarning)
        with torch.backends.mkldnn.flags(enabled=False):
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
    parser.add_argument("--seeds", type=int, default=1, help="of the engine, at once (default: 1)")
    parser.add_argument("--precision", choices=("float32", "tf32", "bfloat16"), default="float32", help="of the engine")
    parser.add_argument("--cuda-graphs", action="store_true", help="the engine replays its steps on a GPU")
    parser.add_argument("--workers", type=int, default=0, help="num_workers of the naive loop (default: 0)")
    parser.add_argument("--cases", nargs="+", metavar="RUN", default=CASES, help=f"default: {' '.join(CASES)}")
    parser.add_argument("--csv", type=Path, help="file to write (default: benchmarks/results/<device>.csv)")
    arguments = parser.parse_args()
    params, rows = load_params(ROOT / "full" / "params.yaml"), []
    for key in arguments.cases:
        for threads in arguments.threads:
            compute = Compute(
                device=arguments.device,
                threads=threads,
                precision=arguments.precision,
                cuda_graphs=arguments.cuda_graphs,
                seeds_together=arguments.seeds,
            )
            device = choose_device(compute)
            about = {name: describe(device)[name] for name in ("device", "device_name", "threads", "torch")}
            rows.append({**about, **measure(Case(params.cell(key)), compute, arguments.seconds, arguments.workers)})
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
        "data ours": "{ours_data_share:.1%}", "overhead": "{ours_overhead_share:.1%}",
        "data naive": "{naive_data_share:.1%}",
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
