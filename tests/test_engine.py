"""The training engine: a naive loop as oracle, losses, curves and objectives."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, recall_score
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor, nn
from torch.nn import functional as F

from stages.cell import Compute
from stages.cell.recipe import Adam, Recipe, Sgd, Steps
from stages.learning.batches import Batch, Images, ordered_batches, training_batches
from stages.learning.draws import Draws
from stages.learning.engine import measure, train
from stages.learning.schedules import learning_rate
from stages.splits.streams import stream_seed
from tests.training import CELL, few_images, identical, make, run


@pytest.fixture
def data(tmp_path: Path) -> tuple[Images, Images]:
    return few_images(tmp_path)


def drawing(epoch: int, step: int) -> Draws:
    """What a step of seed 0 draws from."""
    return Draws([torch.Generator().manual_seed(stream_seed("step", 0, epoch, step))], channels_last=True)


def test_an_epoch_equals_a_naive_loop(data: tuple[Images, Images]) -> None:
    """SGD with momentum and weight decay on every parameter written out, losses read at every step."""
    torch.manual_seed(stream_seed("initialisation", 0))
    model = make().to(memory_format=torch.channels_last).train()
    velocity = [torch.zeros_like(p) for p in model.parameters()]
    rate = 0.02 * (1 - math.exp(-1 / 5))
    losses, true, predicted = [], [], []
    for step, (pixels, labels, *_) in enumerate(training_batches(data[0], CELL.recipe, 0, 0)):
        with drawing(0, step):
            logits = model(pixels)
        loss = F.cross_entropy(logits, labels)
        losses.append(loss.item())
        true, predicted = true + labels.tolist(), predicted + logits.argmax(1).tolist()
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for weight, speed, gradient in zip(model.parameters(), velocity, gradients, strict=True):
                speed.mul_(0.9).add_(gradient + 0.0002 * weight)
                weight.sub_(rate * speed)
    _, history = train(make, *data, CELL.recipe.model_copy(update={"epochs": 1}), 0, classes=10)
    row = history.curves[0]
    assert row["learning_rate"] == pytest.approx(rate)
    assert row["train_loss"] == pytest.approx(sum(losses) / len(losses), abs=1e-5)
    assert row["train_loss_sum"] == pytest.approx(sum(losses), abs=1e-5 * len(losses))
    assert row["train_accuracy"] == accuracy_score(true, predicted)
    recalls = recall_score(true, predicted, average=None, labels=range(10), zero_division=0)
    assert [row["train_recall"] for row in history.class_curves] == pytest.approx(recalls, abs=1e-12)


def test_adam_and_a_step_schedule_equal_torchs_own(data: tuple[Images, Images]) -> None:
    recipe = CELL.recipe.model_copy(
        update={
            "optimizer": Adam(name="adam", lr=0.01, eps=1e-7),
            "schedule": Steps(name="steps", period=2, gamma=0.5),
            "epochs": 3,
        }
    )
    torch.manual_seed(stream_seed("initialisation", 0))
    model = make().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, eps=1e-7)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
    rates = []
    for epoch in range(3):
        model.train()
        rates.append(scheduler.get_last_lr()[0])
        for step, (pixels, labels, *_) in enumerate(training_batches(data[0], recipe, 0, epoch)):
            optimizer.zero_grad()
            with drawing(epoch, step):
                loss = F.cross_entropy(model(pixels), labels)
            loss.backward()
            optimizer.step()
        scheduler.step()
    ours, history = train(make, *data, recipe, 0, classes=10)
    assert [row["learning_rate"] for row in history.curves] == pytest.approx(rates, rel=1e-12)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-5, atol=1e-6)


class EveryStep(nn.Module):
    """Decides at each of two steps."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(8 * 8, 10) for _ in range(2))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, 2, 10)."""
        return torch.stack([head(images.flatten(1)) for head in self.heads], dim=1)


def test_a_model_that_decides_at_every_step_learns_from_each_and_is_judged_by_their_mean(
    data: tuple[Images, Images],
) -> None:
    recipe = CELL.recipe.model_copy(update={"epochs": 1, "batch_size": 50, "optimizer": Sgd(name="sgd", lr=0.1)})
    images = tuple(replace(part, pixels=part.pixels[:, :8, :8], size=(8, 8), side=(8, 8)) for part in data)
    torch.manual_seed(stream_seed("initialisation", 0))
    model = EveryStep()
    (batch,) = training_batches(images[0], recipe, 0, 0)
    logits = model(batch.pixels)
    (sum(F.cross_entropy(logits[:, step], batch.labels) for step in range(2)) / 2).backward()
    rate = learning_rate(recipe.schedule, 0.1, 0, 1)
    expected = {name: p.detach() - rate * p.grad for name, p in model.named_parameters()}
    ours, _history = train(EveryStep, *images, recipe, 0, classes=10, compute=Compute(channels_last=False))
    for name, value in ours.named_parameters():
        torch.testing.assert_close(value.detach(), expected[name], rtol=0, atol=1e-6)
    measured = measure(ours, images[1], 20)
    with torch.no_grad():
        pixels = torch.cat([each.pixels for each in ordered_batches(images[1], 20)])
        mean = ours(pixels).softmax(dim=2).mean(dim=1)
    torch.testing.assert_close(measured.logits.exp(), mean, rtol=1e-5, atol=1e-7)
    assert measured.loss == pytest.approx(F.nll_loss(mean.log(), images[1].labels).item(), rel=1e-5)


