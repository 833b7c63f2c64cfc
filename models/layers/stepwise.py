"""Recurrent layers that `torch.func` can transform: step by step where torch's own fused ones cannot be."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

_State = tuple[Tensor, Tensor]


def transformed(tensor: Tensor) -> bool:
    """Whether ``tensor`` stands for several under `torch.func`, for instance one per network under vmap."""
    return torch._C._functorch.is_functorch_wrapped_tensor(tensor)


def states(layer: nn.RNNBase, inputs: Tensor) -> Tensor:
    """Every hidden state (N, steps, hidden) of an nn.RNN (tanh), nn.LSTM or nn.GRU; ``inputs`` (N, steps, features).

    The layer is one with two bias vectors, one direction and the batch first; it starts from zeros.
    """
    weights = layer.all_weights[0]
    if not transformed(weights[0]):
        whole: Tensor = layer(inputs)[0]
        return whole
    step, (w_ih, w_hh, b_ih, b_hh) = _STEPS[type(layer)], weights
    hidden = cell = inputs.new_zeros(len(inputs), w_hh.shape[1])
    every = []
    for entering in (inputs @ w_ih.t() + b_ih).unbind(1):
        hidden, cell = step(entering, hidden @ w_hh.t() + b_hh, hidden, cell)
        every.append(hidden)
    return torch.stack(every, dim=1)


def _elman(entering: Tensor, recurring: Tensor, _hidden: Tensor, cell: Tensor) -> _State:
    return torch.tanh(entering + recurring), cell


def _lstm(entering: Tensor, recurring: Tensor, _hidden: Tensor, cell: Tensor) -> _State:
    i, f, g, o = (entering + recurring).chunk(4, dim=1)
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


def _gru(entering: Tensor, recurring: Tensor, hidden: Tensor, cell: Tensor) -> _State:
    (reset, update, new), (r, u, n) = entering.chunk(3, dim=1), recurring.chunk(3, dim=1)
    new = torch.tanh(new + (reset + r).sigmoid() * n)
    keep = (update + u).sigmoid()
    return (1 - keep) * new + keep * hidden, cell


_STEPS: dict[type, Callable[..., _State]] = {nn.RNN: _elman, nn.LSTM: _lstm, nn.GRU: _gru}
