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
from torch.nn import functional as F

from stages.batches import Images, ordered_batches, training_batches
from stages.errors import StageError
from stages.metrics import AVERAGES, METRICS, summary
from stages.params import Recipe, WarmupMilestones
from stages.streams import stream_seed


@dataclass
class History:
    """What is recorded, a row per epoch. ``curves`` decide nothing but on the recipe; ``timing`` is wall time."""

    curves: list[dict[str, float]] = field(default_factory=list)
    timing: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Hooks:
    """What the engine tells its caller: after every step, and after every epoch with the state to continue from."""

    step: Callable[[], None] = lambda: None
    epoch: Callable[[History, dict[str, Any]], None] = lambda _history, _state: None


def learning_rate(schedule: WarmupMilestones, base: float, epoch: int) -> float:
    """The learning rate of a whole epoch (0-based)."""
    rate = base * schedule.gamma ** sum(epoch >= milestone for milestone in schedule.milestones)
    if epoch < schedule.warmup_epochs:
        rate *= 1 - math.exp(-(epoch + 1) / schedule.warmup_period)
    return rate


def train(
    build: Callable[[], nn.Module],
    train_images: Images,
    test_images: Images,
    recipe: Recipe,
    seed: int,
    *,
    channels_last: bool = True,
    resume: dict[str, Any] | None = None,
    hooks: Hooks | None = None,
) -> tuple[nn.Module, History]:
    """Train what ``build`` returns and give back the model after the last epoch, with its history.

    ``resume`` is a state that an earlier ``hooks.epoch`` was given. The global random state of torch is left as it was.
    Raises :class:`StageError` when the training loss is no longer finite.
    """
    hooks = hooks or Hooks()
    device = train_images.pixels.device
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
            history, first = History(resume["curves"], resume["timing"]), resume["epoch"] + 1
        for epoch in range(first, recipe.epochs):
            _epoch(model, optimizer, train_images, test_images, recipe, seed, epoch, history, hooks)
            state = {"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
            hooks.epoch(history, {**state, "curves": history.curves, "timing": history.timing})
    return model, history


def measure(model: nn.Module, images: Images, batch_size: int) -> tuple[float, NDArray[np.int64], Tensor]:
    """Mean cross-entropy, confusion matrix (rows true, columns predicted) and logits (N, classes), in evaluation."""
    model.eval()
    with torch.inference_mode():
        logits = torch.cat([model(pixels) for pixels, _ in ordered_batches(images, batch_size)])
        loss = F.cross_entropy(logits, images.labels)
        classes = logits.shape[1]
        pairs = images.labels * classes + logits.argmax(dim=1)
        confusion = torch.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
    return loss.item(), confusion.cpu().numpy(), logits.cpu()


def _epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    train_images: Images,
    test_images: Images,
    recipe: Recipe,
    seed: int,
    epoch: int,
    history: History,
    hooks: Hooks,
) -> None:
    rate = learning_rate(recipe.schedule, recipe.optimizer.lr, epoch)
    for group in optimizer.param_groups:
        group["lr"] = rate
    started = time.perf_counter()
    train_loss, train_accuracy = _train_epoch(model, optimizer, train_images, recipe, seed, epoch, hooks)
    trained = time.perf_counter()
    test_loss, confusion, _ = measure(model, test_images, recipe.test_batch_size)
    scores = summary(confusion)
    history.curves.append(
        {
            "seed": seed,
            "epoch": epoch,
            "learning_rate": rate,
            "train_loss": train_loss,
            "train_accuracy": train_accuracy,
            "test_loss": test_loss,
            "test_accuracy": scores["accuracy"],
            **{f"test_{metric}_{average}": scores[f"{metric}_{average}"] for average in AVERAGES for metric in METRICS},
        }
    )
    seconds = {"train_seconds": trained - started, "test_seconds": time.perf_counter() - trained}
    history.timing.append({"seed": seed, "epoch": epoch, **seconds})


def _train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Images,
    recipe: Recipe,
    seed: int,
    epoch: int,
    hooks: Hooks,
) -> tuple[float, float]:
    """Mean over batches of the loss, and accuracy over the images seen: running values, in training mode.

    Sums stay on the device until the end of the epoch, so that no step waits for the host.
    """
    model.train()
    loss_sum = torch.zeros((), dtype=torch.float64, device=images.pixels.device)
    correct = torch.zeros((), dtype=torch.int64, device=images.pixels.device)
    steps = seen = 0
    for pixels, labels in training_batches(images, recipe, seed, epoch):
        torch.manual_seed(stream_seed("step", seed, epoch, steps))
        logits = model(pixels)
        loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        loss_sum += loss.detach()
        correct += (logits.detach().argmax(dim=1) == labels).sum()
        steps, seen = steps + 1, seen + len(labels)
        hooks.step()
    if steps == 0:
        raise StageError(
            f"{len(images)} training images do not fill one batch of {recipe.batch_size}; "
            "lower recipe.batch_size, or set drop_last to false."
        )
    mean = loss_sum.item() / steps
    if not math.isfinite(mean):
        raise StageError(
            f"the training loss of seed {seed} is {mean} in epoch {epoch}; the last checkpoint is kept. "
            "Lower the learning rate, or use another seed."
        )
    return mean, correct.item() / seen


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    options = recipe.optimizer
    return torch.optim.SGD(
        model.parameters(),
        lr=options.lr,
        momentum=options.momentum,
        weight_decay=options.weight_decay,
        nesterov=options.nesterov,
    )