def test_an_image_without_importance_adds_nothing_but_stays_in_the_mean(data: tuple[Images, Images]) -> None:
    importance = (data[1].labels % 2).float()
    model = make().eval()
    plain, weighted = measure(model, data[1], 20), measure(model, replace(data[1], importance=importance), 20)
    losses = F.cross_entropy(plain.logits, data[1].labels, reduction="none")
    assert weighted.loss == pytest.approx((losses * importance).mean().item(), rel=1e-6)
    assert (weighted.confusion == plain.confusion).all()


def test_the_test_loss_is_given_per_image_and_as_the_sum_of_batch_means(data: tuple[Images, Images]) -> None:
    model = make().eval()
    images = data[1]
    measured = measure(model, images, 16)
    losses = F.cross_entropy(measured.logits, images.labels, reduction="none")
    assert measured.loss == pytest.approx(losses.mean().item(), abs=1e-6)
    parts = [losses[start : start + 16].mean().item() for start in (0, 16, 32, 48)]  # the last has two images
    assert measured.loss_sum == pytest.approx(sum(parts), abs=1e-5)


def test_class_curves_are_recalls(data: tuple[Images, Images]) -> None:
    model, history = run(data)
    last = [row for row in history.class_curves if row["epoch"] == CELL.recipe.epochs - 1]
    measured = measure(model, data[1], 10)
    expected = recall_score(data[1].labels, measured.logits.argmax(1), average=None, labels=range(10), zero_division=0)
    assert [row["label"] for row in last] == list(range(10))
    assert [row["test_recall"] for row in last] == pytest.approx(expected, abs=1e-12)


def first_loss(data: tuple[Images, Images], objective: dict[str, Any]) -> tuple[float, torch.Tensor, Batch]:
    """The loss of an epoch of one step, with the logits and the batch that it is the loss of."""
    whole = {"epochs": 1, "batch_size": len(data[0]), "objective": objective}
    recipe = Recipe.model_validate({**CELL.recipe.model_dump(), **whole})
    (batch,) = training_batches(data[0], recipe, 0, 0)
    torch.manual_seed(stream_seed("initialisation", 0))
    model = make().to(memory_format=torch.channels_last).train()
    with drawing(0, 0):
        logits = model(batch.pixels).detach()
    return train(make, *data, recipe, 0, classes=10)[1].curves[0]["train_loss"], logits, batch


def test_balanced_class_weights_come_from_the_training_images(data: tuple[Images, Images]) -> None:
    balanced = {"loss": {"name": "cross_entropy", "class_weights": "balanced"}}
    loss, logits, batch = first_loss(data, balanced)
    weights = compute_class_weight("balanced", classes=np.arange(10), y=data[0].labels.numpy())
    expected = F.cross_entropy(logits, batch.labels, weight=torch.tensor(weights).float())
    assert len(set(weights)) > 1
    assert loss == pytest.approx(expected.item(), rel=1e-6)  # single precision


def test_the_penalty_of_copies_follows_the_environments_of_the_batch(data: tuple[Images, Images]) -> None:
    images = replace(data[0], environments=(data[0].labels > 6).long())
    loss, logits, batch = first_loss((images, data[1]), {"irm": {"environments": "copies", "weight": 3.0}})
    expected = 0.0
    for environment in (0, 1):
        scale = torch.ones((), requires_grad=True)
        here = batch.environments == environment
        risk = F.cross_entropy(scale * logits[here], batch.labels[here])
        expected += risk.item() + 3 * torch.autograd.grad(risk, scale)[0].item() ** 2
    assert loss == pytest.approx(expected, rel=1e-5)  # single precision, and a square that doubles its error


@pytest.mark.parametrize(
    "change",
    [
        {"objective": {"irm": {"environments": "same_batch", "weight": 1.0}}},
        {"objective": {"loss": {"name": "focal", "gamma": 2.0}}},
        {"objective": {"loss": {"name": "cross_entropy", "class_weights": "balanced"}}},
        {"sampling": "balanced"},
    ],
)
def test_every_objective_and_sampling_changes_the_weights(data: tuple[Images, Images], change: dict[str, Any]) -> None:
    recipe = Recipe.model_validate({**CELL.recipe.model_dump(), **change})
    changed, history = train(make, *data, recipe, 0, classes=10)
    assert not identical(changed, run(data)[0])
    assert all(math.isfinite(row["train_loss"]) for row in history.curves)
