"""The fast recurrences against torch's own layers and against the equations written out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from models.layers import recurrence
from models.layers.recurrence import elman_last_state, lstm_last_state

LAYERS = {"elman": (nn.RNN, elman_last_state), "lstm": (nn.LSTM, lstm_last_state)}
LastState = Callable[..., Tensor]


def layer(kind: str, hidden: int, features: int = 5) -> tuple[nn.RNNBase, LastState]:
    torch.manual_seed(1)
    module, function = LAYERS[kind]
    return module(features, hidden, batch_first=True).double(), function


def sequences(count: int, begin: list[int], steps: int = 7, features: int = 5) -> Tensor:
    """Random sequences; number i is zero before step ``begin[i % len(begin)]``."""
    torch.manual_seed(2)
    inputs = torch.randn(count, steps, features, dtype=torch.float64)
    for number in range(count):
        inputs[number, : begin[number % len(begin)]] = 0
    return inputs


def with_gradients(state: Tensor, weights: list[Tensor]) -> list[Tensor]:
    torch.manual_seed(3)
    return [state, *torch.autograd.grad((state * torch.randn_like(state)).sum(), weights)]


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(
    ("count", "begin"),
    [
        (9, [0]),  # none begins with zeros
        (9, [3]),  # all begin at the same step
        (20, [0, 2, 2, 5, 1]),  # mixed
        (6, [7, 0, 4]),  # one is zero throughout
        (4, [7]),  # all are
        (1, [2]),  # a batch of one
    ],
)
@pytest.mark.parametrize("piece", [4, 256])
@pytest.mark.parametrize("hidden", [3, 16])
def test_state_and_gradients_are_those_of_torchs_layer(
    monkeypatch: pytest.MonkeyPatch, kind: str, count: int, begin: list[int], piece: int, hidden: int
) -> None:
    monkeypatch.setattr(recurrence, "PIECE", piece)
    module, last_state = layer(kind, hidden)
    inputs, weights = sequences(count, begin), list(module.parameters())
    expected = with_gradients(module(inputs)[0][:, -1], weights)
    ours = with_gradients(last_state(inputs, *weights), weights)
    for mine, theirs in zip(ours, expected, strict=True):
        # Sums of at most count * steps terms of size 1: rounding stays near 1e-16 times their number.
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", LAYERS)
def test_in_single_precision_the_difference_is_rounding(kind: str) -> None:
    module, last_state = layer(kind, 32)
    module = module.float()
    inputs, weights = sequences(50, [0, 3]).float(), list(module.parameters())
    expected = with_gradients(module(inputs)[0][:, -1], weights)
    for mine, theirs in zip(with_gradients(last_state(inputs, *weights), weights), expected, strict=True):
        assert (mine - theirs).abs().max() < 3e-6 * theirs.abs().max()


def test_an_elman_step_is_its_equation() -> None:
    module, last_state = layer("elman", 3)
    w_ih, w_hh, b_ih, b_hh = module.parameters()
    inputs = sequences(2, [0, 2])
    for sequence, state in zip(inputs, last_state(inputs, w_ih, w_hh, b_ih, b_hh), strict=True):
        h = torch.zeros(3, dtype=torch.float64)
        for x in sequence:
            h = torch.tanh(w_ih @ x + b_ih + w_hh @ h + b_hh)
        torch.testing.assert_close(state, h, rtol=0, atol=1e-14)


def test_an_lstm_step_is_its_equations() -> None:
    module, last_state = layer("lstm", 3)
    w_ih, w_hh, b_ih, b_hh = module.parameters()
    inputs = sequences(2, [0, 2])
    for sequence, state in zip(inputs, last_state(inputs, w_ih, w_hh, b_ih, b_hh), strict=True):
        h = c = torch.zeros(3, dtype=torch.float64)
        for x in sequence:
            i, f, g, o = (w_ih @ x + b_ih + w_hh @ h + b_hh).chunk(4)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        torch.testing.assert_close(state, h, rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", LAYERS)
def test_inputs_and_weights_are_left_as_they_were(kind: str) -> None:
    module, last_state = layer(kind, 4)
    inputs, weights = sequences(6, [0, 3]), list(module.parameters())
    before = [tensor.detach().clone() for tensor in (inputs, *weights)]
    with_gradients(last_state(inputs, *weights), weights)
    assert all(torch.equal(one, other) for one, other in zip(before, (inputs, *weights), strict=True))
