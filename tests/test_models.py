"""The architectures against the paper's and its code's own figures."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.registry import UnknownModelError, build, check_options
from stages.evaluate.size import macs

DEPTHS = (4, 5, 6, 7, 8)


def make(architecture: str, channels: int = 3, **options: object) -> nn.Module:
    torch.manual_seed(0)
    return build(architecture, channels, 10, options)


@pytest.mark.parametrize(
    ("architecture", "channels", "parameters"),
    [("recurnet1", 3, 135_754), ("recurnet1", 1, 135_178), ("recurnet2", 3, 610_698), ("recurnet2", 1, 610_122)],
)
@pytest.mark.parametrize("depth", DEPTHS)
def test_parameter_counts_are_the_papers_at_every_depth(
    architecture: str, channels: int, parameters: int, depth: int
) -> None:
    assert sum(p.numel() for p in make(architecture, channels, depth=depth).parameters()) == parameters


@pytest.mark.parametrize(
    ("architecture", "millions"),
    [("recurnet1", (48, 80, 113, 145, 178)), ("recurnet2", (239, 277, 314, 352, 390))],
)
def test_training_macs_are_those_of_the_specification(architecture: str, millions: tuple[int, ...]) -> None:
    image = torch.zeros(1, 3, 32, 32)
    counted = tuple(round(macs(make(architecture, depth=depth), image, training=True) / 1e6) for depth in DEPTHS)
    assert counted == millions


def test_counting_macs_leaves_the_running_statistics_alone() -> None:
    model = make("recurnet1", depth=5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    macs(model, torch.ones(1, 3, 32, 32), training=True)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("architecture", "shapes"),
    [
        (
            "recurnet1",
            {
                "stem.0": (32, 30, 30),
                "stem.4": (64, 28, 28),
                "recurrent.0": (64, 28, 28),
                "features.0": (64, 9, 9),
                "features.1": (128, 7, 7),
                "features.3": (128, 2, 2),
                "classifier.1": (512,),
                "classifier.3": (10,),
            },
        ),
        (
            "recurnet2",
            {
                "stem.0": (32, 32, 32),
                "stem.2": (64, 32, 32),
                "recurrent.0": (64, 32, 32),
                "middle.0": (128, 32, 32),
                "middle.1": (128, 16, 16),
                "second_recurrent.0": (128, 16, 16),
                "classifier.0": (128, 5, 5),
                "classifier.1": (128, 4, 4),
                "classifier.3": (128, 2, 2),
                "classifier.4": (512,),
                "classifier.6": (10,),
            },
        ),
    ],
)
def test_every_layer_has_the_shape_of_the_papers_code(architecture: str, shapes: dict[str, tuple[int, ...]]) -> None:
    model, seen = make(architecture).eval(), {}
    for name, module in model.named_modules():
        module.register_forward_hook(lambda _m, _i, out, name=name: seen.__setitem__(name, tuple(out.shape[1:])))
    model(torch.zeros(2, 3, 32, 32))
    assert {name: seen[name] for name in shapes} == shapes


@pytest.mark.parametrize("architecture", ["recurnet1", "recurnet2"])
@pytest.mark.parametrize("depth", [4, 8])
def test_the_recurrent_block_runs_depth_minus_three_times(architecture: str, depth: int) -> None:
    model, calls = make(architecture, depth=depth).eval(), []
    model.recurrent.register_forward_hook(lambda *_: calls.append(1))
    model(torch.zeros(1, 3, 32, 32))
    assert len(calls) == depth - 3


@pytest.mark.parametrize(("option", "runs"), [(1, 1), (3, 3), ("depth", 4)])
def test_the_second_block_runs_once_as_coded_or_as_often_as_the_first_as_described(option: object, runs: int) -> None:
    model, calls = make("recurnet2", depth=7, second_block_iterations=option).eval(), []
    model.second_recurrent.register_forward_hook(lambda *_: calls.append(1))
    model(torch.zeros(1, 3, 32, 32))
    assert len(calls) == runs


def without_dropout(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def test_recurnet2_with_the_head_once_equals_the_authors_head_on_every_iterate() -> None:
    model = without_dropout(make("recurnet2", depth=7)).double().train()
    images, labels = torch.randn(4, 3, 32, 32, dtype=torch.float64), torch.tensor([1, 2, 3, 4])

    def as_coded(images: Tensor) -> Tensor:
        state = model.stem(images)
        for _ in range(4):
            state = model.recurrent(state)
            output = model.classifier(model.second_recurrent(model.middle(state)))
        return output

    outputs, gradients = [], []
    for forward in (model, as_coded):
        output = forward(images)
        outputs.append(output)
        gradients.append(torch.autograd.grad(F.cross_entropy(output, labels), list(model.parameters())))
    torch.testing.assert_close(*outputs, rtol=0, atol=1e-12)
    for once, every in zip(*gradients, strict=True):
        torch.testing.assert_close(once, every, rtol=0, atol=1e-12)


def authors_recurnet1(model: nn.Module, images: Tensor) -> Tensor:
    """The authors' loop: the whole head on every iterate, the last one's output."""
    state = model.stem(images)
    for _ in range(model.iterations):
        state = model.recurrent(state)
        output = model.classifier(model.features(state))
    return output


@pytest.mark.parametrize("depth", [4, 5, 8])
def test_recurnet1_keeps_the_statistics_and_gradients_of_the_authors_loop(depth: int) -> None:
    ours, theirs = (without_dropout(make("recurnet1", depth=depth)).double().train() for _ in range(2))
    images, labels = torch.randn(8, 3, 32, 32, dtype=torch.float64), torch.arange(8)
    F.cross_entropy(ours(images), labels).backward()
    F.cross_entropy(authors_recurnet1(theirs, images), labels).backward()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=1e-12)
    for one, other in zip(ours.buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_the_ablation_updates_the_statistics_of_the_head_once_per_step() -> None:
    images = torch.randn(4, 3, 32, 32)
    counts = {}
    for every in (True, False):
        model = make("recurnet1", depth=6, head_every_iterate=every).train()
        model(images)
        counts[every] = model.get_buffer("features.4.num_batches_tracked").item()
    assert counts == {True: 3, False: 1}


def test_head_every_iterate_changes_nothing_in_evaluation() -> None:
    images = torch.randn(2, 3, 32, 32)
    outputs = [make("recurnet1", depth=6, head_every_iterate=every).eval()(images) for every in (True, False)]
    assert torch.equal(*outputs)


@pytest.mark.parametrize(
    ("architecture", "options", "words"),
    [
        ("recurnet9", {}, "unknown architecture 'recurnet9': expected one of cnn, cnn_gru, "),
        ("recurnet1", {"colour": 1}, "recurnet1 has no option 'colour': it has depth, width, head_every_iterate"),
    ],
)
def test_an_unknown_model_or_option_is_named(architecture: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(UnknownModelError, match=words):
        check_options(architecture, options)


def test_a_depth_without_a_recurrent_pass_is_refused() -> None:
    with pytest.raises(ValueError, match="depth is 3"):
        make("recurnet1", depth=3)


@pytest.mark.parametrize(
    ("architecture", "hidden", "parameters"),
    [("elman", 256, 75_786), ("lstm", 256, 295_434), ("elman", 128, 21_514), ("lstm", 128, 82_186)],
)
def test_row_networks_have_the_parameters_of_mnist_rnn(architecture: str, hidden: int, parameters: int) -> None:
    model = make(architecture, channels=1, hidden=hidden)
    assert sum(p.numel() for p in model.parameters()) == parameters


@pytest.mark.parametrize(("architecture", "parameters"), [("elman", 75_786), ("lstm", 295_434)])
def test_row_networks_have_the_size_of_the_code_unless_told_otherwise(architecture: str, parameters: int) -> None:
    assert sum(p.numel() for p in make(architecture, channels=1).parameters()) == parameters


@pytest.mark.parametrize(("architecture", "gates"), [("elman", 1), ("lstm", 4)])
def test_row_networks_macs_are_those_of_their_matrices(architecture: str, gates: int) -> None:
    counted = macs(make(architecture, channels=1, hidden=64), torch.zeros(1, 1, 28, 28), training=True)
    assert counted == 28 * gates * 64 * (28 + 64) + 64 * 10


@pytest.mark.parametrize("architecture", ["elman", "lstm"])
def test_row_networks_read_rows_and_say_the_same_in_training_and_evaluation(architecture: str) -> None:
    model = make(architecture, channels=3, width=6, hidden=20).double()
    images = torch.rand(5, 3, 4, 6, dtype=torch.float64)
    images[:, :, 0] = 0  # an empty first row, which training shares among images
    assert torch.allclose(model.train()(images), model.eval()(images), rtol=0, atol=1e-12)
    rows = torch.stack([images[:, :, row].permute(0, 2, 1).reshape(5, 18) for row in range(4)], dim=1)
    assert torch.allclose(model.head(model.recurrent(rows)[0][:, -1]), model(images), rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="a row of the images has 24 values, but the model's `width` makes 18"):
        model(torch.rand(5, 3, 4, 8, dtype=torch.float64))


@pytest.mark.parametrize("architecture", ["elman", "lstm"])
def test_row_networks_run_our_recurrence_in_training_and_torchs_where_it_is_as_fast(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make(architecture, channels=1, width=6, hidden=5)
    ours: list[Tensor] = []

    def spy(rows: Tensor, *weights: Tensor) -> Tensor:
        ours.append(rows)
        return last_state(rows, *weights)

    last_state = type(model).last_state
    monkeypatch.setattr(type(model), "last_state", staticmethod(spy))
    images = torch.rand(2, 1, 4, 6)
    model(images)
    assert len(ours) == 1
    model(images.clone().requires_grad_())  # saliency asks for gradients of the images, which ours does not give
    with torch.no_grad():
        model(images)
    assert len(ours) == 1
