"""The training engine: the recipe's values, a naive loop as oracle, determinism and continuation."""

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

from models.registry import build
from stages.arrays import read_split
from stages.batches import Batch, Images, load_images, ordered_batches, training_batches
from stages.draws import Draws
from stages.engine import History, Hooks, measure, train
from stages.errors import StageError
from stages.layout import Layout
from stages.params import Compute, load_params
from stages.recipe import Adam, Constant, Cosine, Recipe, Sgd, Steps, learning_rate
from stages.streams import stream_seed
from tests.small import REPOSITORY, small_cell, write_split

CELL = small_cell()


@pytest.fixture
def data(tmp_path: Path) -> tuple[Images, Images]:
    layout = Layout(tmp_path)
    write_split(layout)
    split = read_split(layout.data("digits"))
    train_images, test_images = (
        load_images(part, CELL.transform, torch.device("cpu"), training=training, noise_seed=0)
        for part, training in ((split.train(0), True), (split.test, False))
    )
    return train_images, test_images


def make() -> nn.Module:
    return build(CELL.architecture, 1, 10, CELL.options)


def run(data: tuple[Images, Images], **options: Any) -> tuple[nn.Module, History]:
    return train(make, *data, CELL.recipe, 0, classes=10, **options)


def drawing(epoch: int, step: int) -> Draws:
    """What a step of seed 0 draws from."""
    return Draws([torch.Generator().manual_seed(stream_seed("step", 0, epoch, step))], channels_last=True)


def identical(one: nn.Module, other: nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in mine.items())


def test_learning_rates_are_those_of_the_authors_code() -> None:
    recipe = load_params(REPOSITORY / "full" / "params.yaml").recurnets.recipe
    rates = [
        learning_rate(recipe.schedule, recipe.optimizer.lr, epoch, recipe.epochs) for epoch in range(recipe.epochs)
    ]
    assert rates[:4] == pytest.approx([0.00181269, 0.00329680, 0.00451188, 0.00550671], abs=5e-9)
    for span, rate in (((4, 50), 1e-2), ((50, 100), 1e-3), ((100, 150), 1e-4), ((150, 200), 1e-5)):
        assert rates[slice(*span)] == pytest.approx([rate] * (span[1] - span[0]), rel=1e-12)


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


def test_the_documents_steps_are_those_of_step_lr_over_a_hundred_epochs() -> None:
    recipe = load_params(REPOSITORY / "full" / "params.yaml").recipes["mnist-rnn"]
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([weight], lr=1e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 10, 0.8)
    for epoch in range(recipe.epochs):
        ours = learning_rate(recipe.schedule, recipe.optimizer.lr, epoch, recipe.epochs)
        assert ours == pytest.approx(scheduler.get_last_lr()[0], rel=1e-12)
        optimizer.step()
        scheduler.step()


def test_a_cosine_falls_from_the_base_rate_as_torchs_own() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=60)
    for epoch in range(60):
        ours = learning_rate(Cosine(name="cosine"), 0.1, epoch, 60)
        assert ours == pytest.approx(scheduler.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        scheduler.step()
    assert {learning_rate(Constant(name="constant"), 0.3, epoch, 9) for epoch in range(9)} == {0.3}


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


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(data: tuple[Images, Images]) -> None:
    (one, first), (two, second) = run(data), run(data)
    assert identical(one, two)
    assert first.curves == second.curves
    other, _ = train(make, *data, CELL.recipe, 1, classes=10)
    assert not identical(one, other)


class KilledError(Exception):
    """A run that ends here."""


def killed_after(steps: int, target: Path) -> Hooks:
    """Save the state after every step, and end after so many."""
    saved = []

    def save(state: dict[str, Any]) -> None:
        torch.save(state, target)
        saved.append(state["step"])

    def step() -> None:
        if len(saved) == steps:
            raise KilledError

    return Hooks(step=step, due=lambda: True, save=save)


@pytest.mark.parametrize("stops", [(1,), (3,), (5,), (2, 1, 4)])
def test_a_continued_run_ends_bit_for_bit_like_an_uninterrupted_one(
    data: tuple[Images, Images], tmp_path: Path, stops: tuple[int, ...]
) -> None:
    """Stopped after that many steps, of which an epoch has 3; several times, too."""
    whole, history = run(data)
    target, resume = tmp_path / "state.pt", None
    for steps in stops:
        with pytest.raises(KilledError):
            run(data, resume=resume, hooks=killed_after(steps, target))
        resume = torch.load(target, weights_only=True)
        torch.manual_seed(123)  # another process has another global state
    assert resume is not None
    assert resume["epoch"] * 3 + resume["step"] == sum(stops)
    continued, joined = run(data, resume=resume)
    assert identical(whole, continued)
    assert joined.curves == history.curves
    assert joined.class_curves == history.class_curves


def test_training_leaves_the_global_random_state_alone(data: tuple[Images, Images]) -> None:
    before = torch.get_rng_state()
    run(data)
    assert torch.equal(before, torch.get_rng_state())


def test_a_loss_that_is_not_finite_stops_with_seed_and_epoch(data: tuple[Images, Images]) -> None:
    def broken() -> nn.Module:
        model = make()
        nn.init.constant_(next(model.parameters()), float("nan"))
        return model

    with pytest.raises(StageError, match="the training loss of seed 0 is nan in epoch 0, step 0;"):
        train(broken, *data, CELL.recipe, 0, classes=10)


def test_too_few_images_for_a_batch_are_named(data: tuple[Images, Images]) -> None:
    with pytest.raises(StageError, match="50 training images do not fill one batch of 64"):
        train(make, *data, CELL.recipe.model_copy(update={"batch_size": 64}), 0, classes=10)
