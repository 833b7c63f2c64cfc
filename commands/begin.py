"""Train the first epochs of runs that take days, under their full recipe.

    python -m commands begin full mnist-recurnet1-4 mnist-recurnet1-5 --epochs 2 --seeds 0 1

trains each KEY (a run, a study, or DATASET-ARCHITECTURE-DEPTH) as its complete training would, schedule and all, and
stops after so many epochs. Their curves go to HOME/started.csv, which is in git, and are compared with the authors' log
where there is one. The complete training (`dvc repro full/dvc.yaml:train@KEY`, say) continues from the checkpoint that
is left here, and ends bit for bit as if it had never been stopped. What is interrupted goes on when the same command is
run again; SIGTERM pauses it at a checkpoint. A seed whose epochs are recorded already is not trained again; one whose
complete run is among the results is no longer listed. With all epochs of the recipe, the seeds are trained to their end
and kept where the stage `train` finds them. The splits have to be here: `dvc repro full/dvc.yaml:split@mnist`.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from stages.cell import Cell
from stages.core.errors import StageError, run_stage
from stages.core.layout import Layout
from stages.core.unchanged import unchanged
from stages.learning.engine import History
from stages.params import Params, load_params
from stages.results.read import complete_seeds
from stages.results.started import replace_started, started_rows
from stages.train.code_digest import code_files
from stages.train.course import machines_of, record_started
from stages.train.local import CellTraining, train_seeds
from stages.train.pause import pause_when_asked
from stages.train.plan import Plan, plan, trained_before
from stages.train.seeds import kept_seeds
from stages.train.tasks import grouped


def begin_cell(cell: Cell, params: Params, layout: Layout, epochs: int) -> None:
    """Train the first ``epochs`` epochs of the seeds of ``cell`` that lack them, and record their curves.

    Of what is trained to its end the seeds are kept, too, where the stage `train` finds them.
    """
    replace_started(layout, [], gone=complete_seeds(layout, params))
    wanted = plan(cell, params.compute, layout)
    before = trained_before(wanted, kept_seeds(layout.home), layout)
    wanted = replace(wanted, fingerprints=unrecorded(wanted, before, params, layout, epochs))
    for seed in [seed for seed in wanted.fingerprints if seed in before]:
        history = History(curves=before[seed].history.curves[:epochs])
        record_started(layout, wanted, {seed: history}, machines_of(before[seed].environment))
    if not (left := [seed for seed in wanted.fingerprints if seed not in before]):
        return
    if epochs == cell.recipe.epochs:
        train_seeds(replace(wanted, fingerprints={seed: wanted.fingerprints[seed] for seed in left}), layout)
        return
    training = CellTraining(wanted, layout)
    for seeds in grouped(left, params.compute.seeds_together):
        training.begin(
            seeds,
            training.checkpoint(seeds),
            epochs,
            lambda histories, machines: record_started(layout, wanted, histories, machines),
        )


def unrecorded(wanted: Plan, before: Collection[int], params: Params, layout: Layout, epochs: int) -> dict[int, str]:
    """The fingerprints of the seeds that are neither complete nor recorded with so many epochs; it tells why not.

    Where all epochs are asked for, complete is a seed only if it is among those ``before``: the results may lack its
    weights, which the stage `train` needs to give all seeds together.
    """
    key, complete = wanted.cell.key, complete_seeds(layout, params)
    recorded = Counter((row["key"], row["fingerprint"]) for row in started_rows(layout))
    left = {}
    for seed, name in wanted.fingerprints.items():
        if (key, seed) in complete and (epochs < wanted.cell.recipe.epochs or seed in before):
            print(f"{key} seed {seed}: its complete run is among the results", flush=True)
        elif (count := recorded[key, name]) >= epochs and epochs < wanted.cell.recipe.epochs:
            print(f"{key} seed {seed}: recorded already, {count} epoch{'s' if count > 1 else ''}", flush=True)
        else:
            left[seed] = name
    return left


def asked(layout: Layout, keys: Sequence[str], seeds: Sequence[int] | None, epochs: int) -> tuple[list[Cell], Params]:
    """The cells of ``keys``, with ``seeds`` if some are given, and the parameters.

    A :class:`StageError` names a recipe of fewer than ``epochs``, or a seed that a random split is not drawn for.
    """
    params = load_params(layout.params)
    cells = [cell for key in keys for cell in params.cells(key)]
    for cell in cells:
        if epochs > cell.recipe.epochs:
            raise StageError(
                f"--epochs is {epochs}, but the recipe of {cell.key} has {cell.recipe.epochs}; ask for no more."
            )
        if cell.split.random and (undrawn := set(seeds or ()) - set(cell.split.seeds)):
            raise StageError(
                f"{cell.key}: seed {min(undrawn)} is none of the seeds that {cell.dataset} is drawn for "
                f"({', '.join(map(str, cell.split.seeds))}); ask for those."
            )
    if seeds:
        cells = [c.model_copy(update={"recipe": c.recipe.model_copy(update={"seeds": tuple(seeds)})}) for c in cells]
    return cells, params


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="folder with params.yaml: . or full")
    parser.add_argument("keys", nargs="+", metavar="key", help="what is begun, for instance mnist-recurnet1-4")
    parser.add_argument("--epochs", type=int, required=True, help="how many epochs of each")
    parser.add_argument("--seeds", type=int, nargs="+", help="of which seeds (default: those of the recipe)")
    arguments = parser.parse_args()
    if arguments.epochs < 1:
        parser.error(f"--epochs is {arguments.epochs}: at least 1 was expected")
    if arguments.seeds and (min(arguments.seeds) < 0 or len(set(arguments.seeds)) < len(arguments.seeds)):
        parser.error(f"--seeds is {' '.join(map(str, arguments.seeds))}: different numbers from 0 on were expected")
    pause_when_asked()
    layout = Layout(arguments.home)
    cells, params = asked(layout, arguments.keys, arguments.seeds, arguments.epochs)
    for cell in cells:
        inputs = sorted({layout.data(cell.dataset), *code_files(cell.architecture)})
        with unchanged(inputs):
            begin_cell(cell, params, layout, arguments.epochs)


if __name__ == "__main__":
    run_stage(main)
