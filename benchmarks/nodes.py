"""The throughput of a study of tiny cells on a Ray cluster of one and of two nodes, each a core of this machine.

    python -m benchmarks.nodes [--cells 1000] [--nodes 1 2]

trains the study of `benchmarks.many_cells` on a made-up split of 200 images, one epoch each, with `RAY_ADDRESS` set, as
`dvc repro` would. Cells per second, from the first that is trained to the last, which leaves out the nodes' start; and
of the whole command. These are by the clock: what else runs on the machine matters.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from benchmarks.many_cells import STUDY, params_of
from benchmarks.scaling import REPOSITORY
from stages.core.layout import Layout
from tests.small import write_split


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


def measure(cells: int, nodes: int) -> tuple[float, float]:
    """Cells per second between the first and the last that are trained, and of the whole command."""
    with tempfile.TemporaryDirectory() as folder, cluster(nodes) as address:
        Path(folder, "params.yaml").write_text(yaml.safe_dump(params_of(cells), sort_keys=False))
        write_split(Layout(Path(folder)), images=200)
        began = time.monotonic()
        with subprocess.Popen(
            [sys.executable, "-m", "stages.train", folder, STUDY],
            cwd=REPOSITORY,
            env={**os.environ, "RAY_ADDRESS": address},
            stdout=subprocess.PIPE,
            text=True,
        ) as driver:
            assert driver.stdout is not None
            trained = [time.monotonic() for line in driver.stdout if " is trained (" in line]
        whole = time.monotonic() - began
    if driver.returncode or len(trained) != cells:
        raise SystemExit(f"{len(trained)} of {cells} cells were trained; see above.")
    return (cells - 1) / (trained[-1] - trained[0]), cells / whole


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    for nodes in arguments.nodes:
        steady, whole = measure(arguments.cells, nodes)
        load = os.getloadavg()[0]
        print(
            f"{nodes} nodes: {steady:.2f} cells per second, {whole:.2f} of the whole command (load {load:.1f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
