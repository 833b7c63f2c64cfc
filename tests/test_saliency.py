"""Saliency maps and their scores against finite differences, closed forms and scipy."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from stages.cell import Cell, Compute
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.explain.__main__ import asked
from stages.explain.maps import run as explain
from stages.explain.saliency import (
    deletion_and_insertion,
    orders,
    random_orders,
    randomised,
    rank_correlation,
    saliency,
)
from stages.params import load_params
from stages.train.local import train_cell
from tests.small import REPOSITORY, write_split

PARAMS = load_params(REPOSITORY / "params.yaml")
WANTED = PARAMS.explanations["cnn-gru"].model_copy(update={"images": 8, "steps": 4})


class Linear(nn.Module):
    """Two classes; the second one's score is a weighted sum of the pixels, the first one's is 0."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, 2)."""
        score = (images * self.weights).sum(dim=(1, 2, 3))
        return torch.stack([torch.zeros_like(score), score], dim=1)


def test_the_map_is_the_gradient_of_the_winning_score() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(3 * 4, 5)).double()
    images = torch.randn(3, 2, 4, 4, dtype=torch.float64)
    maps = saliency(model, images)
    assert maps.shape == (3, 4, 4)
    winner, step = model(images).argmax(dim=1), 1e-6
    for n in range(3):
        for y, x in ((0, 0), (1, 3), (3, 2)):
            slopes = []
            for channel in range(2):
                moved = images[n].clone()
                moved[channel, y, x] += step
                slopes.append((model(moved[None]) - model(images[n][None]))[0, winner[n]].item() / step)
            assert maps[n, y, x].item() == pytest.approx(max(abs(slope) for slope in slopes), abs=1e-5)


def test_making_a_map_leaves_model_and_images_alone() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    images = torch.randn(2, 1, 2, 2)
    saliency(model, images)
    assert not images.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


def test_areas_are_those_of_a_loop_over_pixels() -> None:
    torch.manual_seed(1)
    model = Linear(torch.randn(1, 2, 2))
    images = torch.randn(3, 1, 2, 2)
    order = random_orders(3, 4, seed=0)
    deletion, insertion = deletion_and_insertion(model, images, order, steps=4)
    for n in range(3):
        predicted = model(images[n][None]).argmax().item()
        curves: tuple[list[float], list[float]] = ([], [])
        for gone in range(5):
            for curve, kept in zip(curves, (order[n, gone:], order[n, :gone]), strict=True):
                shown = torch.zeros(4)
                shown[kept] = images[n].flatten()[kept]
                curve.append(model(shown.reshape(1, 1, 2, 2)).softmax(dim=1)[0, predicted].item())
        for area, curve in ((deletion[n], curves[0]), (insertion[n], curves[1])):
            assert area.item() == pytest.approx(np.trapezoid(curve, dx=0.25), abs=1e-6)


def test_the_pixels_that_decide_are_found_first() -> None:
    weights = torch.zeros(1, 4, 4)
    weights[0, 1, 2], weights[0, 3, 0] = 9.0, 5.0
    model, images = Linear(weights), torch.ones(1, 1, 4, 4)
    order = orders(saliency(model, images))
    assert order[0, :2].tolist() == [6, 12]
    by_map = deletion_and_insertion(model, images, order, steps=16)
    by_worst = deletion_and_insertion(model, images, order.flip(1), steps=16)
    assert by_map[0] < by_worst[0]
    assert by_map[1] > by_worst[1]


def test_random_orders_are_permutations_and_a_function_of_the_seed() -> None:
    drawn = random_orders(5, 9, seed=3)
    assert torch.equal(drawn.sort(dim=1).values, torch.arange(9).expand(5, 9))
    assert torch.equal(drawn, random_orders(5, 9, seed=3))
    assert not torch.equal(drawn, random_orders(5, 9, seed=4))


def test_layers_are_drawn_anew_one_after_another_from_the_last() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    changed = []
    for name, other in randomised(model, seed=0):
        now = other.state_dict()
        changed.append((name, {key for key, value in before.items() if not torch.equal(now[key], value)}))
    assert changed == [
        ("3", {"3.weight", "3.bias"}),
        ("0", {"3.weight", "3.bias", "0.weight", "0.bias"}),
    ]
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())


def test_rank_correlation_is_spearmans() -> None:
    first, second = torch.rand(4, 5, 5), torch.rand(4, 5, 5)
    ours = rank_correlation(first, second)
    for n in range(4):
        expected = spearmanr(first[n].flatten().numpy(), second[n].flatten().numpy()).statistic
        assert ours[n].item() == pytest.approx(expected, abs=1e-12)
    assert rank_correlation(first, first).tolist() == pytest.approx([1.0] * 4)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cell, Layout]:
    """A run, trained for an epoch, and where it lies."""
    layout, cell = Layout(tmp_path_factory.mktemp("home")), PARAMS.cell("cnn-gru")
    small = cell.model_copy(update={"recipe": cell.recipe.model_copy(update={"epochs": 1})})
    write_split(layout)
    train_cell(small, Compute(device="cpu", threads=1), layout)
    return small, layout


def test_an_explanation_is_written_from_the_weights_of_its_run(trained: tuple[Cell, Layout]) -> None:
    cell, layout = trained
    explain(WANTED, cell, layout)
    folder = layout.explanation("cnn-gru")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) == {"maps.png", "scores.csv", "randomised.csv"}
    scores = pd.read_csv(folder / "scores.csv")
    assert len(scores) == 8
    areas = scores[["deletion", "insertion", "random_deletion", "random_insertion"]]
    assert ((areas > 0) & (areas < 1)).all(axis=None)
    layers = pd.read_csv(folder / "randomised.csv").layer
    assert (layers.iloc[0], layers.iloc[-1]) == ("head", "trunk.0")
    explain(WANTED, cell, layout)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_an_explanation_that_the_parameters_do_not_name_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    shutil.copy(REPOSITORY / "params.yaml", layout.params)
    with pytest.raises(StageError, match=r"unknown explanation 'lstm': params\.yaml has cnn-gru"):
        asked(layout, "lstm")


def test_weights_that_are_not_those_of_the_run_are_refused(trained: tuple[Cell, Layout], tmp_path: Path) -> None:
    cell, there = trained
    other = PARAMS.cell("cnn")
    here = Layout(tmp_path)
    shutil.copytree(there.data("digits"), here.data("digits"))
    with pytest.raises(StageError, match=r"seed-0\.safetensors is missing"):
        explain(WANTED, other, here)
    shutil.copytree(there.training(cell), here.training(other))
    with pytest.raises(StageError, match="are not of this architecture"):
        explain(WANTED, other, here)
    assert not here.explanation("cnn").exists()
