"""Steps: several seeds as one, reduced precision, and none that waits for the device."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from models.registry import build
from stages.cell import Compute, Transform
from stages.cell.recipe import Recipe
from stages.core.errors import StageError
from stages.learning.batches import Images, load_images, training_batches
from stages.learning.draws import Draws
from stages.learning.engine import Training, train_together
from stages.splits.format import Part
from stages.splits.streams import numpy_stream

CPU = torch.device("cpu")
SEEDS = (0, 3, 5)
RECIPE = Recipe.model_validate(
    {
        "seeds": SEEDS, "epochs": 2, "batch_size": 16, "test_batch_size": 20, "drop_last": False,
        "optimizer": {"name": "sgd", "lr": 0.02, "momentum": 0.9, "weight_decay": 0.0002},
        "schedule": {"name": "constant"},
    }
)  # fmt: skip
ADAM = {"optimizer": {"name": "adam", "lr": 0.002}}
COPIES = {"objective": {"irm": {"environments": "copies", "weight": 1.0}}}
BALANCED = {"objective": {"loss": {"name": "cross_entropy", "class_weights": "balanced"}}}
ARCHITECTURES = {
    "recurnet1": {"depth": 5, "width": 0.125},
    "recurnet2": {"depth": 4, "width": 0.125},
    "lstm": {"width": 32, "hidden": 12},
    "elman": {"width": 32, "hidden": 12},
    "gunn15": {"width": 0.1},
    "cnn_gru": {"layers": 3, "width": 0.1},
    "shuffled": {"layers": 3, "width": 0.1, "reading": "shuffled"},
    "lrcn": {"layers": 3, "width": 0.1, "hidden": 8},
    "tsn": {"layers": 3, "width": 0.1},
}

pytestmark = pytest.mark.slow


def images(count: int = 40, seed: int = 0) -> Images:
    """Brighter the higher the label, half of them marked as noisy."""
    draws = numpy_stream("learner", seed)
    labels = draws.integers(0, 10, count)
    pixels = draws.integers(0, 100, (count, 32, 32, 1)) + 15 * labels[:, None, None, None]
    transform = Transform(mean=(0.4,), std=(0.3,), flip=True)
    loaded = load_images(Part(pixels.astype(np.uint8), labels), transform, CPU, training=True, noise_seed=0)
    return replace(loaded, environments=torch.from_numpy(labels % 2))


def make(architecture: str, dtype: torch.dtype = torch.float32) -> nn.Module:
    name = "cnn_gru" if architecture == "shuffled" else architecture
    model = build(name, 1, 10, ARCHITECTURES[architecture]).to(dtype)
    model.register_forward_pre_hook(lambda _module, given: (given[0].to(dtype),))
    return model


def run(
    architecture: str, seeds: tuple[int, ...], changes: dict[str, Any], dtype: torch.dtype, **options: Any
) -> dict[int, Any]:
    recipe = Recipe.model_validate({**RECIPE.model_dump(), **changes})
    own = {seed: images(seed=seed) for seed in seeds}
    return train_together(
        lambda: make(architecture, dtype), own, images(count=20), recipe, classes=10, compute=Compute(**options)
    )


@pytest.mark.parametrize(
    ("architecture", "changes"),
    [
        ("recurnet1", {}), ("recurnet2", COPIES), ("lstm", ADAM), ("elman", BALANCED), ("gunn15", {}),
        ("cnn_gru", {}), ("shuffled", {}), ("lrcn", {}), ("tsn", {}),
    ],
)  # fmt: skip
def test_seeds_that_are_trained_together_end_like_their_solo_runs(architecture: str, changes: dict[str, Any]) -> None:
    """Same images, orders, initial weights and draws. In float64, so that rounding is all that may separate them."""
    together = run(architecture, SEEDS, changes, torch.float64)
    for seed in SEEDS:
        ((model, history),) = run(architecture, (seed,), changes, torch.float64).values()
        ours, rows = together[seed]
        for name, value in model.state_dict().items():
            torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-9, atol=1e-9)
        for row, expected in zip(rows.curves, history.curves, strict=True):
            assert row["seed"] == seed
            assert row["train_loss"] == pytest.approx(expected["train_loss"], rel=1e-9)
            assert row["test_loss"] == pytest.approx(expected["test_loss"], rel=1e-6)


def test_training_sets_of_different_sizes_are_not_trained_together() -> None:
    different = {0: images(), 1: images(count=39)}
    with pytest.raises(StageError, match=r"seeds \[0, 1\] have training sets of different sizes \(\[39, 40\] images\)"):
        train_together(lambda: make("elman"), different, images(), RECIPE, classes=10)


def test_a_continued_run_of_several_seeds_ends_bit_for_bit_like_an_uninterrupted_one() -> None:
    own = {seed: images(seed=seed) for seed in SEEDS}
    whole, stopped = (Training(lambda: make("recurnet1"), own, RECIPE, 10, Compute()) for _ in range(2))
    batches = list(zip(*(training_batches(own[seed], RECIPE, seed, 0) for seed in SEEDS), strict=True))
    for training in (whole, stopped):
        training.learner.train_mode()
        training.train_step(batches[0])
    continued = Training(lambda: make("recurnet1"), own, RECIPE, 10, Compute())
    continued.load(stopped.state())
    continued.learner.train_mode()
    for training in (whole, continued):
        for step in batches[1:]:
            training.train_step(step)
    for one, other in zip(whole.learner.models, continued.learner.models, strict=True):
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name])
    assert torch.equal(whole.losses, continued.losses)


class NoWaiting(TorchDispatchMode):
    """Refuses every operation whose result's size or value the host needs before it can go on."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "bincount", "equal", "is_nonzero")

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        masked = name == "index" and any(index is not None and index.dtype == torch.bool for index in args[1])
        if masked or name.startswith(self.WAITING):
            raise AssertionError(f"{name} waits for the device")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("seeds", [(0,), SEEDS])
