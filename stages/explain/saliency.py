"""Saliency maps, and what they are worth: how fast a decision falls apart or comes together along them."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import Tensor, nn

from stages.learning.objectives import decided
from stages.splits.streams import stream_seed


def saliency(model: nn.Module, images: Tensor) -> Tensor:
    """|d score_k / d x|, largest over the channels, k the predicted class and its score before the softmax.

    Simonyan et al. (2014), section 3. ``images``: (N, channels, height, width); gives (N, height, width).
    """
    images = images.detach().clone().requires_grad_()
    scores = decided(model.eval()(images))
    (gradient,) = torch.autograd.grad(scores.max(dim=1).values.sum(), images)
    return gradient.abs().amax(dim=1)


def orders(maps: Tensor) -> Tensor:
    """Pixels from the most salient one: (N, height * width); the first of equals comes first."""
    return maps.flatten(1).argsort(dim=1, descending=True, stable=True)


def random_orders(count: int, pixels: int, seed: int) -> Tensor:
    """As many orders of pixels drawn at random; a pure function of its arguments."""
    draws = torch.Generator().manual_seed(stream_seed("random pixels", seed))
    return torch.rand(count, pixels, generator=draws).argsort(dim=1)


def deletion_and_insertion(model: nn.Module, images: Tensor, order: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Area under the probability of the predicted class while pixels are deleted, and while they are inserted; (N,).

    Petsiuk et al. (2018). Pixels go in ``order``, (N, height * width), in ``steps`` equal portions; a pixel that is not
    there is 0, the mean of the normalised images. Areas by the trapezoidal rule over the share of pixels, 0..1.
    """
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(order.shape[1]).expand_as(order).contiguous())
    rank = rank.reshape(len(images), 1, *images.shape[2:])
    areas = []
    with torch.no_grad():
        model.eval()
        predicted = decided(model(images)).argmax(dim=1, keepdim=True)
        for keep_first in (False, True):
            curve = []
            for step in range(steps + 1):
                reached = rank < order.shape[1] * step / steps
                shown = images * (reached if keep_first else ~reached)
                curve.append(decided(model(shown)).softmax(dim=1).gather(1, predicted).squeeze(1))
            areas.append(torch.trapezoid(torch.stack(curve), dx=1 / steps, dim=0))
    return areas[0], areas[1]


def randomised(model: nn.Module, seed: int) -> Iterator[tuple[str, nn.Module]]:
    """Copies of ``model`` with ever more of its layers drawn anew, from the last to the first: (name, model).

    The cascading randomisation of Adebayo et al. (2018). Layers are the modules that have weights of their own.
    """
    model = deepcopy(model)
    layers = [(name, module) for name, module in model.named_modules() if list(module.parameters(recurse=False))]
    with torch.random.fork_rng():
        torch.manual_seed(stream_seed("randomised weights", seed))
        for name, layer in reversed(layers):
            layer.reset_parameters()
            yield name, model


def rank_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Spearman's rank correlation of every pair of maps, (N, ...) and (N, ...): (N,); ties by their order of places."""
    ranks = [maps.flatten(1).argsort(dim=1).argsort(dim=1).double() for maps in (first, second)]
    centred = [rank - rank.mean(dim=1, keepdim=True) for rank in ranks]
    norms = [rank.norm(dim=1) for rank in centred]
    return (centred[0] * centred[1]).sum(dim=1) / (norms[0] * norms[1])
