"""Train one cell, every seed of it, or all cells of a study.

    python -m stages.train HOME KEY

writes runs/<key>/weights/seed-<n>.safetensors with weights.json (the SHA-256 of each), and under results/runs/<key>/
run.json (the cell, hashes of data and code), curves.csv (a row per seed and epoch), class_curves.csv (a row per seed,
epoch and label), timing.csv (seconds and, where a counter measured it, joules) and environment.json (what depends on
the machine). KEY is the name of a run of
HOME/params.yaml, or DATASET-ARCHITECTURE-DEPTH, a cell of the recurnets grid. For a study every cell's files lie in
runs/studies/<study>/weights/<cell>/ and results/studies/<study>/training/<cell>/. An interrupted run continues from its
last checkpoint, half a minute of work ago at most (RECURNETS_CHECKPOINT_SECONDS in the environment says otherwise), and
ends as if it had not been interrupted.
"""

from __future__ import annotations

import os

from stages.core.errors import run_stage
from stages.params.command import cell_command
from stages.train.local import run


def main() -> None:
    """Command line; with RAY_ADDRESS set, a node of that Ray cluster does the work."""
    if os.environ.get("RAY_ADDRESS"):
        from stages.train.cluster_driver import train_on_ray as stage
    else:
        stage = run
    cell_command(__doc__, stage)


if __name__ == "__main__":
    run_stage(main)