@pytest.mark.parametrize("changes", [{}, COPIES, BALANCED])
@pytest.mark.parametrize("architecture", ["recurnet1", "gunn15", "cnn_gru"])
def test_no_step_waits_for_the_device(architecture: str, changes: dict[str, Any], seeds: tuple[int, ...]) -> None:
    """What a GPU would have to be waited for is refused; so it can be tested without one."""
    recipe = Recipe.model_validate({**RECIPE.model_dump(), **changes})
    own = {seed: images(seed=seed) for seed in seeds}
    training = Training(lambda: make(architecture), own, recipe, 10, Compute())
    training.learner.train_mode()
    batches = [training_batches(own[seed], recipe, seed, 0) for seed in seeds]
    steps = zip(*batches, strict=True)
    training.train_step(next(steps))
    with NoWaiting():
        for step in steps:
            training.train_step(step)
    assert training.step == 3
    assert training.confusion.sum().item() == 40 * len(seeds)


def test_the_check_for_waiting_notices_it() -> None:
    with NoWaiting():
        for wait in (lambda x: x.sum().item(), lambda x: x[x > 0], lambda x: x.long().bincount(), bool):
            with pytest.raises(AssertionError, match="waits for the device"):
                wait(torch.ones(1))


def test_bfloat16_is_near_float32_and_not_the_same() -> None:
    """bfloat16 rounds to 8 bits; a loss of some layers is off by a few units of them, weights stay float32."""
    (exact, first), (rounded, second) = (
        run("recurnet2", (0,), {}, torch.float32, precision=precision)[0] for precision in ("float32", "bfloat16")
    )
    losses = [history.curves[0]["train_loss"] for history in (first, second)]
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=2**-8 * 8)
    for name, value in exact.state_dict().items():
        assert rounded.state_dict()[name].dtype == value.dtype


def draws(seed: int = 11, *, channels_last: bool = True) -> Draws:
    return Draws([torch.Generator().manual_seed(seed)], channels_last=channels_last)


