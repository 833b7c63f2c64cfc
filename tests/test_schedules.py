"""Learning rates: those of the documents' code, and torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from stages.cell.recipe import Constant, Cosine
from stages.learning.schedules import learning_rate
from stages.params import load_params
from tests.small import REPOSITORY


def test_learning_rates_are_those_of_the_authors_code() -> None:
    recipe = load_params(REPOSITORY / "full" / "params.yaml").recurnets.recipe
    rates = [
        learning_rate(recipe.schedule, recipe.optimizer.lr, epoch, recipe.epochs) for epoch in range(recipe.epochs)
    ]
    assert rates[:4] == pytest.approx([0.00181269, 0.00329680, 0.00451188, 0.00550671], abs=5e-9)
    for span, rate in (((4, 50), 1e-2), ((50, 100), 1e-3), ((100, 150), 1e-4), ((150, 200), 1e-5)):
        assert rates[slice(*span)] == pytest.approx([rate] * (span[1] - span[0]), rel=1e-12)


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
