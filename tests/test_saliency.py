"""Saliency maps and their scores against finite differences, closed forms and scipy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from stages.cell import Compute
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.explain import maps as explain
from stages.explain.saliency import (
    deletion_and_insertion,
    orders,
    random_orders,
    randomised,
    rank_correlation,
    saliency,
)
from stages.params import load_params
from stages.train import local as train
from tests.small import REPOSITORY, write_split


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


def test_an_explanation_is_written_from_the_weights_of_its_run(tmp_path: Path) -> None:
    params = load_params(REPOSITORY / "params.yaml")
    layout, cell = Layout(tmp_path), params.cell("cnn-gru")
    small = cell.model_copy(update={"recipe": cell.recipe.model_copy(update={"epochs": 1})})
    write_split(layout)
    train.run([small], Compute(device="cpu", threads=1), layout)
    wanted = params.explanations["cnn-gru"].model_copy(update={"images": 8, "steps": 4})
    params = params.model_copy(update={"explanations": {"cnn-gru": wanted}})
    explain.run("cnn-gru", params, layout)
    folder = layout.explanation("cnn-gru")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) == {"maps.png", "scores.csv", "randomised.csv"}
    scores = pd.read_csv(folder / "scores.csv")
    assert len(scores) == 8
    areas = scores[["deletion", "insertion", "random_deletion", "random_insertion"]]
    assert ((areas > 0) & (areas < 1)).all(axis=None)
    layers = pd.read_csv(folder / "randomised.csv").layer
    assert (layers.iloc[0], layers.iloc[-1]) == ("head", "trunk.0")
    explain.run("cnn-gru", params, layout)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_an_explanation_that_names_other_weights_or_nothing_is_refused(tmp_path: Path) -> None:
    params = load_params(REPOSITORY / "params.yaml")
    with pytest.raises(StageError, match=r"unknown explanation 'lstm': params\.yaml has cnn-gru"):
        explain.run("lstm", params, Layout(tmp_path))
    wrong = params.explanations["cnn-gru"].model_copy(update={"weights": "runs/cnn/weights"})
    params = params.model_copy(update={"explanations": {"cnn-gru": wrong}})
    with pytest.raises(StageError, match="those of cnn-gru are in runs/studies/cnn-gru-runs/weights/cnn-gru"):
        explain.run("cnn-gru", params, Layout(tmp_path))
