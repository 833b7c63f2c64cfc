"""Training twice, interrupted or not, gives the same bits; what cannot be trained is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from stages.core.errors import StageError
from stages.learning.batches import Images
from stages.learning.engine import Hooks, train
from tests.training import CELL, few_images, identical, make, run


@pytest.fixture
def data(tmp_path: Path) -> tuple[Images, Images]:
    return few_images(tmp_path)


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
