"""A training step: one network, or those of several seeds as one.

:class:`Solo` is a network and its optimizer. :class:`Together` stacks the weights of several networks of one
architecture and trains them at once through `torch.func.vmap`; each ends like its solo run, up to rounding, since
optimizers work on every weight by itself. On a GPU, :mod:`stages.learning.cuda_graphs` may replay either's step.

Nothing here waits for the device: losses and logits are handed out as tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from stages.cell import Compute
from stages.cell.recipe import Adam, Recipe
from stages.learning.batches import Batch
from stages.learning.cuda_graphs import Graphed
from stages.learning.draws import Draws
from stages.learning.objectives import criterion

Outcome = tuple[Tensor, Tensor]  # losses (seeds,), logits (seeds, B, classes) or (seeds, B, steps, classes)


class Solo:
    """One network. ``class_counts``: (1, classes), how many training images each class has."""

    def __init__(self, models: Sequence[nn.Module], class_counts: Tensor, recipe: Recipe, compute: Compute) -> None:
        self.models, self.recipe, self.compute = models, recipe, compute
        self.class_counts = class_counts
        self.device = class_counts.device
        self.generators = [torch.Generator(self.device) for _ in models]
        self.optimizer = optimizer(self._weights(), recipe, capturable=compute.cuda_graphs and self.on_gpu)
        graphed = compute.cuda_graphs and self.on_gpu
        self._run: Callable[[Batch], Outcome] = Graphed(self._update, self.generators) if graphed else self._update

    @property
    def on_gpu(self) -> bool:
        """Whether the weights lie on a GPU."""
        return self.device.type == "cuda"

    def set_rate(self, rate: float) -> None:
        """The learning rate from the next step on."""
        changed = any(group["lr"] != rate for group in self.optimizer.param_groups)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if changed and isinstance(self._run, Graphed):
            self._run.forget()

    def train_mode(self) -> None:
        """Call before the first step of an epoch."""
        for model in self.models:
            model.train()

    def step(self, batches: Sequence[Batch], draws: Sequence[int]) -> Outcome:
        """Update on a batch per seed. ``draws``: per seed what its draws start from. The outcome holds until the
        next step."""
        for generator, seed in zip(self.generators, draws, strict=True):
            generator.manual_seed(seed)
        return self._run(self._joined(batches))

    def _weights(self) -> list[Tensor]:
        return list(self.models[0].parameters())

    def _joined(self, batches: Sequence[Batch]) -> Batch:
        return batches[0]

    def _update(self, batch: Batch) -> Outcome:
        losses, logits = self._forward(batch)
        self.optimizer.zero_grad(set_to_none=True)
        losses.sum().backward()
        self.optimizer.step()
        return losses.detach(), logits.detach()

    def _forward(self, batch: Batch) -> Outcome:
        with Draws(self.generators, channels_last=self.compute.channels_last), self._precision():
            logits = self.models[0](batch.pixels)
            logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
            loss = criterion(self.recipe.objective, self.class_counts[0])(logits, batch)
        return loss[None], logits[None]

    def _precision(self) -> AbstractContextManager[Any]:
        if self.compute.precision == "bfloat16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()


class Together(Solo):
    """Several networks. Their own parameters and statistics become views of the stacked ones, and so stay current."""

    def _weights(self) -> list[Tensor]:
        self.parameters, self.buffers = stack_module_state(list(self.models))
        for index, model in enumerate(self.models):
            own = dict(model.named_parameters()) | dict(model.named_buffers())
            for name, stacked in (self.parameters | self.buffers).items():
                own[name].data = stacked.detach()[index]
        self.lanes = torch.arange(len(self.models), device=self.device)
        return list(self.parameters.values())

    def _joined(self, batches: Sequence[Batch]) -> Batch:
        columns = zip(*batches, strict=True)
        return Batch(*(None if column[0] is None else torch.stack(column) for column in columns))  # type: ignore[arg-type]

    def _forward(self, batch: Batch) -> Outcome:
        mapped = Batch(*(None if tensor is None else 0 for tensor in batch))  # type: ignore[arg-type]
        return vmap(self._one, in_dims=(0, 0, 0, 0, mapped), randomness="same")(
            self.parameters, self.buffers, self.lanes, self.class_counts, batch
        )

    def _one(
        self,
        parameters: dict[str, Tensor],
        buffers: dict[str, Tensor],
        lane: Tensor,
        class_counts: Tensor,
        batch: Batch,
    ) -> Outcome:
        """A seed's loss and logits, as vmap sees them."""
        with Draws(self.generators, lane, channels_last=self.compute.channels_last), self._precision():
            logits = functional_call(self.models[0], (parameters, buffers), (batch.pixels,))
            logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
            return criterion(self.recipe.objective, class_counts)(logits, batch), logits


def optimizer(weights: list[Tensor], recipe: Recipe, *, capturable: bool = False) -> torch.optim.Optimizer:
    """The recipe's optimizer. ``capturable``: its steps may be part of a CUDA graph."""
    options = recipe.optimizer
    if isinstance(options, Adam):
        return torch.optim.Adam(weights, lr=options.lr, eps=options.eps, capturable=capturable)
    return torch.optim.SGD(
        weights,
        lr=options.lr,
        momentum=options.momentum,
        weight_decay=options.weight_decay,
        nesterov=options.nesterov,
    )
