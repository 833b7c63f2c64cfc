"""The training engine: one model, one seed, epoch by epoch.

It knows no files and no architecture's inside. Every random draw is a function of (seed, epoch, step), so a run that
continues from a checkpoint ends bit for bit like one that was never interrupted, on one machine with one thread count.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.batches import Images, ordered_batches, training_batches
from stages.errors import StageError
from stages.metrics import AVERAGES, METRICS, per_class, summary
from stages.objectives import Criterion, criterion, decided, importance_losses
from stages.recipe import Adam, Recipe, learning_rate
from stages.streams import stream_seed


@dataclass
class History:
    """What is recorded: a row per epoch, in ``class_curves`` one per epoch and label; ``timing`` is wall time."""

    curves: list[dict[str, float]] = field(default_factory=list)
    class_curves: list[dict[str, float]] = field(default_factory=list)
    timing: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Hooks:
    """What the engine tells its caller: after every step, and after every epoch with the state to continue from."""

    step: Callable[[], None] = lambda: None
    epoch: Callable[[History, dict[str, Any]], None] = lambda _history, _state: None


@dataclass(frozen=True)
class Measured:
    """A model on a set of images, in evaluation.

    ``loss``: mean over the images of their cross-entropy times their importance. ``loss_sum``: sum over batches of a
    batch's mean, the scale of mnist-rnn. ``confusion``: int64, rows true, columns predicted. ``logits``: float32,
    (N, classes), on the CPU; of a model that decides at every step the logarithm of its mean softmax.
    """

    loss: float
    loss_sum: float
    confusion: NDArray[np.int64]
    logits: Tensor


def train(
    build: Callable[[], nn.Module],
    train_images: Images,
    test_images: Images,
    recipe: Recipe,
    seed: int,
    *,
    classes: int,
    channels_last: bool = True,
    resume: dict[str, Any] | None = None,
    hooks: Hooks | None = None,
) -> tuple[nn.Module, History]:
    """Train what ``build`` returns and give back the model after the last epoch, with its history.

    ``classes``: how many labels there are. ``resume`` is a state that an earlier ``hooks.epoch`` was given. The global
    random state of torch is left as it was.
    Raises :class:`StageError` when the training loss is no longer finite.
    """
    hooks = hooks or Hooks()
    device = train_images.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(stream_seed("initialisation", seed))
        model = build().to(device)
        if channels_last:
            model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = _optimizer(model, recipe)
        history, first = History(), 0
        if resume is not None:
            model.load_state_dict(resume["model"])
            optimizer.load_state_dict(resume["optimizer"])
            history, first = History(**resume["history"]), resume["epoch"] + 1
        minimise = criterion(recipe.objective, train_images.labels.bincount(minlength=classes))
        for epoch in range(first, recipe.epochs):
            _epoch(model, optimizer, minimise, train_images, test_images, recipe, seed, epoch, history, hooks)
            state = {"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
            hooks.epoch(history, {**state, "history": vars(history)})
    return model, history


def measure(model: nn.Module, images: Images, batch_size: int) -> Measured:
    """What the model makes of ``images``, in order, ``batch_size`` at a time."""
    model.eval()
    with torch.inference_mode():
        logits = torch.cat([decided(model(batch.pixels)) for batch in ordered_batches(images, batch_size)])
        losses = importance_losses(logits, images.labels, images.importance).double()
        loss_sum = torch.stack([batch.mean() for batch in losses.split(batch_size)]).sum()
        confusion = _confusion(images.labels, logits.argmax(dim=1), logits.shape[1])
    return Measured(losses.mean().item(), loss_sum.item(), confusion.cpu().numpy(), logits.cpu())


def _confusion(true: Tensor, predicted: Tensor, classes: int) -> Tensor:
    return torch.bincount(true * classes + predicted, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True)
class _Trained:
    """An epoch's running values, in training mode: sum over steps of the objective, steps, and confusion matrix."""

    loss_sum: float
    steps: int
    confusion: NDArray[np.int64]


def _epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    minimise: Criterion,
    train_images: Images,
    test_images: Images,
    recipe: Recipe,
    seed: int,
    epoch: int,
    history: History,
    hooks: Hooks,
) -> None:
    rate = learning_rate(recipe.schedule, recipe.optimizer.lr, epoch, recipe.epochs)
    for group in optimizer.param_groups:
        group["lr"] = rate
    started = time.perf_counter()
    trained = _train_epoch(model, optimizer, minimise, train_images, recipe, seed, epoch, hooks)
    between = time.perf_counter()
    measured = measure(model, test_images, recipe.test_batch_size)
    tested, running = summary(measured.confusion), per_class(trained.confusion)["recall"]
    history.curves.append(
        {
            "seed": seed,
            "epoch": epoch,
            "learning_rate": rate,
            "train_loss": trained.loss_sum / trained.steps,
            "train_loss_sum": trained.loss_sum,
            "train_accuracy": summary(trained.confusion)["accuracy"],
            "test_loss": measured.loss,
            "test_loss_sum": measured.loss_sum,
            "test_accuracy": tested["accuracy"],
            **{f"test_{metric}_{average}": tested[f"{metric}_{average}"] for average in AVERAGES for metric in METRICS},
        }
    )
    by_label = zip(running.tolist(), per_class(measured.confusion)["recall"].tolist(), strict=True)
    history.class_curves += [
        {"seed": seed, "epoch": epoch, "label": label, "train_recall": train, "test_recall": test}
        for label, (train, test) in enumerate(by_label)
    ]
    seconds = {"train_seconds": between - started, "test_seconds": time.perf_counter() - between}
    history.timing.append({"seed": seed, "epoch": epoch, **seconds})


def _train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    minimise: Criterion,
    images: Images,
    recipe: Recipe,
    seed: int,
    epoch: int,
    hooks: Hooks,
) -> _Trained:
    """One pass; sums stay on the device until its end, so that no step waits for the host."""
    model.train()
    loss_sum = torch.zeros((), dtype=torch.float64, device=images.device)
    confusion = torch.zeros((), dtype=torch.int64, device=images.device)
    steps = 0
    for batch in training_batches(images, recipe, seed, epoch):
        torch.manual_seed(stream_seed("step", seed, epoch, steps))
        logits = model(batch.pixels)
        loss = minimise(logits, batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        loss_sum += loss.detach()
        decision = decided(logits.detach())
        confusion = confusion + _confusion(batch.labels, decision.argmax(dim=1), decision.shape[1])
        steps += 1
        hooks.step()
    if steps == 0:
        raise StageError(
            f"{len(images)} training images do not fill one batch of {recipe.batch_size}; "
            "lower recipe.batch_size, or set drop_last to false."
        )
    total = loss_sum.item()
    if not math.isfinite(total):
        raise StageError(
            f"the training loss of seed {seed} is {total} in epoch {epoch}; the last checkpoint is kept. "
            "Lower the learning rate, or use another seed."
        )
    return _Trained(total, steps, confusion.cpu().numpy())


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    options = recipe.optimizer
    if isinstance(options, Adam):
        return torch.optim.Adam(model.parameters(), lr=options.lr, eps=options.eps)
    return torch.optim.SGD(
        model.parameters(),
        lr=options.lr,
        momentum=options.momentum,
        weight_decay=options.weight_decay,
        nesterov=options.nesterov,
    )
