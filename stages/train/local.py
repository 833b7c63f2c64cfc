"""Training a cell in this process: the seeds that were not trained before, from their checkpoint if there is one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from torch import nn

from stages.cell import Cell, Compute
from stages.core.errors import StageError
from stages.core.files import sha256_of
from stages.core.layout import Layout
from stages.core.progress import Progress
from stages.learning.assemble import builder, test_images
from stages.learning.batches import steps_per_epoch
from stages.learning.device import choose_device, describe, keep_freed_memory
from stages.learning.engine import History, Hooks, train_together
from stages.learning.weights import weights_of
from stages.results.started import replace_started
from stages.train.checkpoint import Checkpoint
from stages.train.course import Histories, Machines, beginning, environment_of, record_started, state_to_go_on_from
from stages.train.fit import fitting_images
from stages.train.meter import meter
from stages.train.outputs import write_outputs
from stages.train.pause import PausedError, asked_to_pause
from stages.train.plan import Plan, plan, trained_before
from stages.train.seeds import KeptSeeds, TrainedSeed, kept_seeds
from stages.train.tasks import tasks

CHECKPOINT_SECONDS = float(os.environ.get("RECURNETS_CHECKPOINT_SECONDS", "30"))


class _EnoughError(Exception):
    """Raised after the last epoch that is wanted, to leave the training."""


def train_cell(cell: Cell, compute: Compute, layout: Layout) -> None:
    """Train the seeds of ``cell`` that were not trained before, and write the outputs of all of them."""
    wanted = plan(cell, compute, layout)
    write_outputs(layout, wanted, train_seeds(wanted, layout))
    replace_started(layout, [], gone=[(cell.key, seed) for seed in wanted.fingerprints])


def train_seeds(wanted: Plan, layout: Layout) -> dict[int, TrainedSeed]:
    """All seeds of ``wanted``: those that were trained before, and the others, trained here and kept."""
    kept = kept_seeds(layout.home)
    trained = trained_before(wanted, kept, layout)
    training = CellTraining(wanted, layout)
    for task in tasks([wanted], [trained], wanted.compute.seeds_together):
        trained |= train_and_keep(training, task.seeds, kept)
    return trained


def train_and_keep(training: CellTraining, seeds: Sequence[int], kept: KeptSeeds) -> dict[int, TrainedSeed]:
    """Train ``seeds`` together, and keep each; an interruption costs what was trained since the last checkpoint."""
    checkpoint = training.checkpoint(seeds)
    trained = training.train(seeds, checkpoint)
    for seed, result in trained.items():
        kept.keep(training.plan.fingerprints[seed], seed, result)
    checkpoint.remove()
    return trained


class CellTraining:
    """What training needs for any seeds of a cell on this machine."""

    def __init__(self, wanted: Plan, layout: Layout) -> None:
        self.plan, self.cell, self.compute, self.layout = wanted, wanted.cell, wanted.compute, layout
        self.device = choose_device(self.compute)
        if self.compute.precision == "bfloat16" and self.compute.seeds_together > 1 and self.device.type == "cpu":
            raise StageError(
                "compute.precision is bfloat16 and compute.seeds_together is not 1: on a processor torch would compute "
                "seeds that are trained together in float32; set seeds_together to 1."
            )
        keep_freed_memory()
        self.meter = meter(self.device)
        described = describe(self.device)  # torch's version is no plain string, which is all that a checkpoint holds
        self.environment: dict[str, Any] = {
            **{name: value if isinstance(value, int) else str(value) for name, value in described.items()},
            "precision": self.compute.precision,
            "energy": self.meter.source,
        }

    def checkpoint(self, seeds: Sequence[int]) -> Checkpoint:
        """That of ``seeds``, trained together on this machine."""
        about = {"seeds": [self.plan.fingerprints[seed] for seed in seeds], "environment": self.environment}
        return Checkpoint(self.layout.checkpoints / self.cell.key, sha256_of(about), seeds)

    def train(self, seeds: Sequence[int], checkpoint: Checkpoint) -> dict[int, TrainedSeed]:
        """Train ``seeds`` together, from their checkpoint if there is one.

        Whatever stops it, the whole epochs so far are recorded in HOME/started.csv.
        """
        resume = self._resume(seeds, checkpoint)
        machines, so_far = beginning(self.environment, resume), _histories(resume)

        def hooks(progress: Progress) -> Hooks:
            usual = self._hooks(seeds, checkpoint, progress, machines)

            def after_epoch(histories: Histories) -> None:
                usual.epoch(histories)
                so_far.update(histories)

            return replace(usual, epoch=after_epoch)

        try:
            trained = self._go_on(seeds, resume, self.cell.recipe.epochs, hooks)
        except BaseException:
            self._record(so_far, machines)
            raise
        return {
            seed: TrainedSeed(weights_of(model), history, environment_of(machines))
            for seed, (model, history) in trained.items()
        }

    def _record(self, so_far: Histories, machines: Machines) -> None:
        """Record what a training that is being stopped has; should that fail, it is said, and the reason goes on."""
        try:
            record_started(self.layout, self.plan, so_far, machines)
        except (OSError, StageError) as error:
            print(f"{self.cell.key}: its epochs so far could not be recorded: {error}", flush=True)

    def begin(
        self,
        seeds: Sequence[int],
        checkpoint: Checkpoint,
        epochs: int,
        record: Callable[[Histories, Machines], None],
    ) -> None:
        """As :meth:`train`, but only the first ``epochs`` epochs, after each of which ``record`` is given all so far.

        The checkpoint that is left is of the last step of these, and :meth:`train` goes on from there. One that is
        further on is left as it is, and ``record`` is given what it has.
        """
        resume = self._resume(seeds, checkpoint)
        machines = beginning(self.environment, resume)
        if resume is not None and resume["epoch"] >= epochs:
            record(_histories(resume), machines)
            return

        def hooks(progress: Progress) -> Hooks:
            usual = self._hooks(seeds, checkpoint, progress, machines)

            def after_epoch(histories: Histories) -> None:
                usual.epoch(histories)
                record(histories, machines)
                if progress.count == progress.total:
                    raise _EnoughError

            return replace(usual, epoch=after_epoch, due=lambda: usual.due() or progress.count == progress.total)

        with suppress(_EnoughError):
            self._go_on(seeds, resume, epochs, hooks)

    def _go_on(
        self,
        seeds: Sequence[int],
        resume: dict[str, Any] | None,
        epochs: int,
        hooks: Callable[[Progress], Hooks],
    ) -> dict[int, tuple[nn.Module, History]]:
        """Train from ``resume``; ``epochs``: how many the progress that ``hooks`` are given is reckoned for."""
        cell, split = self.cell, self.plan.split
        images = fitting_images(cell, split, seeds, self.device, builder(cell, split))
        epoch, step = (0, 0) if resume is None else (resume["epoch"], resume["step"])
        steps = steps_per_epoch(len(images[seeds[0]]), cell.recipe)
        title = f"{cell.key} seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
        with Progress(title, steps * epochs, steps * epoch + step) as progress:
            if resume is not None:
                within = f" and {step}/{steps} steps" if step else ""
                progress.say(f"continues after epoch {epoch}/{cell.recipe.epochs}{within}")
            return train_together(
                builder(cell, split),
                images,
                test_images(cell, split, self.device),
                cell.recipe,
                classes=len(split.classes),
                compute=self.compute,
                resume=resume,
                hooks=hooks(progress),
            )

    def _resume(self, seeds: Sequence[int], checkpoint: Checkpoint) -> dict[str, Any] | None:
        return state_to_go_on_from(checkpoint, self.cell.key, [self.plan.fingerprints[seed] for seed in seeds])

    def _hooks(self, seeds: Sequence[int], checkpoint: Checkpoint, progress: Progress, machines: Machines) -> Hooks:
        saved, epochs = time.monotonic(), self.cell.recipe.epochs
        about = {"fingerprints": [self.plan.fingerprints[seed] for seed in seeds], "machines": list(machines)}

        def save(state: dict[str, Any]) -> None:
            nonlocal saved
            checkpoint.save({**state, **about})
            saved = time.monotonic()
            if asked_to_pause() and state["epoch"] < epochs:
                raise PausedError(
                    f"{progress.title}: paused at a checkpoint after {state['epoch']} of {epochs} epochs and "
                    f"{state['step']} steps; run the same command again to continue."
                )

        def due() -> bool:
            return asked_to_pause() or time.monotonic() - saved >= CHECKPOINT_SECONDS

        def after_epoch(histories: Histories) -> None:
            joules = self.meter.lap()
            if joules is not None:
                for history in histories.values():
                    history.timing[-1]["joules"] = joules / len(histories)
            progress.say(_epoch_line(list(histories.values()), epochs))

        return Hooks(progress.advance, after_epoch, due, save)


def _histories(state: Mapping[str, Any] | None) -> dict[int, History]:
    """What a state has of every seed."""
    return {} if state is None else {seed: History(**rows) for seed, rows in state["histories"].items()}


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
