"""Gradually updated networks: the short form against the loops, parameter counts against the document's figure 6."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import gradual as benchmark
from benchmarks.gradual import sequential
from models.gunn import Gunn2d, Gunn15Keras, SharedSunn2d, Sunn2d, matched_inner, one_by_one
from models.gunn15 import GradualStage
from models.registry import build
from stages.evaluate.size import macs

# Figure 6 of the document, top to bottom, without the layers that have no parameters.


def with_gradients(output: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    torch.manual_seed(5)
    return [output, *torch.autograd.grad((output * torch.randn_like(output)).sum(), inputs)]


@pytest.mark.parametrize(("channels", "group"), [(6, 1), (6, 2), (6, 3), (6, 6), (20, 5), (40, 20)])
@pytest.mark.parametrize("reverse", [False, True])
def test_the_short_form_equals_the_loops_with_all_gradients(channels: int, group: int, reverse: bool) -> None:
    torch.manual_seed(0)
    layer = Gunn2d(channels, group, reverse=reverse).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.3)
    x = torch.randn(2, channels, 5, 4, dtype=torch.float64, requires_grad=True)
    inputs = [x, *layer.parameters()]
    expected = with_gradients(sequential(layer, x), inputs)
    for short, loop in zip(with_gradients(layer(x), inputs), expected, strict=True):
        assert (short - loop).abs().max() < 1e-10 * max(1.0, loop.abs().max().item())


def test_the_last_sweep_replaces_channel_after_channel() -> None:
    weights, values = [0.5, -2.0, 3.0], [1.0, 10.0, 100.0]
    matrix, bias = one_by_one(torch.tensor(weights), torch.tensor([0.25]))
    for index in range(3):
        values[index] = sum(w * v for w, v in zip(weights, values, strict=True)) + 0.25
    assert (matrix @ torch.tensor([1.0, 10.0, 100.0]) + bias).tolist() == pytest.approx(values, rel=1e-6)


def test_the_order_of_the_groups_matters() -> None:
    torch.manual_seed(0)
    forward, backward = Gunn2d(6, 2), Gunn2d(6, 2, reverse=True)
    backward.load_state_dict(forward.state_dict())
    x = torch.randn(1, 6, 4, 4)
    assert not torch.allclose(forward(x), backward(x))


def test_groups_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="10 channels cannot be updated 4 at a time"):
        Gunn2d(10, 4)


@pytest.mark.parametrize("channels", [240, 300, 360])
def test_a_gunn_layer_has_201_n_and_41_parameters_and_its_matched_rival_hardly_fewer(channels: int) -> None:
    own = sum(p.numel() for p in Gunn2d(channels).parameters())
    assert own == 201 * channels + 41
    assert sum(p.numel() for p in SharedSunn2d(channels).parameters()) == own
    rival = sum(p.numel() for p in Sunn2d(channels, matched_inner(channels, 20)).parameters())
    assert 0.97 * own < rival <= own


@pytest.mark.parametrize("groups", [1, 2, 10, 0])
def test_the_matched_rival_is_the_widest_that_has_no_more_parameters(groups: int) -> None:
    """Of the built layers, at so many sizes that some are a single parameter apart; 0: a channel at a time."""

    def count(layer: nn.Module) -> int:
        return sum(p.numel() for p in layer.parameters())

    with torch.device("meta"):
        for channels in range(groups or 1, 40 * (groups or 1), groups or 1):
            group = channels // groups if groups else 1
            own, inner = count(Gunn2d(channels, group)), matched_inner(channels, group)
            assert count(Sunn2d(channels, inner)) <= own < count(Sunn2d(channels, inner + 1))
        assert matched_inner(30, 0) == matched_inner(30, 30)


def test_simultaneous_groups_are_copies_of_each_other() -> None:
    torch.manual_seed(0)
    layer = SharedSunn2d(6, 2)
    x = torch.randn(1, 6, 4, 4)
    added = layer(x) - x
    assert torch.allclose(added, added[:, :1].expand_as(added), atol=1e-6)


def test_simultaneous_layers_are_their_kernels_one_after_another() -> None:
    torch.manual_seed(0)
    shared, plain = SharedSunn2d(6, 2).double(), Sunn2d(6, 4).double()
    x = torch.randn(2, 6, 4, 5, dtype=torch.float64)
    a = F.conv2d(x, shared.point.weight, shared.point.bias).relu().repeat(1, 3, 1, 1)
    a = F.conv2d(a, shared.window.weight, shared.window.bias, padding=1).relu().repeat(1, 3, 1, 1)
    expected = x + F.conv2d(a, shared.single.weight, shared.single.bias)
    torch.testing.assert_close(shared(x), expected, rtol=0, atol=1e-12)
    w1, b1, w2, b2, w3, b3 = plain.parameters()
    a = F.conv2d(F.conv2d(x, w1, b1).relu(), w2, b2, padding=1).relu()
    torch.testing.assert_close(plain(x), x + F.conv2d(a, w3, b3), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("architecture", "classes", "options", "parameters"),
    [
        ("gunn15_keras", 10, {}, 777_861 - 2_648),
        ("gunn15_keras", 3, {"head": "relu"}, 772_686),
        ("gunn15_keras", 3, {"layer": "sunn_shared"}, 772_686),
        ("gunn15_keras", 3, {"layer": "sunn"}, 772_686 - 181_023 + 11 * (240**2 + 300**2 + 360**2) + 3 * 900),
        ("gunn15", 10, {}, 1_585_746),
    ],
)
def test_parameter_counts(architecture: str, classes: int, options: dict[str, object], parameters: int) -> None:
    assert sum(p.numel() for p in build(architecture, 3, classes, options).parameters()) == parameters


@pytest.mark.parametrize(
    ("options", "channels"),
    [
        ({"group": 1}, (64, 240, 300, 360)),
        ({"group": 0}, (64, 240, 300, 360)),
        ({}, (64, 240, 300, 360)),
        ({"width": 0.5, "group": 30}, (32, 120, 150, 180)),
        ({"width": 0.001, "group": 1}, (1, 1, 1, 1)),
        ({"width": 0.001}, (1, 20, 20, 20)),
    ],
)
def test_channels_are_the_documents_times_the_width_in_whole_groups(
    options: dict[str, object], channels: tuple[int, ...]
) -> None:
    with torch.device("meta"):
        model = build("gunn15_keras", 3, 3, options)
    layers = [part for part in model.modules() if isinstance(part, Gunn2d)]
    assert (model.features[0][0].out_channels, *(layer.point.in_channels for layer in layers)) == channels
    assert [layer.reverse for layer in layers] == [False] * 3


@pytest.mark.parametrize(
    ("width", "channels"), [(1.0, (64, 240, 300, 360)), (0.5, (32, 120, 144, 180)), (0.001, (1, 12, 12, 12))]
)
def test_channels_of_the_original_are_whole_segments(width: float, channels: tuple[int, ...]) -> None:
    """Of 150, between twelve and thirteen segments of 12, Python's rounding makes twelve."""
    with torch.device("meta"):
        model = build("gunn15", 3, 3, {"width": width})
    stages = [part for part in model.modules() if isinstance(part, GradualStage)]
    assert (model.features[0][0].out_channels, *(12 * len(stage.segments) for stage in stages)) == channels


