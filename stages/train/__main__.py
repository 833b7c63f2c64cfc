"""Train one cell, every seed of it, or all cells of a study.

    python -m stages.train HOME KEY

writes results/training/<address>/: run.json (the cell, hashes of data and code, a fingerprint of every seed),
curves.csv (a row per seed and epoch), class_curves.csv (a row per seed, epoch and label), seed-<n>.safetensors and
weights.json (the SHA-256 of each); and results/clocks/training/<address>/: timing.csv (seconds and, where a counter
measured it, joules) and environment.json (on what every seed was trained). KEY is the name of a run or a study of
HOME/params.yaml, or DATASET-ARCHITECTURE-DEPTH, a cell of the recurnets grid; the address is the KEY, of a cell of a
study <study>/<cell>.

A seed that was trained before, by itself or among others, is taken over; RECURNETS_TRAIN_ANEW=1 in the environment
trains it again. An interrupted training continues from its last checkpoint, half a minute of work ago at most
(RECURNETS_CHECKPOINT_SECONDS says otherwise), and ends as if it had not been interrupted.
"""

from __future__ import annotations

import os

from stages.cell import Cell, Compute
from stages.core.errors import run_stage
from stages.core.layout import Layout
from stages.core.torch_compiler import leave_out_compiler
from stages.core.unchanged import unchanged
from stages.params import load_params
from stages.params.command import home_and_key
from stages.train.code_digest import code_files
from stages.train.local import run


def asked(layout: Layout, key: str) -> tuple[list[Cell], Compute]:
    """What the parameters say of it, as they are now."""
    params = load_params(layout.params)
    return params.cells(key), params.compute


def main() -> None:
    """Command line; with RAY_ADDRESS set, a node of that Ray cluster does the work."""
    leave_out_compiler()
    layout, key = home_and_key(__doc__)
    cells, compute = asked(layout, key)
    if os.environ.get("RAY_ADDRESS"):
        from stages.train.cluster_driver import train_on_ray as stage
    else:
        stage = run
    inputs = {path for cell in cells for path in (layout.data(cell.dataset), *code_files(cell.architecture))}
    with unchanged(sorted(inputs), lambda: asked(layout, key)):
        stage(cells, compute, layout)


if __name__ == "__main__":
    run_stage(main)
