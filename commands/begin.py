"""Train the first epochs of runs that take days, under their full recipe.

    python -m commands begin full mnist-recurnet1-4 mnist-recurnet1-5 --epochs 2 --seeds 0 1

trains each KEY (a run, a study, or DATASET-ARCHITECTURE-DEPTH) as its complete training would, schedule and all, and
stops after so many epochs. Their curves go to HOME/started.csv, which is in git, and are compared with the authors' log
where there is one. The complete training (`dvc repro full/dvc.yaml:train@KEY`, say) continues from the checkpoint that
is left here, and ends bit for bit as if it had never been stopped. What is interrupted goes on when the same command is
run again. A seed whose epochs are recorded already is not trained again; one whose complete run is among the results is
no longer listed. The splits have to be here: `dvc repro full/dvc.yaml:split@mnist`.
"""

from __future__ import annotations

import argparse
import fcntl
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from stages.cell import Cell
from stages.core.errors import StageError, run_stage
from stages.core.layout import Layout
from stages.core.tables import write_csv
from stages.core.unchanged import unchanged
from stages.params import Params, load_params
from stages.results.read import complete_seeds
from stages.results.started import STARTED_COLUMNS, started_row, started_rows
from stages.train.code_digest import code_files
from stages.train.local import CellTraining, Histories
from stages.train.plan import Plan, plan, trained_before
from stages.train.seeds import kept_seeds
from stages.train.tasks import grouped


def begin_cell(cell: Cell, params: Params, layout: Layout, epochs: int) -> None:
    """Train the first ``epochs`` epochs of the seeds of ``cell`` that lack them, and record their curves."""
    wanted = plan(cell, params.compute, layout)
    wanted = replace(wanted, fingerprints=unrecorded(wanted, params, layout, epochs))

    def record(seed: int, curves: Sequence[Mapping[str, float]], machine: Mapping[str, object]) -> None:
        rows = [started_row(cell, wanted.fingerprints[seed], curve, machine) for curve in curves]
        write_started(layout, params, rows)

    before = trained_before(wanted, kept_seeds(layout.home), layout)
    for seed, trained in before.items():
        record(seed, trained.history.curves[:epochs], trained.environment)
    if not (left := [seed for seed in wanted.fingerprints if seed not in before]):
        return
    training = CellTraining(wanted, layout)

    def record_all(histories: Histories) -> None:
        for seed, history in histories.items():
            record(seed, history.curves, training.environment)

    for seeds in grouped(left, params.compute.seeds_together):
        training.begin(seeds, training.checkpoint(seeds), epochs, record_all)


def unrecorded(wanted: Plan, params: Params, layout: Layout, epochs: int) -> dict[int, str]:
    """The fingerprints of the seeds that are neither complete nor recorded with so many epochs; it tells why not."""
    key, complete = wanted.cell.key, complete_seeds(layout, params)
    recorded = Counter((row["key"], row["fingerprint"]) for row in started_rows(layout))
    left = {}
    for seed, name in wanted.fingerprints.items():
        if (key, seed) in complete:
            print(f"{key} seed {seed}: its complete run is among the results", flush=True)
        elif (count := recorded[key, name]) >= epochs:
            print(f"{key} seed {seed}: recorded already, {count} epoch{'s' if count > 1 else ''}", flush=True)
        else:
            left[seed] = name
    return left


def write_started(layout: Layout, params: Params, rows: Sequence[Mapping[str, object]]) -> None:
    """Put ``rows`` in the place of those of their seeds, sorted; what is complete by now is left out."""
    with alone(layout.home):
        replaced = {(row["key"], str(row["seed"])) for row in rows}
        replaced |= {(key, str(seed)) for key, seed in complete_seeds(layout, params)}
        others = [row for row in started_rows(layout) if (row["key"], row["seed"]) not in replaced]
        table: list[Mapping[str, object]] = [*others, *rows]
        table.sort(key=lambda row: (row["key"], int(str(row["seed"])), int(str(row["epoch"]))))
        write_csv(layout.started, table, STARTED_COLUMNS)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait for other processes that are in this block with the same folder, so that none undoes what one wrote."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


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
    layout = Layout(arguments.home)
    cells, params = asked(layout, arguments.keys, arguments.seeds, arguments.epochs)
    for cell in cells:
        inputs = sorted({layout.data(cell.dataset), *code_files(cell.architecture)})
        with unchanged(inputs):
            begin_cell(cell, params, layout, arguments.epochs)


if __name__ == "__main__":
    run_stage(main)
