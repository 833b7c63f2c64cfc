"""Every registered architecture, whatever it is: it cannot be added without appearing here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models import registry
from models.layers.iterated import Iterated, trace
from models.registry import build, models
from stages.evaluate.size import macs


@dataclass(frozen=True)
class Expected:
    """Of the model as published, for colour images of 32 x 32 pixels and 10 classes.

    ``small``: options with which it learns within a test. ``macs``: where counting its layers' own is not possible.
    """

    parameters: int
    small: dict[str, object]
    options: dict[str, object] | None = None
    macs: int | None = None
    steps: int = 0


def gunn_macs() -> int:
    """Four layers of GUNN-15 as closed forms: units, and per gradual layer two sweeps of n -> K and one n x n matrix.

    A sweep's first pass reads all channels; each further group corrects it by what the group before it changed.
    """
    total = 32 * 32 * (9 * 3 * 64 + 64 * 240 + 240 * 300) + 16 * 16 * 300 * 360 + 8 * 8 * 360 * 360
    for side, n in ((32, 240), (16, 300), (8, 360)):
        corrections = (n // 20 - 1) * 20 * 20
        total += side * side * ((1 + 9) * (n * 20 + corrections) + n * n)
    return total + 360 * 360 + 360 * 360 + 360 * 10


EXPECTED = {
    "cnn": Expected(2_197_706, {"width": 0.1, "hidden": 16}),
    "cnn_gru": Expected(1_543_626, {"width": 0.1, "hidden": 16}),
    "cnn_pool": Expected(1_148_874, {"width": 0.1}),
    "elman": Expected(93_194, {"width": 32}, {"width": 32}),
    "gunn15": Expected(1_585_746, {"width": 0.1}),
    "gunn15_keras": Expected(775_213, {"width": 0.1}, macs=gunn_macs()),
    "lrcn": Expected(1_675_210, {"width": 0.1, "hidden": 16}, steps=5),
    "lstm": Expected(4 * (256 * 96 + 256 * 256 + 512) + 2570, {"width": 32}, {"width": 32}),
    "mnist_cnn": Expected(520 + 1000 + 25_050 + 50 * 16 * 10 + 10, {"side": 32}, {"side": 32}),
    "recnet": Expected(9_978, {}),
    "recnet_flat": Expected(154_138, {}),
    "recurnet1": Expected(135_754, {"width": 0.25}),
    "recurnet2": Expected(610_698, {"width": 0.25}),
    "resnet": Expected(5_306, {}),
    "resnet18": Expected(11_173_962, {"width": 0.125}),
    "rnn": Expected(274_442, {"hidden": 16}),
    "tsn": Expected(1_148_874, {"width": 0.1}),
}


def test_a_name_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_REGISTRY", {})
    assert registry.register("linear")(nn.Linear) is nn.Linear
    assert {"linear": nn.Linear} == registry._REGISTRY
    with pytest.raises(ValueError, match="two models are registered as 'linear'"):
        registry.register("linear")(nn.Bilinear)


def test_no_architecture_is_untested() -> None:
    assert set(EXPECTED) == set(models())


def make(architecture: str, channels: int, options: dict[str, object] | None) -> nn.Module:
    torch.manual_seed(0)
    return build(architecture, channels, 10, options or {})


@pytest.mark.parametrize("architecture", EXPECTED)
def test_the_published_size(architecture: str) -> None:
    model = make(architecture, 3, EXPECTED[architecture].options)
    assert sum(p.numel() for p in model.parameters()) == EXPECTED[architecture].parameters


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("architecture", EXPECTED)
def test_it_decides_about_a_batch_and_every_parameter_learns(architecture: str, channels: int) -> None:
    expected = EXPECTED[architecture]
    model = make(architecture, channels, expected.small).train()
    logits = model(torch.randn(4, channels, 32, 32))
    labels = torch.tensor([0, 1, 2, 3])
    if expected.steps:
        assert logits.shape == (4, expected.steps, 10)
        F.cross_entropy(logits.transpose(1, 2), labels[:, None].expand(-1, expected.steps)).backward()
    else:
        assert logits.shape == (4, 10)
        F.cross_entropy(logits, labels).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


@pytest.mark.parametrize("architecture", EXPECTED)
def test_evaluation_is_a_function_of_the_image_alone(architecture: str) -> None:
    model = make(architecture, 3, EXPECTED[architecture].small).eval().double()
    images = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        together, again = model(images), model(images)
        alone = torch.cat([model(image[None]) for image in images])
    assert torch.equal(together, again)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-10)


@pytest.mark.parametrize("architecture", EXPECTED)
def test_multiply_accumulates_are_those_of_its_layers(architecture: str) -> None:
    expected = EXPECTED[architecture]
    model = make(architecture, 3, expected.options)
    image = torch.zeros(1, 3, 32, 32)
    by_layer = counted_by_layer(model, image) if expected.macs is None else expected.macs
    assert macs(model, image, training=False) == by_layer


def counted_by_layer(model: nn.Module, image: Tensor) -> int:
    """Convolutions, linear and recurrent layers, each by the formula for its shape."""
    total = 0

    def conv(layer: nn.Conv2d, _given: object, out: Tensor) -> None:
        nonlocal total
        total += len(out) * layer.weight.numel() * out.shape[2] * out.shape[3]

    def linear(layer: nn.Linear, given: tuple[Tensor], _out: object) -> None:
        nonlocal total
        total += layer.weight.numel() * given[0].numel() // layer.in_features

    def recurrent(layer: nn.RNNBase, given: tuple[Tensor], _out: object) -> None:
        nonlocal total
        total += (layer.weight_ih_l0.numel() + layer.weight_hh_l0.numel()) * len(given[0]) * given[0].shape[1]

    for kind, count in ((nn.Conv2d, conv), (nn.Linear, linear), (nn.RNNBase, recurrent)):
        for module in model.modules():
            if isinstance(module, kind):
                module.register_forward_hook(count)
    with torch.no_grad():
        model.eval()(image)
    return total


ITERATED = [name for name, model in models().items() if issubclass(model, Iterated)]


def test_the_networks_that_iterate_a_block_are_known() -> None:
    assert ITERATED == ["recnet", "recnet_flat", "recurnet1", "recurnet2"]


@pytest.mark.parametrize("architecture", ITERATED)
def test_as_many_iterations_as_in_training_give_the_models_own_output(architecture: str) -> None:
    options = {**EXPECTED[architecture].small, **({"depth": 6} if "recurnet" in architecture else {"iterations": 3})}
    model = make(architecture, 3, options).eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        logits, changes = trace(model, images, 7)
        own = model(images)
    assert logits.shape == (7, 2, 10)
    assert changes.shape == (7, 2)
    torch.testing.assert_close(logits[2], own, rtol=0, atol=1e-5)
    assert not torch.allclose(logits[6], own, rtol=0, atol=1e-5)


@pytest.mark.parametrize("architecture", ITERATED)
def test_changes_of_the_state_are_relative_to_the_new_state(architecture: str) -> None:
    model = make(architecture, 3, EXPECTED[architecture].small).eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        states = list(model.states(images, 4))
        changes = trace(model, images, 4)[1]
    assert len(states) == 5
    for number in range(4):
        before, after = states[number].flatten(1), states[number + 1].flatten(1)
        for image in range(2):
            relative = (after[image] - before[image]).norm() / after[image].norm()
            assert changes[number, image].item() == pytest.approx(relative.item(), rel=1e-5)


def test_a_state_that_stays_has_changed_by_nothing() -> None:
    model = make("recnet", 3, {"iterations": 2}).eval()
    nn.init.zeros_(model.recurrent.second.weight)  # the block then adds nothing to a state that is not negative
    with torch.no_grad():
        assert trace(model, torch.randn(3, 3, 8, 8), 4)[1].tolist() == [[0.0] * 3] * 4


class Told(nn.Module):
    """Passes through the states that it is told, and decides by them alone."""

    def __init__(self, *states: Tensor) -> None:
        super().__init__()
        self.told = states

    def states(self, _images: Tensor, iterations: int) -> Iterator[Tensor]:
        return iter(self.told[: iterations + 1])

    def readout(self, state: Tensor) -> Tensor:
        return 2 * state


def test_a_change_of_a_small_state_is_relative_too_and_one_to_nothing_counts_as_none() -> None:
    states = [torch.tensor([[0.0], [0.25]]), torch.tensor([[0.0], [0.5]]), torch.tensor([[3.0], [0.0]])]
    logits, changes = trace(Told(*states), torch.zeros(2, 1), 2)
    assert torch.equal(logits, torch.stack([2 * states[1], 2 * states[2]]))
    assert changes.tolist() == [[0, 0.5], [1, 0]]


def test_a_model_without_states_to_iterate_gives_nothing_per_image() -> None:
    logits, changes = trace(Told(torch.ones(3, 4)), torch.zeros(3, 1), 5)
    assert (logits.shape, changes.shape) == ((0, 3, 0), (0, 3))
