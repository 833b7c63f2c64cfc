"""Every network's forward pass is what its layers, written out with torch's functions, make of images."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.registry import build
from tests.written_out import WRITTEN_OUT, Weights


@pytest.mark.parametrize("case", WRITTEN_OUT)
def test_a_training_pass_is_the_layers_written_out(case: str) -> None:
    """With batch statistics, in float64 and without dropout. Seven images, of three channels."""
    architecture, options, side, forward = WRITTEN_OUT[case]
    torch.manual_seed(0)
    model = build(architecture, 3, 4, options).double().train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
    images, weights = torch.randn(7, 3, side, side, dtype=torch.float64), Weights(model)
    expected = forward(weights, images)
    torch.testing.assert_close(model(images), expected, rtol=1e-9, atol=1e-9)
    assert next(weights.left, None) is None
    with torch.no_grad():  # which some layers compute in another way
        torch.testing.assert_close(model(images), expected, rtol=1e-9, atol=1e-9)
