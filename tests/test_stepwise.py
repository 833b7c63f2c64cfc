"""Recurrent layers step by step, for several networks as one, against torch's own layers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from models.layers.stepwise import states, transformed


class States(nn.Module):
    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, inputs: Tensor) -> Tensor:
        assert transformed(inputs) == transformed(self.layer.all_weights[0][0])
        return states(self.layer, inputs)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_every_state_and_gradient_of_networks_as_one_is_that_of_torchs_layer(kind: type[nn.RNNBase]) -> None:
    torch.manual_seed(0)
    layers = [kind(3, 4, batch_first=True).double() for _ in range(2)]
    inputs, arriving = torch.randn(2, 5, 6, 3).double(), torch.randn(2, 5, 6, 4).double()
    weights, buffers = stack_module_state([States(layer) for layer in layers])
    ours = vmap(lambda own, x: functional_call(States(layers[0]), (own, buffers), (x,)))(weights, inputs)
    gradients = torch.autograd.grad((ours * arriving).sum(), list(weights.values()))
    for number, layer in enumerate(layers):
        expected = layer(inputs[number])[0]
        torch.testing.assert_close(ours[number], expected, rtol=0, atol=1e-12)
        theirs = torch.autograd.grad((expected * arriving[number]).sum(), list(layer.parameters()))
        for one, other in zip(gradients, theirs, strict=True):
            torch.testing.assert_close(one[number], other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_one_network_is_torchs_layer(kind: type[nn.RNNBase]) -> None:
    layer, inputs = kind(3, 4, batch_first=True), torch.randn(5, 6, 3)
    assert torch.equal(states(layer, inputs), layer(inputs)[0])
