"""Batch normalisation against torch's own in double precision."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from models.layers import normalisation
from models.layers.normalisation import FEW, BatchNorm2d

SHAPE = (40, 12, 14, 14)


def maps(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Rectified maps, far from zero in the mean, and a gradient; channels-last."""
    draws = torch.Generator().manual_seed(5)
    values, gradient = (torch.randn(SHAPE, generator=draws) for _ in range(2))
    values = (values + torch.arange(12.0)[:, None, None]).relu()
    return tuple(each.to(dtype).to(memory_format=torch.channels_last) for each in (values, gradient))  # type: ignore[return-value]


def passed(layer: nn.BatchNorm2d, values: Tensor, gradient: Tensor) -> dict[str, Tensor]:
    """Outputs, gradients and statistics after two passes."""
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(0.5, 2, 12))
        layer.bias.copy_(torch.linspace(-1, 1, 12))
    values = values.clone(memory_format=torch.preserve_format).requires_grad_()
    layer(values.detach().flip(0))
    output = layer(values)
    output.backward(gradient)
    return {
        "output": output, "images": values.grad, "weight": layer.weight.grad, "bias": layer.bias.grad,
        "mean": layer.running_mean, "variance": layer.running_var, "batches": layer.num_batches_tracked,
    }  # fmt: skip


@pytest.mark.parametrize("piece", [1 << 18, 12 * 1000])
def test_it_is_torchs_layer_to_single_precision(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and in eight pieces, whose means differ.

    Within 8 units of rounding of the largest value; torch's own is off by several times that.
    """
    monkeypatch.setattr(normalisation, "PIECE", piece)
    exact = passed(nn.BatchNorm2d(12).double(), *maps(torch.float64))
    ours, theirs = passed(BatchNorm2d(12), *maps()), passed(nn.BatchNorm2d(12), *maps())
    unit = torch.finfo(torch.float32).eps / 2
    for name, value in exact.items():
        assert (ours[name] - value).abs().max() <= 8 * unit * value.abs().max(), name
    assert (theirs["output"] - exact["output"]).abs().max() > 16 * unit * exact["output"].abs().max()
    assert ours["output"].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("training", [False, True])
def test_few_values_other_layouts_and_evaluation_are_torchs_own(layout: torch.memory_format, training: bool) -> None:
    values = maps()[0].to(memory_format=layout)
    if training and layout == torch.channels_last:
        values = values[: FEW // (14 * 14)]
    ours, theirs = BatchNorm2d(12).train(training), nn.BatchNorm2d(12).train(training)
    assert torch.equal(ours(values), theirs(values))


def test_it_has_the_names_and_shapes_of_torchs_layer() -> None:
    ours, theirs = BatchNorm2d(12).state_dict(), nn.BatchNorm2d(12).state_dict()
    assert {name: value.shape for name, value in ours.items()} == {name: value.shape for name, value in theirs.items()}
