"""The training engine: one architecture, one seed or several at once, epoch by epoch.

It knows no files and no architecture's inside. Every random draw is a function of (seed, epoch, step), so a run that
continues from a checkpoint, which may lie in the middle of an epoch, ends bit for bit like one that was never
interrupted, on one machine with one thread count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stages.cell import Compute
from stages.cell.recipe import Recipe
from stages.core.errors import StageError
from stages.learning.batches import Batch, Images, steps_per_epoch, training_batches
from stages.learning.inference import Measured, count_decisions, measure
from stages.learning.learner import Solo, Together
from stages.learning.metrics import AVERAGES, METRICS, per_class, summary
from stages.learning.objectives import decided
from stages.learning.schedules import learning_rate
from stages.splits.streams import stream_seed


@dataclass
class History:
    """What is recorded: a row per epoch, in ``class_curves`` one per epoch and label.

    ``timing`` is wall time; of seeds that are trained together each has its equal share.
    """

    curves: list[dict[str, float]] = field(default_factory=list)
    class_curves: list[dict[str, float]] = field(default_factory=list)
    timing: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Hooks:
    """What the engine tells its caller: after every step, after every epoch, and the state to continue from.

    After a step, ``due`` is asked whether the state shall be saved, and ``save`` is given it; it holds live tensors, to
    be written before ``save`` returns. ``save`` is also called at the end of training.
    """

    step: Callable[[], None] = lambda: None
    epoch: Callable[[Mapping[int, History]], None] = lambda _histories: None
    due: Callable[[], bool] = lambda: False
    save: Callable[[dict[str, Any]], None] = lambda _state: None


def train(
    build: Callable[[], nn.Module], train_images: Images, test_images: Images, recipe: Recipe, seed: int, **options: Any
) -> tuple[nn.Module, History]:
    """:func:`train_together` for one seed."""
    return train_together(build, {seed: train_images}, test_images, recipe, **options)[seed]


def train_together(
    build: Callable[[], nn.Module],
    train_images: Mapping[int, Images],
    test_images: Images,
    recipe: Recipe,
    *,
    classes: int,
    compute: Compute | None = None,
    resume: dict[str, Any] | None = None,
    hooks: Hooks | None = None,
) -> dict[int, tuple[nn.Module, History]]:
    """Train what ``build`` returns for every seed of ``train_images`` and give back the models after the last epoch.

    ``classes``: how many labels there are. ``resume`` is a state that an earlier ``hooks.save`` was given. The global
    random state of torch is left as it was. Memory: the weights with their gradients and the optimizer's state, and the
    activations of a batch, all times the number of seeds.
    Raises :class:`StageError` when a training loss is no longer finite, or when seeds differ in their number of images.
    """
    training = Training(build, train_images, recipe, classes, compute or Compute())
    if resume is not None:
        training.load(resume)
    training.run(test_images, hooks or Hooks())
    return dict(zip(train_images, zip(training.learner.models, training.histories.values(), strict=True), strict=True))


class Training:
    """Some seeds of one cell on their way: what a checkpoint holds, and what a step does to it.

    ``losses``: float64, (seeds, steps of an epoch), the objective at every step of this epoch. ``confusion``: int64,
    (seeds, classes, classes), its decisions in training mode. Both stay on the device until the epoch ends or the
    state is saved.
    """

    def __init__(
        self,
        build: Callable[[], nn.Module],
        train_images: Mapping[int, Images],
        recipe: Recipe,
        classes: int,
        compute: Compute,
    ) -> None:
        self.images, self.recipe = train_images, recipe
        self.seeds = list(train_images)
        (count, *others), self.device = {len(images) for images in train_images.values()}, _device(train_images)
        if others:
            raise StageError(
                f"seeds {self.seeds} have training sets of different sizes ({sorted([count, *others])} images), "
                "which cannot be trained together; set compute.seeds_together to 1."
            )
        self.steps = steps_per_epoch(count, recipe)
        if self.steps == 0:
            raise StageError(
                f"{count} training images do not fill one batch of {recipe.batch_size}; "
                "lower recipe.batch_size, or set drop_last to false."
            )
        counts = torch.stack([images.labels.bincount(minlength=classes) for images in train_images.values()])
        models = [_initialised(build, seed, self.device, compute) for seed in self.seeds]
        self.learner = (Solo if len(models) == 1 else Together)(models, counts, recipe, compute)
        self.histories = {seed: History() for seed in self.seeds}
        self.epoch, self.classes = 0, classes
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self.step, self.seconds = 0, 0.0
        self.losses = torch.zeros(len(self.seeds), self.steps, dtype=torch.float64, device=self.device)
        self.confusion = torch.zeros(len(self.seeds), self.classes, self.classes, dtype=torch.int64, device=self.device)

    def state(self) -> dict[str, Any]:
        """What :meth:`load` continues from. Raises :class:`StageError` if a loss so far is not finite."""
        self._check_losses()
        return {
            "epoch": self.epoch,
            "step": self.step,
            "seconds": self.seconds,
            "losses": self.losses,
            "confusion": self.confusion,
            "models": [model.state_dict() for model in self.learner.models],
            "optimizer": self.learner.optimizer.state_dict(),
            "histories": {seed: vars(history) for seed, history in self.histories.items()},
        }

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a state of the same seeds, recipe and data."""
        for model, values in zip(self.learner.models, state["models"], strict=True):
            model.load_state_dict(values)
        self.learner.optimizer.load_state_dict(state["optimizer"])
        self.histories = {seed: History(**rows) for seed, rows in state["histories"].items()}
        self.epoch, self.step, self.seconds = state["epoch"], state["step"], state["seconds"]
        self.losses, self.confusion = state["losses"].to(self.device), state["confusion"].to(self.device)

    def run(self, test_images: Images, hooks: Hooks) -> None:
        """Train to the end."""
        while self.epoch < self.recipe.epochs:
            rate = learning_rate(self.recipe.schedule, self.recipe.optimizer.lr, self.epoch, self.recipe.epochs)
            self.learner.set_rate(rate)
            self._train_epoch(hooks)
            self._record(test_images, rate)
            self.epoch += 1
            self._begin_epoch()
            hooks.epoch(self.histories)
        hooks.save(self.state())

    def _train_epoch(self, hooks: Hooks) -> None:
        """What is left of one pass; no step waits for the device."""
        self.learner.train_mode()
        started = time.perf_counter() - self.seconds
        for batches in self._batches():
            self.train_step(batches)
            hooks.step()
            if hooks.due():
                self.seconds = time.perf_counter() - started
                hooks.save(self.state())
        self._check_losses()  # this waits for the device, so that the clock is read when all is done
        self.seconds = time.perf_counter() - started

    def _batches(self) -> Iterator[Sequence[Batch]]:
        return zip(
            *(
                training_batches(images, self.recipe, seed, self.epoch, self.step)
                for seed, images in self.images.items()
            ),
            strict=True,
        )

    def train_step(self, batches: Sequence[Batch]) -> None:
        """Update on one batch per seed and count what it was."""
        draws = [stream_seed("step", seed, self.epoch, self.step) for seed in self.seeds]
        losses, logits = self.learner.step(batches, draws)
        self.losses[:, self.step] = losses
        decisions = torch.stack([decided(each).argmax(dim=1) for each in logits])
        count_decisions(self.confusion, torch.stack([batch.labels for batch in batches]), decisions)
        self.step += 1

    def _check_losses(self) -> None:
        finite = self.losses[:, : self.step].isfinite().cpu().numpy()
        if not finite.all():
            index, step = np.argwhere(~finite)[0].tolist()
            raise StageError(
                f"the training loss of seed {self.seeds[index]} is {self.losses[index, step].item()} in epoch "
                f"{self.epoch}, step {step}; the last checkpoint before it is kept. Lower the learning rate, or use "
                "another seed."
            )

    def _record(self, test_images: Images, rate: float) -> None:
        """Measure every seed's model and write its rows."""
        sums, confusion = self.losses.sum(dim=1).tolist(), self.confusion.cpu().numpy()
        for index, (seed, history) in enumerate(self.histories.items()):
            started = time.perf_counter()
            measured = measure(self.learner.models[index], test_images, self.recipe.test_batch_size)
            where = {"seed": seed, "epoch": self.epoch}
            trained = {"train_loss": sums[index] / self.steps, "train_loss_sum": sums[index]}
            history.curves.append({**where, "learning_rate": rate, **trained, **_scores(confusion[index], measured)})
            by_label = zip(_recalls(confusion[index]), _recalls(measured.confusion), strict=True)
            history.class_curves += [
                {**where, "label": label, "train_recall": train, "test_recall": test}
                for label, (train, test) in enumerate(by_label)
            ]
            test_seconds = time.perf_counter() - started
            share = self.seconds / len(self.seeds)
            history.timing.append({**where, "train_seconds": share, "test_seconds": test_seconds})


def _device(train_images: Mapping[int, Images]) -> torch.device:
    return next(iter(train_images.values())).device


def _initialised(build: Callable[[], nn.Module], seed: int, device: torch.device, compute: Compute) -> nn.Module:
    """The model with the initial weights of ``seed``."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(stream_seed("initialisation", seed))
        model = build().to(device)
    if compute.channels_last:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def _recalls(confusion: NDArray[np.int64]) -> list[float]:
    recalls: list[float] = per_class(confusion)["recall"].tolist()
    return recalls


def _scores(trained: NDArray[np.int64], measured: Measured) -> dict[str, float]:
    tested = summary(measured.confusion)
    return {
        "train_accuracy": summary(trained)["accuracy"],
        "test_loss": measured.loss,
        "test_loss_sum": measured.loss_sum,
        "test_accuracy": tested["accuracy"],
        **{f"test_{metric}_{average}": tested[f"{metric}_{average}"] for average in AVERAGES for metric in METRICS},
    }
