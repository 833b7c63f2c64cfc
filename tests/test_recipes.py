"""Every setting of the published recipes acts as it is defined: written out, and noticed where it is another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from stages.cell import Cell, Transform
from stages.cell.recipe import Adam, CrossEntropy, Focal, LogitAdjusted, Objective, Recipe, Sgd
from stages.compare.scale import FREE_KEYS, differences
from stages.documents.paper import flatten, load_papers
from stages.learning.batches import Batch, load_images, training_batches
from stages.learning.learner import optimizer
from stages.learning.objectives import criterion
from stages.learning.schedules import learning_rate
from stages.params import load_params
from stages.splits.format import Part
from tests.small import REPOSITORY

FULL = load_params(REPOSITORY / "full/params.yaml")
CELLS = [cell for key in (*FULL.named, *FULL.studies, "cifar10-recurnet1-4", "svhn-recurnet2-8", "mnist-recurnet1-5")
         for cell in FULL.cells(key)]  # fmt: skip
RECIPES = {cell.recipe.model_copy(update={"seeds": (0,)}): cell.key for cell in CELLS}
OPTIMIZERS = {str(recipe.optimizer): recipe for recipe in RECIPES}
OBJECTIVES = {str(recipe.objective): recipe.objective for recipe in RECIPES}
CPU = torch.device("cpu")


def others(value: Any) -> Any:
    """Another value of the same kind, so near that its effect has to be looked for."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, list):
        return [*value[:-1], others(value[-1])] if value else [1]
    return value * 1.1 if value else 0.1


def moved(options: Sgd | Adam, weight: float, gradients: Sequence[float]) -> float:
    """A weight after a step for each gradient: the definitions in Python's floats."""
    velocity = square = 0.0
    for step, gradient in enumerate(gradients, 1):
        if isinstance(options, Adam):
            velocity, square = 0.9 * velocity + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
            deviation = math.sqrt(square / (1 - 0.999**step))
            weight -= options.lr * velocity / (1 - 0.9**step) / (deviation + options.eps)
        else:
            gradient += options.weight_decay * weight
            velocity = options.momentum * velocity + gradient
            weight -= options.lr * (gradient + options.momentum * velocity if options.nesterov else velocity)
    return weight


WEIGHTS = [0.5, -2.0, 0.0, 1.0]
GRADIENTS = [[0.3, -0.2, 0.1], [1e-7, 3e-7, -2e-7], [1e-3, 0.0, -5.0], [2e-8, -1e-8, 1e-8]]  # of each weight in turn


def stepped(recipe: Recipe) -> list[float]:
    """The weights after three steps of the recipe's optimizer."""
    weights = torch.tensor(WEIGHTS, dtype=torch.float64, requires_grad=True)
    steps = optimizer([weights], recipe)
    for gradient in zip(*GRADIENTS, strict=True):
        weights.grad = torch.tensor(gradient, dtype=torch.float64)
        steps.step()
    return weights.tolist()


