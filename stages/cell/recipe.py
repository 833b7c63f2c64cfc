"""How a model is trained: the entries of a recipe in params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Seeds = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]


class Frozen(BaseModel):
    """Immutable; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Sgd(Frozen):
    """Stochastic gradient descent, as torch.optim.SGD defines it."""

    name: Literal["sgd"]
    lr: Annotated[float, Field(gt=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    nesterov: bool = False


class Adam(Frozen):
    """Adam, as torch.optim.Adam defines it, with its usual betas."""

    name: Literal["adam"]
    lr: Annotated[float, Field(gt=0)]
    eps: Annotated[float, Field(gt=0)] = 1e-8


class WarmupMilestones(Frozen):
    """lr * gamma**(milestones passed), and * (1 - exp(-(epoch + 1) / warmup_period)) in the first ``warmup_epochs``."""

    name: Literal["warmup_milestones"]
    warmup_epochs: Annotated[int, Field(ge=0)]
    warmup_period: Annotated[float, Field(gt=0)]
    milestones: tuple[Positive, ...]
    gamma: Annotated[float, Field(gt=0)]


class Steps(Frozen):
    """lr * gamma**(epoch // period), as torch.optim.lr_scheduler.StepLR."""

    name: Literal["steps"]
    period: Positive
    gamma: Annotated[float, Field(gt=0)]


class Cosine(Frozen):
    """lr * (1 + cos(pi * epoch / epochs)) / 2: half a cosine wave from lr towards 0, without restarts."""

    name: Literal["cosine"]


class Constant(Frozen):
    """lr in every epoch."""

    name: Literal["constant"]


Schedule = WarmupMilestones | Steps | Cosine | Constant


class CrossEntropy(Frozen):
    """Mean cross-entropy. ``class_weights: balanced`` weighs a class by 1 / its share of the training images."""

    name: Literal["cross_entropy"] = "cross_entropy"
    class_weights: Literal["none", "balanced"] = "none"


class Focal(Frozen):
    """Focal loss (Lin et al., 2017), without class weights. Below gamma 1 its gradient has no bound."""

    name: Literal["focal"]
    gamma: Annotated[float, Field(ge=1)]


class LogitAdjusted(Frozen):
    """Cross-entropy of logits + tau * log(share of the class among the training images) (Menon et al., 2021)."""

    name: Literal["logit_adjusted"]
    tau: Annotated[float, Field(gt=0)]


class Irm(Frozen):
    """A penalty of invariant risk minimisation, ``weight`` times.

    ``environments``: ``same_batch`` takes a batch for one environment, ``split_half`` does so by the product of two
    halves, ``copies`` has two: images as they are, and noisy copies.
    """

    environments: Literal["same_batch", "split_half", "copies"]
    weight: Annotated[float, Field(gt=0)]


class Objective(Frozen):
    """What a training step minimises; see :mod:`stages.learning.objectives`."""

    loss: Annotated[CrossEntropy | Focal | LogitAdjusted, Field(discriminator="name")] = CrossEntropy()
    irm: Irm | None = None


class Recipe(Frozen):
    """How a model is trained. Every seed is trained alike, from its own initialisation and order.

    ``sampling``: ``shuffled`` takes every image once per epoch; ``balanced`` draws as many with replacement, each class
    equally often on average.
    """

    seeds: Seeds
    epochs: Positive
    batch_size: Positive
    test_batch_size: Positive
    drop_last: bool
    optimizer: Annotated[Sgd | Adam, Field(discriminator="name")]
    schedule: Annotated[Schedule, Field(discriminator="name")]
    objective: Objective = Objective()
    sampling: Literal["shuffled", "balanced"] = "shuffled"
