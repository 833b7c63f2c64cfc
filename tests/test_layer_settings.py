"""What can be set of the layers of every network: eps and momentum, dropout, first weights, published options."""

from __future__ import annotations

import copy
import inspect
import math

import pytest
import torch
from torch import nn

from models.registry import build, models
from stages.params import load_params
from tests.small import REPOSITORY

FULL = load_params(REPOSITORY / "full/params.yaml")


def small(architecture: str) -> nn.Module:
    torch.manual_seed(0)
    options = inspect.signature(models()[architecture]).parameters
    narrow = {"width": 0.1} if "width" in options and architecture not in ("elman", "lstm") else {}
    return build(architecture, 3, 10, narrow)


@pytest.mark.parametrize("architecture", models())
def test_batch_normalisation_has_the_eps_and_momentum_of_its_framework(architecture: str) -> None:
    """Of values a and -a, a = 0.01, an eps leaves a / sqrt(a^2 + eps); the document's GUNN-15 is in Keras."""
    eps, momentum = (1e-3, 0.01) if architecture == "gunn15_keras" else (1e-5, 0.1)
    a = 0.01
    for module in small(architecture).modules():
        if isinstance(module, nn.BatchNorm2d):
            layer = copy.deepcopy(module).double().train()
            values = torch.tensor([a, -a], dtype=torch.float64).repeat_interleave(layer.num_features)
            found = layer(values.view(2, -1, 1, 1) + 1)
            assert found.abs().flatten().tolist() == pytest.approx([a / math.sqrt(a * a + eps)] * found.numel())
            assert layer.running_mean.tolist() == pytest.approx([momentum] * layer.num_features)
            of_sample = 2 * a * a
            expected = (1 - momentum) + momentum * of_sample
            assert layer.running_var.tolist() == pytest.approx([expected] * layer.num_features)


DROPOUT = {
    "recurnet1": [0.2, 0.5, 0.5], "recurnet2": [0.5], "cnn": [0.5], "tsn": [0.5], "cnn_gru": [0.5], "cnn_pool": [0.5],
    "recnet_flat": [0.5],
}  # fmt: skip


@pytest.mark.parametrize("architecture", models())
def test_dropout_drops_the_documents_share(architecture: str) -> None:
    """Binomial(n, p) of n values, within five standard deviations."""
    layers = [module for module in small(architecture).modules() if isinstance(module, nn.Dropout)]
    expected, count = DROPOUT.get(architecture, []), 20_000
    assert len(layers) == len(expected)
    torch.manual_seed(1)
    for layer, p in zip(layers, expected, strict=True):
        dropped = int((layer.train()(torch.ones(count)) == 0).sum())
        assert abs(dropped - p * count) <= 5 * math.sqrt(count * p * (1 - p))


@pytest.mark.parametrize("architecture", ["cnn", "tsn", "cnn_gru", "cnn_pool", "recnet_flat", "recurnet1", "recurnet2"])
def test_dropout_is_right_before_the_last_layer(architecture: str) -> None:
    """Where it drops everything, the bias is all that is left, in training only."""
    model = small(architecture)
    last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
    dropout = [module for module in model.modules() if isinstance(module, nn.Dropout)][-1]
    dropout.p = 1.0
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(model.train()(images), last.bias.expand(2, 10), rtol=0, atol=1e-6)
    assert not torch.allclose(model.eval()(images), last.bias.expand(2, 10))


def drawn(model: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, kind)]


def test_gunn_in_keras_starts_from_glorots_and_the_documents_normal_weights() -> None:
    """Uniform up to sqrt(6 / (fan in + fan out)) with zero biases; in the gradual layers N(0, 0.05^2).

    The largest of n uniform values is below 0.98 of the bound with probability 0.98^n. The deviation of n normal values
    has a standard deviation of 1 / sqrt(2 n) of itself.
    """
    torch.manual_seed(0)
    model = build("gunn15_keras", 3, 10, {"width": 0.3})
    gradual = {part for name, part in model.named_modules() if name.endswith((".point", ".window", ".single"))}
    normal = torch.cat([value.flatten() for part in gradual for value in part.parameters()])
    assert abs(normal.std().item() / 0.05 - 1) <= 5 / math.sqrt(2 * len(normal))
    assert abs(normal.mean().item()) <= 5 * 0.05 / math.sqrt(len(normal))
    for part in drawn(model, nn.Conv2d) + drawn(model, nn.Linear):
        if part not in gradual:
            out, into = part.weight.shape[0], part.weight[0].numel()
            area = part.weight[0, 0].numel()
            bound = math.sqrt(6 / (into + out * area))
            assert part.weight.numel() < 400 or 0.98 * bound < part.weight.abs().max() <= bound
            assert not part.bias.any()


def test_the_original_gunn_starts_from_hes_normal_weights() -> None:
    """N(0, 2 / fan out) in every convolution; five standard deviations of a deviation."""
    torch.manual_seed(0)
    for part in drawn(build("gunn15", 3, 10, {"width": 0.1}), nn.Conv2d):
        weight = part.weight.detach()
        expected = math.sqrt(2 / (weight.shape[0] * weight[0, 0].numel()))
        assert abs(weight.std().item() / expected - 1) <= 5 / math.sqrt(2 * weight.numel())


OTHER = {
    "softmax3": "relu", "relu": "softplus", "gunn": "sunn", "raster": "rows", "gru": "elman", "group": 10, "layers": 9,
    "stages": 1, "second_block_iterations": 2,
}  # fmt: skip
# By network and option, the options of the first run that has it; of recurnet1 at a depth where there is an iterate.
PUBLISHED = {
    (cell.architecture, option): dict(cell.options)
    for key in reversed(["cifar10-recurnet1-8", "cifar10-recurnet2-4", *FULL.named])
    for cell in FULL.cells(key)
    for option in cell.options
    if option not in ("side", "width") or cell.architecture not in ("cnn_gru", "elman", "lstm", "mnist_cnn", "rnn")
}


@pytest.mark.parametrize(("architecture", "option"), PUBLISHED)
def test_every_option_of_a_published_network_makes_another_network(architecture: str, option: str) -> None:
    """Another size, output, or statistics after a training pass, from the same initial weights."""
    options = PUBLISHED[architecture, option]
    if "width" in options and option != "width" and architecture not in ("elman", "lstm"):
        options = options | {"width": 0.1}
    value = options[option]
    other = OTHER.get(option) or (not value if isinstance(value, bool) else OTHER.get(value) or 2 * value)
    networks = []
    for chosen in (options, options | {option: other}):
        torch.manual_seed(0)
        networks.append(build(architecture, 3, 10, chosen).train())
    one, two = ([value.shape for value in network.parameters()] for network in networks)
    if one == two:
        side = options.get("side", 32)
        images = torch.rand(3, 3, side, side)
        seen = []
        for network in networks:
            torch.manual_seed(0)
            seen.append([network(images), *network.buffers()])
        assert any(not torch.equal(*pair) for pair in zip(*seen, strict=True))
