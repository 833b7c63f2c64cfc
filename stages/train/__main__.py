"""Train one cell, every seed of it, or all cells of a study.

    python -m stages.train HOME KEY [--seeds N ...]

writes results/training/<address>/: run.json (the cell, hashes of data and code, a fingerprint of every seed),
curves.csv (a row per seed and epoch), class_curves.csv (a row per seed, epoch and label), seed-<n>.safetensors and
weights.json (the SHA-256 of each); and results/clocks/training/<address>/: timing.csv (seconds and, where a counter
measured it, joules) and environment.json (on what every seed was trained). KEY is the name of a run or a study of
HOME/params.yaml, or DATASET-ARCHITECTURE-DEPTH, a cell of the recurnets grid; the address is the KEY, of a cell of a
study <study>/<cell>.

A seed that was trained before, by itself or among others, is taken over; RECURNETS_TRAIN_ANEW=1 in the environment
trains it again. An interrupted training continues from its last checkpoint, half a minute of work ago at most
(RECURNETS_CHECKPOINT_SECONDS says otherwise), and ends as if it had not been interrupted. Its whole epochs until then
are in HOME/started.csv. SIGTERM or SIGUSR2 pauses it, at a checkpoint of the very step. It goes on from a checkpoint of
other hardware only with RECURNETS_RESUME=any in the environment, and run.json then names its machines.

Seeds of a cell and cells of a study are trained side by side, on all cores of this machine or as many as
RECURNETS_CORES says, each with `compute.threads` threads; on a GPU one after another. One that fails does not stop the
others.

With --seeds, KEY is one cell, of a study perhaps: only these of its seeds are trained, and nothing is written; they are
kept beside DVC's cache, where the stage finds them. So seeds and cells can be trained side by side, anywhere.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from stages.cell import Cell, Compute
from stages.core.errors import StageError, run_stage
from stages.core.layout import Layout
from stages.core.torch_compiler import leave_out_compiler
from stages.core.unchanged import unchanged
from stages.params import load_params
from stages.params.command import add_home_and_key
from stages.train.code_digest import code_files
from stages.train.local import train_seeds
from stages.train.pause import pause_when_asked
from stages.train.plan import plan
from stages.train.side_by_side import run


def asked(layout: Layout, key: str, seeds: Sequence[int] | None) -> tuple[list[Cell], Compute]:
    """What the parameters say of it, as they are now; a :class:`StageError` names a seed that they do not have."""
    params = load_params(layout.params)
    if seeds is None:
        return params.cells(key), params.compute
    cell = params.cell(key)
    if unknown := [seed for seed in seeds if seed not in cell.recipe.seeds]:
        has = ", ".join(map(str, cell.recipe.seeds))
        raise StageError(f"--seeds: {unknown[0]} is none of the seeds of {key} ({has}).")
    return [cell.model_copy(update={"recipe": cell.recipe.model_copy(update={"seeds": tuple(seeds)})})], params.compute


def train_only(cells: Sequence[Cell], compute: Compute, layout: Layout) -> None:
    """Train and keep the seeds of ``cells``, and write nothing."""
    for cell in cells:
        train_seeds(plan(cell, compute, layout), layout)


def main() -> None:
    """Command line; with RAY_ADDRESS set, a node of that Ray cluster does the work."""
    leave_out_compiler()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_home_and_key(parser)
    parser.add_argument("--seeds", type=int, nargs="+", metavar="N", help="of one cell, these alone, to be kept")
    arguments = parser.parse_args()
    pause_when_asked()
    layout, key, seeds = Layout(arguments.home), arguments.key, arguments.seeds
    cells, compute = asked(layout, key, seeds)
    if seeds is not None:
        stage = train_only
    elif os.environ.get("RAY_ADDRESS"):
        from stages.train.cluster_driver import train_on_ray as stage
    else:
        stage = run
    inputs = {layout.data(dataset) for dataset in {cell.dataset for cell in cells}}
    inputs |= {path for architecture in {cell.architecture for cell in cells} for path in code_files(architecture)}
    with unchanged(sorted(inputs), lambda: asked(layout, key, seeds)):
        stage(cells, compute, layout)


if __name__ == "__main__":
    run_stage(main)