@pytest.mark.parametrize(("layer", "group"), [("sunn_matched", 20), ("sunn_matched", 60), ("sunn_shared", 60)])
def test_what_stands_in_a_gunn_layers_place_has_its_group(layer: str, group: int) -> None:
    with torch.device("meta"):
        model = build("gunn15_keras", 3, 3, {"layer": layer, "group": group})
    standing = [part for part in model.features if isinstance(part, SharedSunn2d | Sunn2d)]
    assert len(standing) == 3
    for part, channels in zip(standing, (240, 300, 360), strict=True):
        width = part.group if isinstance(part, SharedSunn2d) else part[0].out_channels
        assert width == (group if layer == "sunn_shared" else matched_inner(channels, group))


def test_the_first_gunn_layer_costs_what_the_specification_says() -> None:
    """One convolution of all channels and 11 of 20 for each of the two sweeps, and the last sweep's n x n product."""
    counted = macs(Gunn2d(240), torch.zeros(1, 240, 32, 32), training=True)
    assert counted == 32 * 32 * (10 * 240 * 20 + 10 * 11 * 20 * 20 + 240 * 240)
    assert round(counted / 1e6) == 153


@pytest.mark.parametrize("head", ["softmax3", "relu"])
def test_the_head_is_three_layers_with_what_its_name_says(head: str) -> None:
    torch.manual_seed(0)
    model = build("gunn15_keras", 1, 3, {"head": head, "group": 4, "width": 0.05}).double().eval()
    assert isinstance(model, Gunn15Keras)
    images = torch.randn(2, 1, 8, 8, dtype=torch.float64)
    x = model.features(images).flatten(2).mean(dim=2)
    for layer in (model.fc1, model.fc2):
        x = x @ layer.weight.T + layer.bias
        x = x.exp() / x.exp().sum(1, keepdim=True) if head == "softmax3" else x.clamp(min=0)
    torch.testing.assert_close(model(images), x @ model.fc3.weight.T + model.fc3.bias, rtol=0, atol=1e-12)


def test_the_original_updates_segment_after_segment() -> None:
    torch.manual_seed(0)
    stage = GradualStage(6, 2).double().eval()
    x = torch.randn(1, 6, 4, 4, dtype=torch.float64)
    values = x.clone()
    for index, segment in enumerate(stage.segments):
        place = slice(2 * index, 2 * index + 2)
        new = segment.bottleneck(values) + segment.projection(values) + values[:, place]
        values = torch.cat([values[:, : place.start], new, values[:, place.stop :]], dim=1)
    torch.testing.assert_close(stage(x), values, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("option", "value"), [("head", "tanh"), ("layer", "cnn")])
def test_unknown_heads_and_layers_are_named(option: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{option} is '{value}': expected one of"):
        build("gunn15_keras", 3, 3, {option: value})


def test_the_benchmark_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(benchmark, "SIZES", ((40, 4),))
    monkeypatch.setattr(sys, "argv", ["gradual", "--images", "1", "--rounds", "1", "--threads", "1"])
    benchmark.main()
    assert "times as fast" in capsys.readouterr().out
