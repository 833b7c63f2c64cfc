"""The recnet models against the specification's parameter counts, the layers written out, and each other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.registry import build
from stages.evaluate.size import macs


def make(architecture: str, colours: int = 3, **options: object) -> nn.Module:
    torch.manual_seed(0)
    return build(architecture, colours, 10, options)


@pytest.mark.parametrize(
    ("architecture", "colours", "options", "parameters"),
    [
        ("mnist_cnn", 1, {}, 30_080),
        ("mnist_cnn", 1, {"activation": "softplus"}, 30_080),
        ("resnet", 3, {"blocks": 1}, 5_306),
        ("resnet", 3, {"blocks": 8}, 38_010),
        ("recnet", 3, {}, 9_978),
        ("recnet", 3, {"own_norms": True}, 10_362),
        ("resnet", 3, {"blocks": 1, "channels": 64}, 76_490),
        ("resnet", 3, {"blocks": 8, "channels": 64}, 594_378),
        ("recnet", 3, {"channels": 64}, 150_474),
        ("recnet", 3, {"channels": 64, "own_norms": True}, 152_010),
        ("recnet_flat", 3, {}, 154_138),
        ("recnet_flat", 3, {"iterations": 0}, 15_386),
        ("resnet18", 3, {}, 11_173_962),
    ],
)
def test_parameter_counts_are_the_specifications(
    architecture: str, colours: int, options: dict[str, object], parameters: int
) -> None:
    assert sum(p.numel() for p in make(architecture, colours, **options).parameters()) == parameters


def test_one_iteration_costs_one_block() -> None:
    image = torch.zeros(1, 3, 32, 32)
    shallow, seven, deep = (
        macs(make(name, **options), image, training=True)
        for name, options in (("resnet", {"blocks": 1}), ("recnet", {}), ("resnet", {"blocks": 8}))
    )
    block = 2 * 32 * 32 * 16 * 16 * 9
    assert shallow == 32 * 32 * 3 * 16 * 9 + block + 16 * 10
    assert seven == deep == shallow + 7 * block


def norm(x: Tensor, layer: nn.BatchNorm2d) -> Tensor:
    """Batch normalisation in training, written out."""
    mean, variance = x.mean(dim=(0, 2, 3), keepdim=True), x.var(dim=(0, 2, 3), keepdim=True, unbiased=False)
    weight, bias = (value[:, None, None] for value in (layer.weight, layer.bias))
    return (x - mean) / torch.sqrt(variance + 1e-5) * weight + bias


@pytest.mark.parametrize("own_norms", [False, True])
def test_a_recnet_is_its_blocks_written_out(own_norms: bool) -> None:
    model = make("recnet", iterations=3, channels=4, own_norms=own_norms).double().train()
    images = torch.randn(5, 3, 6, 6, dtype=torch.float64)
    x = norm(F.conv2d(images, model.stem[0].weight, padding=1), model.stem[1]).clamp(min=0)
    block = model.block
    layers = [(block.first, block.first_norm, block.second, block.second_norm)]
    recurrent = model.recurrent
    for number in range(3):
        which = number if own_norms else 0
        layers.append((recurrent.first, recurrent.first_norms[which], recurrent.second, recurrent.second_norms[which]))
    for first, first_norm, second, second_norm in layers:
        inner = norm(F.conv2d(x, first.weight, padding=1), first_norm).clamp(min=0)
        x = (x + norm(F.conv2d(inner, second.weight, padding=1), second_norm)).clamp(min=0)
    expected = x.mean(dim=(2, 3)) @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(model(images), expected, rtol=0, atol=1e-12)


def test_a_recnet_is_the_deep_network_with_tied_weights() -> None:
    recnet, deep = make("recnet", iterations=2).double().eval(), make("resnet", blocks=3).double().eval()
    deep.stem.load_state_dict(recnet.stem.state_dict())
    deep.head.load_state_dict(recnet.head.state_dict())
    deep.blocks[0].load_state_dict(recnet.block.state_dict())
    # "first_norms.0.weight" is the other network's "first_norm.weight".
    tied = {name.replace("norms.0", "norm"): value for name, value in recnet.recurrent.state_dict().items()}
    for block in deep.blocks[1:]:
        block.load_state_dict(tied)
    images = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(recnet(images), deep(images), rtol=0, atol=1e-12)


def test_the_flat_recnet_reads_the_same_vector_at_every_step() -> None:
    model = make("recnet_flat", iterations=4, hidden=6, channels=2, side=8).double().eval()
    images = torch.randn(3, 3, 8, 8, dtype=torch.float64)
    vector = model.features(images)
    w_ih, w_hh, b_ih, b_hh = model.recurrent.parameters()
    h = torch.zeros(3, 6, dtype=torch.float64)
    for _ in range(4):
        h = torch.tanh(vector @ w_ih.T + b_ih + h @ w_hh.T + b_hh)
    torch.testing.assert_close(model(images), h @ model.head.weight.T + model.head.bias, rtol=0, atol=1e-12)
    start, *_, last = model.states(images, 4)
    assert torch.equal(start, torch.zeros(3, 6, dtype=torch.float64))
    torch.testing.assert_close(last, h, rtol=0, atol=1e-12)
    assert len(list(model.states(images, 1))) == 2


def test_the_flat_recnet_iterates_seven_times_and_drops_nothing_without_its_recurrent_layer() -> None:
    assert make("recnet_flat").iterations == make("recnet").iterations == 7
    model, state = make("recnet_flat", iterations=0, channels=2, side=8), torch.ones(3, 8)
    assert torch.equal(model.train().readout(state), model.eval().readout(state))


@pytest.mark.parametrize(
    ("architecture", "options", "words"),
    [
        ("mnist_cnn", {"activation": "tanh"}, "activation is 'tanh': expected relu or softplus"),
        ("mnist_cnn", {"side": 7}, "needs images of 8 pixels or more"),
        ("recnet_flat", {"side": 30}, "needs a multiple of 4"),
    ],
)
def test_impossible_options_are_refused(architecture: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make(architecture, **options)


@pytest.mark.parametrize("side", range(8, 30))
def test_mnist_cnn_fits_images_of_any_side(side: int) -> None:
    assert make("mnist_cnn", 1, side=side)(torch.zeros(2, 1, side, side)).shape == (2, 10)
