"""What a training step is told and hands out: rates, draws, precision, and when it is replayed from a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stages.cell import Compute
from stages.cell.recipe import Recipe
from stages.learning import learner
from stages.learning.batches import Batch
from stages.learning.learner import Solo, Together

RECIPE = {"seeds": [0], "epochs": 1, "batch_size": 4, "test_batch_size": 4, "drop_last": False,
          "schedule": {"name": "constant"}}  # fmt: skip
SGD = Recipe.model_validate({**RECIPE, "optimizer": {"name": "sgd", "lr": 0.5}})
ADAM = Recipe.model_validate({**RECIPE, "optimizer": {"name": "adam", "lr": 0.5}})


class Net(nn.Module):
    """A linear layer that keeps the type of what it gave."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.given: list[torch.dtype] = []

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layer(images.flatten(1))
        self.given.append(logits.dtype)
        return logits


class Graph:
    """Stands for what replays a step on a GPU."""

    def __init__(self, update: Callable[[Batch], Any], generators: Sequence[torch.Generator]) -> None:
        self.update, self.generators, self.forgotten = update, generators, 0

    def forget(self) -> None:
        self.forgotten += 1


def made(seeds: int = 1, recipe: Recipe = SGD, **compute: Any) -> Solo:
    counts = torch.ones(seeds, 3, dtype=torch.int64)
    return (Solo if seeds == 1 else Together)([Net() for _ in range(seeds)], counts, recipe, Compute(**compute))


def batch() -> Batch:
    labels = torch.tensor([0, 1, 2, 0])
    return Batch(torch.linspace(-1, 1, 16).reshape(4, 1, 2, 2), labels, torch.zeros_like(labels))


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the learner take its device for a GPU."""
    monkeypatch.setattr(learner, "Graphed", Graph)
    monkeypatch.setattr(Solo, "on_gpu", property(lambda self: True))


@pytest.mark.parametrize("recipe", [SGD, ADAM], ids=["sgd", "adam"])
def test_the_rate_that_is_set_is_the_rate_of_the_next_step(recipe: Recipe) -> None:
    trained = made(recipe=recipe)
    trained.set_rate(0.0)
    before = trained.models[0].layer.weight.detach().clone()
    trained.step([batch()], [0])
    assert torch.equal(trained.models[0].layer.weight, before)
    trained.set_rate(0.1)
    trained.step([batch()], [0])
    assert not torch.equal(trained.models[0].layer.weight, before)


def test_a_step_of_sgd_is_the_rate_times_the_gradient() -> None:
    trained = made()
    trained.set_rate(0.25)
    net = trained.models[0]
    given = batch()
    loss = nn.functional.cross_entropy(net(given.pixels), given.labels)
    (gradient,) = torch.autograd.grad(loss, [net.layer.weight])
    expected = net.layer.weight.detach() - 0.25 * gradient
    losses, _ = trained.step([given], [0])
    torch.testing.assert_close(net.layer.weight.detach(), expected)
    torch.testing.assert_close(losses, loss.detach()[None])


@pytest.mark.parametrize("draws", [[], [1], [1, 2, 3]])
def test_every_seed_needs_its_draws(draws: list[int]) -> None:
    with pytest.raises(ValueError, match=r"zip\(\) argument 2 is (shorter|longer)"):
        made(seeds=2).step([batch()] * 2, draws)


@pytest.mark.parametrize(("precision", "inside"), [("bfloat16", torch.bfloat16), ("float32", torch.float32)])
def test_a_step_computes_in_its_precision_and_hands_out_float32(precision: str, inside: torch.dtype) -> None:
    trained = made(precision=precision)
    losses, logits = trained.step([batch()], [0])
    assert trained.models[0].given == [inside]
    assert (losses.dtype, logits.dtype) == (torch.float32, torch.float32)
    assert logits.shape == (1, 4, 3)


def test_what_a_network_gives_in_half_precision_counts_in_float32_for_every_seed() -> None:
    trained = made(seeds=2)
    for model in trained.models:
        model.register_forward_hook(lambda _model, _given, logits: logits.to(torch.bfloat16))
    losses, logits = trained.step([batch()] * 2, [0, 1])
    assert (losses.dtype, logits.dtype) == (torch.float32, torch.float32)
    assert logits.shape == (2, 4, 3)


def test_without_a_gpu_nothing_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner, "Graphed", Graph)
    trained = made(recipe=ADAM, cuda_graphs=True)
    assert not isinstance(trained._run, Graph)
    assert [group["capturable"] for group in trained.optimizer.param_groups] == [False]


def test_on_a_gpu_a_step_is_replayed_only_if_that_is_asked_for(gpu: None) -> None:
    assert not isinstance(made(recipe=ADAM)._run, Graph)
    trained = made(recipe=ADAM, cuda_graphs=True)
    assert isinstance(trained._run, Graph)
    assert trained._run.update == trained._update
    assert trained._run.generators is trained.generators
    assert [group["capturable"] for group in trained.optimizer.param_groups] == [True]


def test_a_replayed_step_is_forgotten_when_the_rate_changes_and_then_only(gpu: None) -> None:
    trained = made(cuda_graphs=True)
    assert isinstance(trained._run, Graph)
    trained.set_rate(0.5)
    assert trained._run.forgotten == 0
    trained.set_rate(0.25)
    assert trained._run.forgotten == 1
    trained.set_rate(0.25)
    assert trained._run.forgotten == 1
    made().set_rate(0.1)  # nothing to forget
