"""What training minimises: a classification loss, and a penalty of invariant risk minimisation where one is asked for.

Everything works on logits, so it serves any model. z are the logits of a sample, y its label, p = softmax(z).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.cell.recipe import CrossEntropy, Focal, Irm, LogitAdjusted, Objective
from stages.learning.batches import Batch

Criterion = Callable[[Tensor, Batch], Tensor]


def criterion(objective: Objective, class_counts: Tensor) -> Criterion:
    """The function (logits, batch) -> scalar that a training step minimises.

    Logits (B, classes), or (B, steps, classes) of a model that decides at every step: then the mean over the steps.
    ``class_counts``: (classes,), how many training images each class has; what re-weighting is derived from. Raises
    ValueError where images are of different importance and the objective is not plain cross-entropy.
    """
    minimise = _criterion(objective, class_counts)

    def mean(logits: Tensor, batch: Batch) -> Tensor:
        if batch.importance is not None:
            if objective != Objective():
                raise ValueError("images of different importance are for plain cross-entropy only")
            losses = importance_losses(logits, batch.labels, batch.importance)
            return losses.mean()
        if logits.dim() == 3:
            steps = logits.shape[1]
            labels, environments = (each.repeat_interleave(steps) for each in (batch.labels, batch.environments))
            return minimise(logits.flatten(0, 1), labels, environments)
        return minimise(logits, batch.labels, batch.environments)

    return mean


def importance_losses(logits: Tensor, labels: Tensor, importance: Tensor | None) -> Tensor:
    """Cross-entropy per image (B,), times its importance: what a target whose row sums to it makes of the loss."""
    losses = F.cross_entropy(logits, labels, reduction="none")
    return losses if importance is None else losses * importance


def decided(logits: Tensor) -> Tensor:
    """Logits (B, classes) of a model that may decide at every step: (B, steps, classes) are averaged as softmax."""
    if logits.dim() == 2:
        return logits
    return logits.log_softmax(dim=2).logsumexp(dim=1) - math.log(logits.shape[1])


def _criterion(objective: Objective, class_counts: Tensor) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    def loss(logits: Tensor, labels: Tensor, chosen: Tensor | None = None) -> Tensor:
        return _mean_loss(objective.loss, class_counts, logits, labels, chosen)

    irm = objective.irm
    if irm is None:
        return lambda logits, labels, _environments: loss(logits, labels)
    if irm.environments == "copies":
        return lambda logits, labels, environments: _over_environments(loss, irm, logits, labels, environments)
    penalty = same_batch_penalty if irm.environments == "same_batch" else split_half_penalty
    return lambda logits, labels, _environments: loss(logits, labels) + irm.weight * penalty(logits, labels)


def scale_gradients(logits: Tensor, labels: Tensor) -> Tensor:
    """Per sample, d/dw of the cross-entropy of w * logits at w = 1: g = sum_c p_c z_c - z_y; shape (B,)."""
    expected = (logits.softmax(dim=1) * logits).sum(dim=1)
    return expected - logits.gather(1, labels[:, None]).squeeze(1)


def same_batch_penalty(logits: Tensor, labels: Tensor) -> Tensor:
    """The squared mean gradient of one batch: mnist-rnn's code, and IRMv1 (Arjovsky et al., 2019) of one environment.

    Its expectation exceeds the squared gradient by the variance of the batch's mean.
    """
    return scale_gradients(logits, labels).mean() ** 2


def split_half_penalty(logits: Tensor, labels: Tensor) -> Tensor:
    """The product of the mean gradients of even and odd samples: the unbiased form (mnist-rnn, equation 4).

    It may be negative. A batch of one sample has none: 0.
    """
    gradients = scale_gradients(logits, labels)
    if len(gradients) < 2:
        return gradients.sum() * 0
    return gradients[0::2].mean() * gradients[1::2].mean()


def _over_environments(
    loss: Callable[[Tensor, Tensor, Tensor], Tensor], irm: Irm, logits: Tensor, labels: Tensor, environments: Tensor
) -> Tensor:
    """Equation 3 of mnist-rnn: the sum over environments of risk and penalty; one without samples adds nothing.

    Samples are chosen by factors 0 and 1: picking them out would have to wait for the device to say how many they are.
    """
    total = logits.new_zeros(())
    for environment in (0, 1):
        chosen = (environments == environment).to(logits)
        gradient = (scale_gradients(logits, labels) * chosen).sum() / chosen.sum().clamp(min=1)
        total = total + loss(logits, labels, chosen) + irm.weight * gradient**2
    return total


def _mean_loss(
    loss: CrossEntropy | Focal | LogitAdjusted,
    class_counts: Tensor,
    logits: Tensor,
    labels: Tensor,
    chosen: Tensor | None = None,
) -> Tensor:
    """The mean over the batch, or over the samples whose factor in ``chosen`` (B,) is 1, not 0; of none it is 0."""
    if chosen is None and loss == CrossEntropy():
        return F.cross_entropy(logits, labels)
    if isinstance(loss, LogitAdjusted):
        prior = class_counts / class_counts.sum()
        logits = logits + loss.tau * prior.clamp(min=torch.finfo(torch.float32).tiny).log().to(logits)
    losses = focal_losses(logits, labels, loss.gamma if isinstance(loss, Focal) else 0)
    weights = torch.ones_like(losses) if chosen is None else chosen
    if isinstance(loss, CrossEntropy) and loss.class_weights == "balanced":
        balanced = class_counts.sum() / (len(class_counts) * class_counts.clamp(min=1))
        weights = weights * balanced.to(logits)[labels]
    return (losses * weights).sum() / weights.sum().clamp(min=torch.finfo(logits.dtype).tiny)


def focal_losses(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    """Per sample, -(1 - p_y)**gamma * log p_y (Lin et al., 2017, equation 4): (B,). Cross-entropy with gamma 0."""
    log_p = logits.log_softmax(dim=1).gather(1, labels[:, None]).squeeze(1)
    return -((1 - log_p.exp()) ** gamma) * log_p if gamma else -log_p
