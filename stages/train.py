"""Train one cell, every seed of it, or all cells of a study.

    python -m stages.train HOME KEY

writes runs/<key>/weights/seed-<n>.safetensors with weights.json (the SHA-256 of each), and under results/runs/<key>/
run.json (the cell, hashes of data and code), curves.csv (a row per seed and epoch), class_curves.csv (a row per seed,
epoch and label), timing.csv (seconds and, where a counter measured it, joules) and environment.json (what depends on
the machine). KEY is the name of a run of
HOME/params.yaml, or DATASET-ARCHITECTURE-DEPTH, a cell of the recurnets grid. For a study every cell's files lie in
runs/studies/<study>/weights/<cell>/ and results/studies/<study>/training/<cell>/. An interrupted run continues from its
last finished epoch.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from models.registry import UnknownModelError, build, check_options
from stages.arrays import SplitData, read_split
from stages.batches import Images, load_images, steps_per_epoch
from stages.checkpoint import Checkpoints
from stages.device import choose_device, describe
from stages.energy import Meter, meter
from stages.engine import History, Hooks, train
from stages.errors import StageError, run_stage
from stages.files import sha256_of, write_json, write_text
from stages.layout import Layout
from stages.params import Cell, Compute, load_params
from stages.progress import Progress
from stages.provenance import code_digest
from stages.weights import save_weights


def run(cells: Sequence[Cell], compute: Compute, layout: Layout) -> None:
    """Train every one of ``cells`` on its split and write its outputs.

    What is finished keeps its checkpoints until all are, so that an interruption loses none of them.
    """
    for checkpoints in [train_cell(cell, compute, layout) for cell in cells]:
        checkpoints.remove()


def train_cell(cell: Cell, compute: Compute, layout: Layout) -> Checkpoints:
    """Train ``cell`` and write its outputs; gives the checkpoints, to be removed when nothing depends on them."""
    check_cell(cell)
    split = read_split(layout.data(cell.dataset))
    device = choose_device(compute)
    counters = meter(device)
    environment = {**describe(device), "energy": counters.source}
    identity = {
        "cell": cell.model_dump(mode="json"),
        "data_sha256": split.digest,
        "code_sha256": code_digest(cell.architecture),
    }
    fingerprint = sha256_of({**identity, "compute": compute.model_dump(mode="json"), "environment": environment})
    checkpoints = Checkpoints(layout.checkpoints / cell.key, fingerprint)
    if checkpoints.stale():
        print(
            f"{cell.key}: a checkpoint made with other parameters, data, code or hardware is not used",
            flush=True,
        )
    test_images = load_images(split.test, cell.transform, device, training=False, noise_seed=0)
    history, models = History(), {}
    for seed in cell.recipe.seeds:
        train_images = load_images(split.train(seed), cell.transform, device, training=True, noise_seed=seed)
        models[seed], grown = _train_seed(cell, compute, split, train_images, test_images, seed, checkpoints, counters)
        history.curves += grown.curves
        history.class_curves += grown.class_curves
        history.timing += grown.timing
    save_weights(layout.weights(cell), models)
    results = layout.training(cell)
    parameters = sum(p.numel() for p in models[cell.recipe.seeds[0]].parameters())
    write_json(results / "run.json", {**identity, "parameters": parameters})
    write_text(results / "curves.csv", _csv(history.curves))
    write_text(results / "class_curves.csv", _csv(history.class_curves))
    write_text(results / "timing.csv", _csv([{**row, "joules": row.get("joules", "")} for row in history.timing]))
    write_json(results / "environment.json", environment)
    return checkpoints


def check_cell(cell: Cell) -> None:
    """A :class:`StageError` if the architecture or one of its options does not exist."""
    try:
        check_options(cell.architecture, cell.options)
    except UnknownModelError as error:
        raise StageError(f"{cell.key}: {error}.") from None


def _train_seed(
    cell: Cell,
    compute: Compute,
    split: SplitData,
    train_images: Images,
    test_images: Images,
    seed: int,
    checkpoints: Checkpoints,
    counters: Meter,
) -> tuple[nn.Module, History]:
    resume = checkpoints.load(seed)
    done = 0 if resume is None else resume["epoch"] + 1
    steps = steps_per_epoch(len(train_images), cell.recipe)
    with Progress(f"{cell.key} seed {seed}", steps * cell.recipe.epochs, steps * done) as progress:
        if done:
            progress.say(f"continues after epoch {done}/{cell.recipe.epochs}")

        def after_epoch(history: History, state: dict[str, Any]) -> None:
            if (joules := counters.lap()) is not None:
                history.timing[-1]["joules"] = joules
            checkpoints.save(seed, state)
            row, seconds = history.curves[-1], history.timing[-1]
            progress.say(
                f"epoch {state['epoch'] + 1}/{cell.recipe.epochs}"
                f" train loss {row['train_loss']:.4f} accuracy {row['train_accuracy']:.4f}"
                f" test accuracy {row['test_accuracy']:.4f}"
                f" ({seconds['train_seconds'] + seconds['test_seconds']:.1f} s)"
            )

        return train(
            partial(build, cell.architecture, split.pool.channels, len(split.classes), cell.options),
            train_images,
            test_images,
            cell.recipe,
            seed,
            classes=len(split.classes),
            channels_last=compute.channels_last,
            resume=resume,
            hooks=Hooks(step=progress.advance, epoch=after_epoch),
        )


def _csv(rows: Sequence[Mapping[str, float | str]]) -> str:
    """Numbers as Python prints them: the shortest text that reads back as the same float."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def cell_command(description: str | None, stage: Callable[[Sequence[Cell], Compute, Layout], None]) -> None:
    """The command line of a stage that works on a cell, or on those of a study: HOME KEY."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="folder with params.yaml: . or full")
    parser.add_argument(
        "key", help="a run or study of params.yaml, or DATASET-ARCHITECTURE-DEPTH, say mnist-recurnet1-7"
    )
    arguments = parser.parse_args()
    layout = Layout(arguments.home)
    params = load_params(layout.params)
    stage(params.cells(arguments.key), params.compute, layout)


def main() -> None:
    """Command line."""
    cell_command(__doc__, run)


if __name__ == "__main__":
    run_stage(main)