@pytest.mark.parametrize("recipe", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_steps_of_every_published_optimizer_are_its_definition(recipe: Recipe) -> None:
    """Tiny gradients among them, of which Adam's eps takes its share. Rounding: some units of 2 in float64."""
    expected = [moved(recipe.optimizer, *each) for each in zip(WEIGHTS, GRADIENTS, strict=True)]
    assert stepped(recipe) == pytest.approx(expected, rel=0, abs=1e-14)


@pytest.mark.parametrize("recipe", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_every_setting_of_an_optimizer_moves_the_weights(recipe: Recipe) -> None:
    settings = {name: value for name, value in recipe.optimizer.model_dump().items() if name != "name"}
    if settings.get("momentum") == 0:
        settings.pop("nesterov")  # has no meaning without
    for name, value in settings.items():
        changed = recipe.optimizer.model_copy(update={name: others(value)})
        there = stepped(recipe.model_copy(update={"optimizer": changed}))
        assert max(abs(a - b) for a, b in zip(there, stepped(recipe), strict=True)) > 1e-9, name


@pytest.mark.parametrize(
    ("run", "rates"),
    [
        (
            "cifar10-recurnet1-4",
            {
                0: 0.01 * (1 - math.exp(-1 / 5)), 3: 0.01 * (1 - math.exp(-4 / 5)), 4: 0.01, 49: 0.01,
                50: 1e-3, 99: 1e-3, 100: 1e-4, 149: 1e-4, 150: 1e-5, 199: 1e-5,
            },
        ),
        ("lstm", {0: 1e-3, 9: 1e-3, 10: 8e-4, 19: 8e-4, 20: 6.4e-4, 99: 1e-3 * 0.8**9}),
        ("recnet", {0: 1e-3, 34: 1e-3}),
        ("gunn", {0: 1e-3, 99: 1e-3}),
        ("recnet-sgd", {0: 0.1, 7: 0.05 * (1 + math.cos(math.pi / 5)), 34: 0.05 * (1 - math.cos(math.pi / 35))}),
        ("gunn15", {0: 0.1, 149: 0.1, 150: 0.01, 224: 0.01, 225: 1e-3, 299: 1e-3}),
        ("cnn-gru", {0: 1e-3, 20: 7.5e-4, 30: 5e-4, 40: 2.5e-4}),
    ],
)  # fmt: skip
def test_learning_rates_are_the_documents(run: str, rates: dict[int, float]) -> None:
    (cell,) = FULL.cells(run)
    recipe = cell.recipe
    found = [learning_rate(recipe.schedule, recipe.optimizer.lr, epoch, recipe.epochs) for epoch in rates]
    assert found == pytest.approx(list(rates.values()), rel=1e-12)
    assert max(rates) < recipe.epochs


LOGITS = torch.tensor(
    [[2.0, -1.0, 0.5], [0.1, 0.2, -0.3], [-1.5, 1.0, 3.0], [0.7, 0.7, 0.0], [1.0, -2.0, 0.3]], dtype=torch.float64
)
LABELS, ENVIRONMENTS, COUNTS = (0, 1, 1, 2, 0), (0, 1, 1, 0, 0), (60, 30, 10)


def loss_of(loss: CrossEntropy | Focal | LogitAdjusted, samples: Sequence[int]) -> float:
    """The weighted mean loss of some of the samples, one after another."""
    total = weights = 0.0
    for sample in samples:
        z, y = LOGITS[sample].tolist(), LABELS[sample]
        if isinstance(loss, LogitAdjusted):
            z = [value + loss.tau * math.log(count / 100) for value, count in zip(z, COUNTS, strict=True)]
        p = math.exp(z[y]) / sum(map(math.exp, z))
        balanced = isinstance(loss, CrossEntropy) and loss.class_weights == "balanced"
        weight = 100 / (3 * COUNTS[y]) if balanced else 1.0
        total += weight * -math.log(p) * ((1 - p) ** loss.gamma if isinstance(loss, Focal) else 1)
        weights += weight
    return total / weights


def gradient_of(samples: Sequence[int]) -> float:
    """The mean of d/dw of the cross-entropy of w times the logits at w = 1."""
    gradients = []
    for sample in samples:
        z, y = LOGITS[sample].tolist(), LABELS[sample]
        total = sum(map(math.exp, z))
        gradients.append(sum(math.exp(value) / total * value for value in z) - z[y])
    return sum(gradients) / len(gradients)


def written_out(objective: Objective) -> float:
    everything, irm = range(len(LABELS)), objective.irm
    if irm is None:
        return loss_of(objective.loss, everything)
    if irm.environments == "copies":
        parts = [[i for i in everything if ENVIRONMENTS[i] == which] for which in (0, 1)]
        return sum(loss_of(objective.loss, part) + irm.weight * gradient_of(part) ** 2 for part in parts)
    halves = (everything, everything) if irm.environments == "same_batch" else (everything[0::2], everything[1::2])
    return loss_of(objective.loss, everything) + irm.weight * math.prod(map(gradient_of, halves))


def minimised(objective: Objective) -> float:
    batch = Batch(torch.empty(0), torch.tensor(LABELS), torch.tensor(ENVIRONMENTS))
    return criterion(objective, torch.tensor(COUNTS))(LOGITS, batch).item()


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_every_published_objective_is_its_equation_sample_by_sample(objective: Objective) -> None:
    """To the rounding of the class weights, which are of single precision."""
    assert minimised(objective) == pytest.approx(written_out(objective), rel=1e-6)
    for name, value in flatten(objective.model_dump()).items():
        if isinstance(value, float):
            part, setting = name.split(".")
            there = getattr(objective, part).model_copy(update={setting: others(value)})
            assert minimised(objective.model_copy(update={part: there})) != minimised(objective), name


def numbered(count: int, side: int) -> Part:
    """Images whose pixels are numbered row by row from 1."""
    image = np.arange(1, side * side + 1, dtype=np.uint8).reshape(side, side, 1)
    return Part(np.broadcast_to(image, (count, side, side, 1)), np.zeros(count, np.int64))


def epoch_of(part: Part, recipe: Recipe, **transform: Any) -> Tensor:
    """Every pixel of a training epoch as it was stored, (N, side, side)."""
    images = load_images(part, Transform(mean=(0,), std=(1,), **transform), CPU, training=True, noise_seed=0)
    return torch.cat([batch.pixels for batch in training_batches(images, recipe, 0, 0)]).mul(255).round()[:, 0]


@pytest.mark.parametrize("count", [10_000])
def test_half_of_the_images_are_flipped_each_by_itself(count: int) -> None:
    """Binomial(n, 1/2), and of neighbours that differ Binomial(n - 1, 1/2): five standard deviations."""
    recipe = CELLS[0].recipe.model_copy(update={"batch_size": 1000})
    flipped = epoch_of(numbered(count, 2), recipe, flip=True)[:, 0, 0] == 2
    bound = 5 * math.sqrt(count / 4)
    assert abs(int(flipped.sum()) - count / 2) <= bound
    assert abs(int((flipped[1:] != flipped[:-1]).sum()) - count / 2) <= bound
    assert not (epoch_of(numbered(100, 2), recipe.model_copy(update={"drop_last": False}))[:, 0, 0] == 2).any()


def test_crops_start_at_every_place_of_the_padded_image_alike() -> None:
    """A padding of 4 leaves 9 x 9 places; each is taken Binomial(n, 1/81) times, up and across by itself."""
    count, padding = 8100, 4
    recipe = CELLS[0].recipe.model_copy(update={"batch_size": 900})
    wide = np.pad(numbered(1, 9).array[0, :, :, 0], padding)
    places = {wide[top : top + 9, left : left + 9].tobytes(): (top, left) for top in range(9) for left in range(9)}
    seen = np.zeros((9, 9), int)
    for image in epoch_of(numbered(count, 9), recipe, crop_padding=padding).to(torch.uint8).numpy():
        seen[places[image.tobytes()]] += 1
    assert np.abs(seen - 100).max() <= 5 * math.sqrt(100)


@pytest.mark.parametrize("run", sorted({recipe: cell.key for cell in CELLS for recipe in [str(cell.recipe)]}.values()))
def test_any_other_value_of_any_setting_makes_a_run_of_a_document_a_reduced_one(run: str) -> None:
    """Numbers and switches of images, network and recipe; tests/test_scale.py has the rest of the rule."""
    cell = next(cell for cell in CELLS if cell.key == run)
    (paper,) = (paper for paper in load_papers() if paper.id == cell.paper)
    _, freed = paper.recipe_of(cell.key)
    assert differences(paper, cell) == {}
    tree = cell.model_dump(mode="json")
    for key, value in flatten(tree).items():
        if key in FREE_KEYS | freed or not isinstance(value, bool | int | float | list) or key.startswith("split."):
            continue
        changed = cell.model_dump(mode="json")
        *parents, leaf = key.split(".")
        branch: Any = changed
        for parent in parents:
            branch = branch[parent]
        branch[leaf] = others(value)
        assert list(differences(paper, Cell.model_validate(changed))) == [key]
