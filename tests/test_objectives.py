"""Losses and penalties against closed forms, naive loops and scikit-learn."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor
from torch.nn import functional as F

from stages.cell.recipe import Objective
from stages.learning.batches import Batch
from stages.learning.objectives import (
    criterion,
    decided,
    focal_losses,
    importance_losses,
    same_batch_penalty,
    scale_gradients,
    split_half_penalty,
)

COUNTS = torch.tensor([6, 3, 1])
NONE = torch.zeros(8, dtype=torch.int64)  # of environment 0, all of them


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return 3 * torch.randn(8, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 0, 1, 0, 2])


def objective(**options: object) -> Objective:
    return Objective.model_validate(options)


def irm(environments: str, weight: float = 1.0) -> Objective:
    return objective(irm={"environments": environments, "weight": weight})


def test_scale_gradients_are_the_derivatives_of_each_samples_loss(batch: tuple[Tensor, Tensor]) -> None:
    logits, labels = batch
    ours = scale_gradients(logits, labels)
    for z, y, g in zip(logits, labels, ours, strict=True):
        w = torch.ones((), dtype=torch.float64, requires_grad=True)
        (derivative,) = torch.autograd.grad(F.cross_entropy((w * z)[None], y[None]), w)
        assert g.item() == pytest.approx(derivative.item(), abs=1e-14)
        exponentials = [math.exp(value) for value in z]
        closed = sum(e * value for e, value in zip(exponentials, z.tolist(), strict=True)) / sum(exponentials)
        assert g.item() == pytest.approx(closed - z[y].item(), abs=1e-13)


def test_the_penalty_of_one_batch_is_the_square_of_its_gradient(batch: tuple[Tensor, Tensor]) -> None:
    logits, labels = batch
    w = torch.ones((), dtype=torch.float64, requires_grad=True)
    (derivative,) = torch.autograd.grad(F.cross_entropy(w * logits, labels), w)
    assert same_batch_penalty(logits, labels).item() == pytest.approx(derivative.item() ** 2, abs=1e-14)
    loss = criterion(irm("same_batch", 10.0), COUNTS)(logits, Batch(logits, labels, NONE))
    assert loss.item() == pytest.approx(F.cross_entropy(logits, labels).item() + 10 * derivative.item() ** 2, abs=1e-12)


def test_the_penalty_of_two_halves_is_the_product_of_even_and_odd_means(batch: tuple[Tensor, Tensor]) -> None:
    logits, labels = batch
    g = scale_gradients(logits, labels).tolist()
    product = sum(g[0::2]) / 4 * sum(g[1::2]) / 4
    assert split_half_penalty(logits, labels).item() == pytest.approx(product, abs=1e-14)
    odd = split_half_penalty(logits[:7], labels[:7]).item()
    assert odd == pytest.approx(sum(g[0:7:2]) / 4 * sum(g[1:7:2]) / 3, abs=1e-14)


def test_two_halves_are_unbiased_and_one_batch_is_not(batch: tuple[Tensor, Tensor]) -> None:
    """Over all orders of five samples: the mean product is that of distinct pairs, which one batch exceeds."""
    logits, labels = batch[0][:5], batch[1][:5]
    g = scale_gradients(logits, labels).tolist()
    pairs = [g[i] * g[j] for i in range(5) for j in range(5) if i != j]
    orders = [list(order) for order in permutations(range(5))]
    halves = [split_half_penalty(logits[order], labels[order]).item() for order in orders]
    assert sum(halves) / len(halves) == pytest.approx(sum(pairs) / len(pairs), abs=1e-13)
    assert same_batch_penalty(logits, labels).item() > sum(pairs) / len(pairs)


def test_two_samples_are_two_halves(batch: tuple[Tensor, Tensor]) -> None:
    logits, labels = (each[:2] for each in batch)
    assert split_half_penalty(logits, labels) == scale_gradients(logits, labels).prod() != 0


def test_one_sample_has_no_second_half() -> None:
    logits = torch.randn(1, 3, requires_grad=True)
    penalty = split_half_penalty(logits, torch.tensor([1]))
    penalty.backward()
    assert penalty.item() == 0
    assert logits.grad is not None
    assert logits.grad.abs().sum() == 0


@pytest.mark.parametrize("penalty", [same_batch_penalty, split_half_penalty])
def test_penalties_have_the_gradients_of_finite_differences(batch: tuple[Tensor, Tensor], penalty) -> None:
    logits, labels = batch
    assert torch.autograd.gradcheck(lambda z: penalty(z, labels), logits.clone().requires_grad_())


def test_environments_are_summed_and_an_absent_one_adds_nothing(batch: tuple[Tensor, Tensor]) -> None:
    logits, labels = batch
    environments = torch.tensor([0, 1, 1, 0, 0, 1, 0, 0])
    minimise = criterion(irm("copies", 2.0), COUNTS)
    expected = 0.0
    for environment in (0, 1):
        z, y = logits[environments == environment], labels[environments == environment]
        expected += F.cross_entropy(z, y).item() + 2 * same_batch_penalty(z, y).item()
    assert minimise(logits, Batch(logits, labels, environments)).item() == pytest.approx(expected, abs=1e-13)
    alone = F.cross_entropy(logits, labels) + 2 * same_batch_penalty(logits, labels)
    assert minimise(logits, Batch(logits, labels, NONE)).item() == pytest.approx(alone.item(), abs=1e-13)


def test_without_a_penalty_the_objective_is_the_loss(batch: tuple[Tensor, Tensor]) -> None:
    assert criterion(Objective(), COUNTS)(batch[0], Batch(*batch, NONE)).item() == F.cross_entropy(*batch).item()


def test_focal_loss_is_its_equation_and_cross_entropy_at_gamma_0(batch: tuple[Tensor, Tensor]) -> None:
    logits, labels = batch
    torch.testing.assert_close(
        focal_losses(logits, labels, 0.0), F.cross_entropy(logits, labels, reduction="none"), rtol=0, atol=1e-14
    )
    naive = 0.0
    for z, y in zip(logits.tolist(), labels.tolist(), strict=True):
        p = math.exp(z[y]) / sum(math.exp(value) for value in z)
        naive -= (1 - p) ** 2 * math.log(p) / 8
    focal = criterion(objective(loss={"name": "focal", "gamma": 2.0}), COUNTS)
    assert focal(logits, Batch(logits, labels, NONE)).item() == pytest.approx(naive, abs=1e-13)


def test_logit_adjustment_adds_the_log_of_the_prior(batch: tuple[Tensor, Tensor]) -> None:
    logits, labels = batch
    adjusted = objective(loss={"name": "logit_adjusted", "tau": 1.5})
    naive = 0.0
    for z, y in zip(logits.tolist(), labels.tolist(), strict=True):
        shifted = [value + 1.5 * math.log(count / 10) for value, count in zip(z, (6, 3, 1), strict=True)]
        naive -= (shifted[y] - math.log(sum(math.exp(value) for value in shifted))) / 8
    # The log of the prior is in single precision, a few 1e-7.
    assert criterion(adjusted, COUNTS)(logits, Batch(logits, labels, NONE)).item() == pytest.approx(naive, abs=1e-6)
    uniform = criterion(adjusted, torch.tensor([4, 4, 4]))(logits, Batch(logits, labels, NONE)).item()
    assert uniform == pytest.approx(F.cross_entropy(logits, labels).item(), abs=1e-6)


def test_a_class_without_images_leaves_the_adjusted_loss_finite(batch: tuple[Tensor, Tensor]) -> None:
    adjusted = objective(loss={"name": "logit_adjusted", "tau": 1.0})
    assert math.isfinite(criterion(adjusted, torch.tensor([5, 5, 0]))(batch[0], Batch(*batch, NONE)).item())


def test_balanced_class_weights_are_scikit_learns(batch: tuple[Tensor, Tensor]) -> None:
    logits, labels = batch
    training = np.repeat([0, 1, 2], COUNTS.numpy())
    weights = torch.tensor(compute_class_weight("balanced", classes=np.arange(3), y=training))
    balanced = objective(loss={"name": "cross_entropy", "class_weights": "balanced"})
    ours = criterion(balanced, COUNTS)(logits, Batch(logits, labels, NONE)).item()
    # Weights are derived in single precision.
    assert ours == pytest.approx(F.cross_entropy(logits, labels, weight=weights).item(), rel=1e-6)


def test_importance_is_what_a_target_that_does_not_sum_to_one_does(batch: tuple[Tensor, Tensor]) -> None:
    logits, labels = batch
    importance = torch.tensor([1, 0, 1, 1, 0, 0.5, 1, 1], dtype=torch.float64)
    targets = F.one_hot(labels, 3) * importance[:, None]
    keras = -(targets * logits.log_softmax(dim=1)).sum(dim=1).mean()
    ours = criterion(Objective(), COUNTS)(logits, Batch(logits, labels, NONE, importance))
    assert ours.item() == pytest.approx(keras.item(), abs=1e-13)
    with pytest.raises(ValueError, match="plain cross-entropy only"):
        criterion(irm("same_batch"), COUNTS)(logits, Batch(logits, labels, NONE, importance))


@pytest.mark.parametrize("options", [{}, {"loss": {"name": "focal", "gamma": 2.0}}])
def test_decisions_at_every_step_cost_their_mean(batch: tuple[Tensor, Tensor], options: dict[str, object]) -> None:
    logits, labels = batch
    steps = torch.stack([logits, logits.flip(0), 2 * logits], dim=1)
    minimise = criterion(objective(**options), COUNTS)
    each = [minimise(steps[:, step], Batch(logits, labels, NONE)).item() for step in range(3)]
    assert minimise(steps, Batch(logits, labels, NONE)).item() == pytest.approx(sum(each) / 3, abs=1e-13)


def test_decisions_at_every_step_have_the_label_and_environment_of_their_image() -> None:
    """Four images, two steps, three classes: as eight samples, one image's after another's."""
    torch.manual_seed(0)
    logits, labels, environments = torch.randn(4, 2, 3), torch.tensor([0, 2, 1, 0]), torch.tensor([0, 1, 1, 0])
    minimise = criterion(irm("copies", 2.0), COUNTS)
    flat = Batch(torch.empty(0), torch.tensor([0, 0, 2, 2, 1, 1, 0, 0]), torch.tensor([0, 0, 1, 1, 1, 1, 0, 0]))
    assert minimise(logits, Batch(torch.empty(0), labels, environments)) == minimise(logits.reshape(8, 3), flat)


def test_an_environment_of_one_sample_has_the_gradient_of_that_sample(batch: tuple[Tensor, Tensor]) -> None:
    logits, labels = batch
    environments = torch.tensor([0, 0, 0, 1, 0, 0, 0, 0])
    ours = criterion(irm("copies", 3.0), COUNTS)(logits, Batch(torch.empty(0), labels, environments))
    parts = [environments == which for which in (0, 1)]
    risks = sum(F.cross_entropy(logits[part], labels[part]) for part in parts)
    penalties = sum(scale_gradients(logits[part], labels[part]).mean() ** 2 for part in parts)
    assert ours.item() == pytest.approx((risks + 3 * penalties).item(), rel=1e-12)


def test_without_importance_a_loss_is_its_images(batch: tuple[Tensor, Tensor]) -> None:
    expected = [F.cross_entropy(z[None], y[None]).item() for z, y in zip(*batch, strict=True)]
    assert importance_losses(*batch, None).tolist() == pytest.approx(expected, rel=1e-12)


def test_decisions_are_averaged_as_probabilities(batch: tuple[Tensor, Tensor]) -> None:
    logits, _ = batch
    steps = torch.stack([logits, logits.flip(1)], dim=1)
    mean = (logits.softmax(dim=1) + logits.flip(1).softmax(dim=1)) / 2
    torch.testing.assert_close(decided(steps).exp(), mean, rtol=0, atol=1e-14)
    assert decided(logits) is logits
