"""The throughput of a study of tiny cells on a Ray cluster of one and of two nodes, each a core of this machine.

    python -m benchmarks.nodes [--cells 1000] [--nodes 1 2] [--epochs 5] [--images 1437]

trains the study of `benchmarks.many_cells` on a made-up split with as many images as the digits, with `RAY_ADDRESS`
set, as `dvc repro` would. A cell of three epochs took 0.3 s of a processor on
an Intel Xeon, and the driver and Ray .05 s; with `--epochs 1 --images 200` .04 and .02 s, less than a study's cells
take. Cells per second, from the first that is trained to the last, which leaves out the nodes' start; and
of the whole command. These are by the clock: what else runs on the machine matters. So do the driver and Ray, which
here share two cores with what is trained: what a cell takes of the processors is told by kind of process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.many_cells import REPOSITORY, STUDY, params_of
from stages.core.layout import Layout
from tests.small import write_split

KINDS = {"training": "stages.train.cluster_node", "driver": "stages.train", "Ray's tasks": "ray::"}
OTHER = "the rest of Ray"


@contextmanager
def cluster(nodes: int) -> Iterator[str]:
    """The address of a cluster whose head trains nothing, with so many nodes of a core each."""
    from ray.cluster_utils import Cluster

    size: dict[str, Any] = {"object_store_memory": 100 * 2**20, "include_log_monitor": False}
    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": {"worker_niceness": 0}, **size}
    made = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(nodes):
            made.add_node(num_cpus=1, **size)
        made.wait_for_nodes()
        yield made.address
    finally:
        made.shutdown()


def used() -> dict[int, tuple[str, float]]:
    """By process of the cluster, its kind and the seconds of processor time that it has taken so far."""
    found = {}
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            command, times = " ".join(process.cmdline()), process.cpu_times()
            kind = next((kind for kind, part in KINDS.items() if part in command), OTHER)
            found[process.pid] = kind, times.user + times.system
    return found


def between(before: dict[int, tuple[str, float]], after: dict[int, tuple[str, float]]) -> dict[str, float]:
    """Seconds of processor time by kind of process."""
    seconds = dict.fromkeys((*KINDS, OTHER), 0.0)
    for pid, (kind, taken) in after.items():
        seconds[kind] += taken - before.get(pid, (kind, 0.0))[1]
    return seconds


def measure(cells: int, nodes: int, epochs: int, images: int) -> tuple[float, float, dict[str, float]]:
    """Cells per second between the first and the last that are trained, and of the whole command.

    And what a cell takes of the processors between these, in ms, by kind of process.
    """
    with tempfile.TemporaryDirectory() as folder, cluster(nodes) as address:
        params = params_of(cells)
        params["recipes"]["mnist-rnn"]["epochs"] = epochs
        Path(folder, "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
        write_split(Layout(Path(folder)), images=images)
        began, trained, taken = time.monotonic(), [], []
        with subprocess.Popen(
            [sys.executable, "-m", "stages.train", folder, STUDY],
            cwd=REPOSITORY,
            env={**os.environ, "RAY_ADDRESS": address},
            stdout=subprocess.PIPE,
            text=True,
        ) as driver:
            assert driver.stdout is not None
            for line in driver.stdout:
                if " is trained (" in line:
                    trained.append(time.monotonic())
                    if len(trained) in (1, cells):
                        taken.append(used())
        whole = time.monotonic() - began
    if driver.returncode or len(trained) != cells:
        raise SystemExit(f"{len(trained)} of {cells} cells were trained; see above.")
    each = {kind: 1000 * seconds / (cells - 1) for kind, seconds in between(*taken).items()}
    return (cells - 1) / (trained[-1] - trained[0]), cells / whole, each


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--epochs", type=int, default=5, help="of every cell")
    parser.add_argument("--images", type=int, default=1437, help="of the training set")
    arguments = parser.parse_args()
    first: float | None = None
    for nodes in arguments.nodes:
        steady, whole, each = measure(arguments.cells, nodes, arguments.epochs, arguments.images)
        first = steady if first is None else first
        ms = ", ".join(f"{kind} {taken:.0f}" for kind, taken in each.items())
        print(
            f"{nodes} nodes: {steady:.2f} cells per second, {steady / first:.2f} times the first; {whole:.2f} of the "
            f"whole command. Processor time of a cell, ms: {ms} (load {os.getloadavg()[0]:.1f}).",
            flush=True,
        )


if __name__ == "__main__":
    main()