@pytest.mark.parametrize("p", [0.2, 0.5, 0.999])
def test_dropout_drops_with_its_probability_and_keeps_the_mean(p: float) -> None:
    """A million values; five standard deviations."""
    layer, values, count = nn.Dropout(p), torch.ones(10, 10, 100, 100), 10**6
    with draws():
        dropped = layer(values)
    kept = int((dropped > 0).sum())
    assert abs(kept - (1 - p) * count) <= 5 * (p * (1 - p) * count) ** 0.5
    assert dropped.unique().tolist() == pytest.approx([0, 1 / (1 - p)])
    neighbours = (dropped.flatten()[1:] > 0) & (dropped.flatten()[:-1] > 0)
    assert abs(int(neighbours.sum()) - (1 - p) ** 2 * count) <= 10 * ((1 - p) ** 2 * count) ** 0.5


def test_masks_differ_within_a_step_and_between_seeds_and_repeat_with_the_seed() -> None:
    layer, values = nn.Dropout(0.5), torch.ones(4, 8, 5, 5)
    with draws():
        first, second = layer(values), layer(values)
    with draws():
        again = layer(values)
    with draws(12):
        other = layer(values)
    with draws(channels_last=False):
        flat = layer(values)
    assert torch.equal(first, again)
    assert torch.equal(first.permute(0, 2, 3, 1).flatten(), flat.flatten())
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)


def test_dropout_has_its_limits_and_evaluation_none() -> None:
    values = torch.rand(3, 4)
    with draws():
        assert torch.equal(nn.Dropout(0)(values), values)
        assert torch.equal(nn.Dropout(1)(values), torch.zeros(3, 4))
        assert torch.equal(nn.Dropout(0.5).eval()(values), values)
        assert nn.Dropout(0.5, inplace=True)(values) is values


def test_numbers_are_those_of_the_generator() -> None:
    torch.manual_seed(11)
    expected = torch.rand(3), torch.randint(2, 9, (4,)), torch.randn(2)
    with draws():
        ours = torch.rand(3), torch.randint(2, 9, (4,)), torch.randn(2)
    for one, other in zip(ours, expected, strict=True):
        assert torch.equal(one, other)


def test_functions_that_draw_otherwise_are_refused() -> None:
    with (
        draws(),
        pytest.raises(TypeError, match="dropout2d would draw from torch's global generator"),
    ):
        F.dropout2d(torch.ones(1, 2, 3, 3), training=True)


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def gpu_images() -> Images:
    names = ("pixels", "labels", "environments", "mean", "std")
    return replace(images(), **{name: getattr(images(), name).cuda() for name in names})


def on_gpu(**options: Any) -> tuple[dict[str, Tensor], list[float]]:
    own = {0: gpu_images()}
    ((model, history),) = train_together(
        lambda: make("recurnet1"), own, own[0], RECIPE, classes=10, compute=Compute(**options)
    ).values()
    return model.state_dict(), [row["train_loss"] for row in history.curves]


@needs_gpu
def test_a_recorded_step_is_the_step() -> None:
    (plain, losses), (recorded, same) = on_gpu(), on_gpu(cuda_graphs=True)
    assert losses == pytest.approx(same, rel=1e-6)
    for name, value in plain.items():
        torch.testing.assert_close(recorded[name], value, rtol=1e-5, atol=1e-6)


@needs_gpu
@pytest.mark.parametrize("graphs", [False, True])
def test_on_a_gpu_no_step_synchronises(graphs: bool) -> None:
    own = {0: gpu_images()}
    recipe = RECIPE.model_copy(update={"batch_size": 4})
    training = Training(lambda: make("recurnet1"), own, recipe, 10, Compute(cuda_graphs=graphs))
    training.learner.train_mode()
    steps = ((batch,) for batch in training_batches(own[0], recipe, 0, 0))
    for _ in range(5):  # a recording has to wait
        training.train_step(next(steps))
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in steps:
            training.train_step(step)
    finally:
        torch.cuda.set_sync_debug_mode("default")
