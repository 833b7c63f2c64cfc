"""Training a cell on this machine: every seed of it, from its checkpoint if there is one."""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from models.registry import build
from stages.cell import Cell, Compute
from stages.core.files import sha256_of, write_json, write_text
from stages.core.layout import Layout
from stages.core.progress import Progress
from stages.learning.assemble import check_cell
from stages.learning.batches import load_images, steps_per_epoch
from stages.learning.device import choose_device, describe, keep_freed_memory
from stages.learning.engine import History, Hooks, train_together
from stages.learning.weights import save_weights
from stages.splits.format import SplitData, read_split
from stages.train.checkpoint import Checkpoints, DamagedError
from stages.train.code_digest import code_digest
from stages.train.meter import Meter, meter

CHECKPOINT_SECONDS = float(os.environ.get("RECURNETS_CHECKPOINT_SECONDS", "30"))


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
    keep_freed_memory()
    counters = meter(device)
    environment = {**describe(device), "precision": compute.precision, "energy": counters.source}
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
    work = _Work(cell, compute, split, device, checkpoints, counters)
    history, models = History(), {}
    for group in grouped(cell.recipe.seeds, compute.seeds_together):
        for seed, (model, grown) in work.train(group).items():
            models[seed] = model
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


def grouped(seeds: Sequence[int], together: int) -> list[Sequence[int]]:
    """Seeds that are trained at once: ``together`` of them, and what is left."""
    return [seeds[start : start + together] for start in range(0, len(seeds), together)]


class _Work:
    """What training needs for any seeds of a cell. The test images are brought to the device once."""

    def __init__(
        self,
        cell: Cell,
        compute: Compute,
        split: SplitData,
        device: torch.device,
        checkpoints: Checkpoints,
        counters: Meter,
    ) -> None:
        self.cell, self.compute, self.split, self.device = cell, compute, split, device
        self.checkpoints, self.counters = checkpoints, counters
        self.test_images = load_images(split.test, cell.transform, device, training=False, noise_seed=0)

    def train(self, seeds: Sequence[int]) -> dict[int, tuple[nn.Module, History]]:
        """The trained models of ``seeds``, from their checkpoint if there is one."""
        cell, split = self.cell, self.split
        images = {
            seed: load_images(split.train(seed), cell.transform, self.device, training=True, noise_seed=seed)
            for seed in seeds
        }
        resume = self._checkpoint(seeds)
        epoch, step = (0, 0) if resume is None else (resume["epoch"], resume["step"])
        steps = steps_per_epoch(len(images[seeds[0]]), cell.recipe)
        title = f"{cell.key} seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
        with Progress(title, steps * cell.recipe.epochs, steps * epoch + step) as progress:
            if resume is not None:
                within = f" and {step}/{steps} steps" if step else ""
                progress.say(f"continues after epoch {epoch}/{cell.recipe.epochs}{within}")
            return train_together(
                partial(build, cell.architecture, split.pool.channels, len(split.classes), cell.options),
                images,
                self.test_images,
                cell.recipe,
                classes=len(split.classes),
                compute=self.compute,
                resume=resume,
                hooks=self._hooks(seeds, progress),
            )

    def _checkpoint(self, seeds: Sequence[int]) -> dict[str, Any] | None:
        try:
            return self.checkpoints.load(seeds)
        except DamagedError as error:
            print(f"{self.cell.key}: {error} is damaged and not used; these seeds start anew", flush=True)
            return None

    def _hooks(self, seeds: Sequence[int], progress: Progress) -> Hooks:
        saved = time.monotonic()

        def save(state: dict[str, Any]) -> None:
            nonlocal saved
            self.checkpoints.save(seeds, state)
            saved = time.monotonic()

        def after_epoch(histories: Mapping[int, History]) -> None:
            joules = self.counters.lap()
            if joules is not None:
                for history in histories.values():
                    history.timing[-1]["joules"] = joules / len(histories)
            progress.say(_epoch_line(list(histories.values()), self.cell.recipe.epochs))

        return Hooks(progress.advance, after_epoch, lambda: time.monotonic() - saved >= CHECKPOINT_SECONDS, save)


def _epoch_line(histories: Sequence[History], epochs: int) -> str:
    """What the last epoch brought: means over the seeds, and the seconds of all."""
    rows = [history.curves[-1] for history in histories]
    loss, trained, tested = (
        sum(row[column] for row in rows) / len(rows) for column in ("train_loss", "train_accuracy", "test_accuracy")
    )
    seconds = sum(history.timing[-1][part] for history in histories for part in ("train_seconds", "test_seconds"))
    return (
        f"epoch {rows[0]['epoch'] + 1}/{epochs} train loss {loss:.4f} accuracy {trained:.4f}"
        f" test accuracy {tested:.4f} ({seconds:.1f} s)"
    )


def _csv(rows: Sequence[Mapping[str, float | str]]) -> str:
    """Numbers as Python prints them: the shortest text that reads back as the same float."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
