"""The engine against a naive loop that is told the engine's order, crops and flips: same pixels, same losses."""

from __future__ import annotations

import copy
import csv
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from benchmarks import naive, throughput
from models.registry import build
from stages.cell import Transform
from stages.cell.recipe import Recipe
from stages.learning.batches import load_images, training_batches
from stages.learning.engine import train
from stages.params import load_params
from stages.splits.format import Part
from stages.splits.streams import numpy_stream
from tests.small import REPOSITORY

CPU = torch.device("cpu")
FULL = load_params(REPOSITORY / "full" / "params.yaml")
COUNT, BATCH, EPOCHS = 64, 32, 2  # four steps, at two learning rates
RECIPE = FULL.recurnets.recipe.model_copy(update={"epochs": EPOCHS, "batch_size": BATCH})
UNIT = torch.finfo(torch.float32).eps / 2

pytestmark = pytest.mark.slow


def made_up(dataset: str) -> Part:
    """Images as ``dataset`` has them, brighter the higher the label, so that there is something to learn."""
    side, channels = {"cifar10": (32, 3), "mnist": (28, 1)}[dataset]
    draws = numpy_stream("naive loop", dataset)
    labels = draws.integers(0, 10, COUNT)
    noise = draws.integers(0, 100, (COUNT, side, side, channels))
    return Part((noise + 15 * labels[:, None, None, None]).astype(np.uint8), labels)


@dataclass(frozen=True)
class Draw:
    """Which image comes at some place of an epoch, where it is cut out, and whether it is mirrored."""

    image: int
    top: int
    left: int
    mirrored: bool


def epoch_draws(transform: Transform, recipe: Recipe, epoch: int) -> list[Draw]:
    """What the engine's batches do in ``epoch``, read off images whose pixels are (number, row + 1, column + 1)."""
    side, padding = 32, transform.crop_padding
    grid = np.indices((COUNT, side, side)).transpose(1, 2, 3, 0) + np.array([0, 1, 1])
    plain = transform.model_copy(update={"mean": (0, 0, 0), "std": (1, 1, 1)})
    coded = load_images(Part(grid.astype(np.uint8), np.zeros(COUNT, int)), plain, CPU, training=True, noise_seed=0)
    draws = []
    for batch in training_batches(coded, recipe, 0, epoch):
        for picture in (batch.pixels * 255).round().int():
            # Two neighbours in the middle, which no crop pads.
            (number, row, column), after = picture[:, 16, 16].tolist(), int(picture[2, 16, 17])
            mirrored = after < column
            left = column - 1 + padding - (side - 1 - 16 if mirrored else 16)
            draws.append(Draw(number, row - 1 + padding - 16, left, mirrored))
    return draws


class Told(Dataset[tuple[Tensor, int]]):
    """Naive pictures whose random transforms are told what to draw."""

    def __init__(self, pictures: naive.Pictures) -> None:
        self.pictures = pictures

    def __getitem__(self, draw: Draw) -> tuple[Tensor, int]:
        for step in self.pictures.chain.transforms:
            if type(step).__name__ == "RandomCrop":
                step.get_params = lambda _picture, size: (draw.top, draw.left, *size)
            elif type(step).__name__ == "RandomHorizontalFlip":
                step.p = float(draw.mirrored)
        return self.pictures[draw.image]


def naive_batches(part: Part, transform: Transform, epoch: int) -> list[tuple[Tensor, Tensor]]:
    pictures = Told(naive.Pictures(part, transform))
    draws = epoch_draws(transform, RECIPE, epoch)
    return [tuple(batch) for batch in naive.load(pictures, RECIPE, sampler=draws)]


def small(architecture: str, depth: int, channels: int) -> nn.Module:
    """An eighth of the width, without dropout."""
    options = {**FULL.recurnets.models[architecture], "depth": depth, "width": 0.125}
    torch.manual_seed(7)
    model = build(architecture, channels, 10, options)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


Run = tuple[nn.Module, list[naive.Epoch]]


def naive_run(model: nn.Module, part: Part, transform: Transform) -> tuple[Run, list[Tensor]]:
    """The naive loop in float64: model and epochs, and the labels of every step."""
    reference = naive.plain(copy.deepcopy(model)).double()
    optimizer, epochs, labels = naive.optimizer(reference, RECIPE), [], []
    for epoch in range(EPOCHS):
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * (1 - math.exp(-(epoch + 1) / 5))
        batches = [(pixels.double(), right) for pixels, right in naive_batches(part, transform, epoch)]
        epochs.append(naive.train_epoch(reference, batches, optimizer, CPU))
        labels += [right for _, right in batches]
    return (reference, epochs), labels


def engine_run(model: nn.Module, part: Part, transform: Transform, dtype: torch.dtype) -> tuple[Any, list[Tensor]]:
    """The engine: model and history, and the network's output at every training step."""
    outputs: list[Tensor] = []

    def keep(module: nn.Module, _given: Any, out: Tensor) -> None:
        if module.training:
            outputs.append(out.detach())

    def make() -> nn.Module:
        fresh = copy.deepcopy(model).to(dtype)
        fresh.register_forward_pre_hook(lambda _module, given: (given[0].to(dtype),))
        fresh.register_forward_hook(keep)
        return fresh

    images = load_images(part, transform, CPU, training=True, noise_seed=0)
    few = load_images(Part(part.array[:1], part.labels[:1]), transform, CPU, training=False, noise_seed=0)
    return train(make, images, few, RECIPE, 0, classes=10), outputs


@pytest.mark.parametrize("dataset", ["cifar10", "mnist"])
def test_batches_hold_the_pixels_and_labels_of_torchvision_in_a_data_loader(dataset: str) -> None:
    """Pixels to four units in the last place of the largest, which lie between 2 and 4."""
    part, transform = made_up(dataset), FULL.recurnets.transforms[dataset]
    images = load_images(part, transform, CPU, training=True, noise_seed=0)
    for epoch in range(EPOCHS):
        ours = list(training_batches(images, RECIPE, 0, epoch))
        theirs = naive_batches(part, transform, epoch)
        assert len(ours) == len(theirs) == COUNT // BATCH
        for batch, (pixels, labels) in zip(ours, theirs, strict=True):
            assert torch.equal(batch.labels, labels)
            torch.testing.assert_close(batch.pixels, pixels, rtol=0, atol=4 * 4 * UNIT)
        draws = epoch_draws(transform, RECIPE, epoch)
        assert {draw.image for draw in draws} == set(range(COUNT))
        assert {draw.mirrored for draw in draws} == {False, True}
        assert len({(draw.top, draw.left) for draw in draws}) > 20 or dataset == "mnist"


@pytest.mark.parametrize("dataset", ["cifar10", "mnist"])
@pytest.mark.parametrize("depth", [4, 5])
@pytest.mark.parametrize("architecture", ["recurnet1", "recurnet2"])
def test_the_first_losses_are_those_of_a_naive_loop(architecture: str, depth: int, dataset: str) -> None:
    """Both in float64, narrow, without dropout, whose draws differ where heads are left out.

    Rounding alone separates them, which training amplifies: 1e-9 is a few million units of it.
    """
    part, transform = made_up(dataset), FULL.recurnets.transforms[dataset]
    model = small(architecture, depth, part.channels)
    (reference, epochs), labels = naive_run(model, part, transform)
    (trained, history), outputs = engine_run(model, part, transform, torch.float64)
    expected = [loss for epoch in epochs for loss in epoch.losses]
    ours = [F.cross_entropy(logits, right).item() for logits, right in zip(outputs, labels, strict=True)]
    assert len(set(expected)) == len(expected) == 4
    assert ours == pytest.approx(expected, rel=0, abs=1e-9)
    for row, epoch in zip(history.curves, epochs, strict=True):
        assert row["train_loss"] == pytest.approx(sum(epoch.losses) / len(epoch.losses), rel=0, abs=1e-9)
        assert row["train_accuracy"] == pytest.approx(epoch.accuracy)
    state = naive.plain(trained).state_dict()
    for name, value in reference.state_dict().items():  # with the head's statistics, a mixture over the iterates
        torch.testing.assert_close(state[name], value, rtol=0, atol=1e-9)


@pytest.mark.parametrize("architecture", ["recurnet1", "recurnet2"])
def test_the_first_loss_in_float32_is_off_by_rounding_only(architecture: str) -> None:
    """The reference is the naive loop in float64.

    Sums of K products are off by about sqrt(K) units of rounding, and no more than 8 layers add up; K is at most
    16 * 5 * 5.
    """
    part, transform = made_up("cifar10"), FULL.recurnets.transforms["cifar10"]
    model = small(architecture, 5, part.channels)
    (_, epochs), labels = naive_run(model, part, transform)
    _, outputs = engine_run(model, part, transform, torch.float32)
    units = 8 * math.sqrt(16 * 5 * 5)
    expected = epochs[0].losses[0]
    assert abs(F.cross_entropy(outputs[0].double(), labels[0]).item() - expected) <= units * UNIT * expected


def test_the_plain_lstm_is_the_same_function() -> None:
    torch.manual_seed(0)
    model = build("lstm", 1, 10, {"width": 28, "hidden": 16})
    images = torch.rand(5, 1, 28, 28)
    torch.testing.assert_close(naive.plain(model)(images), model(images))


def test_the_naive_loop_refuses_objectives_that_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="plain cross-entropy only"):
        naive.load(naive.Pictures(made_up("mnist"), FULL.transforms["scaled"]), FULL.cell("lstm-focal").recipe)


def test_the_benchmark_measures_both_loops_and_writes_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "cpu.csv"
    arguments = ["--device", "cpu", "--threads", "1", "--seconds", "0.01", "--cases", "elman", "--csv", str(target)]
    monkeypatch.setattr(sys, "argv", ["throughput", *arguments])
    threads = torch.get_num_threads()
    try:
        throughput.main()
    finally:
        torch.set_num_threads(threads)
    (row,) = csv.DictReader(target.read_text().splitlines())
    assert (row["case"], row["threads"], row["batch_size"], row["device"]) == ("elman", "1", "1024", "cpu")
    assert float(row["ratio"]) == pytest.approx(
        float(row["ours_images_per_second"]) / float(row["naive_images_per_second"]), rel=2e-3
    )
    assert "elman" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("key", "mega"), [("cifar10-recurnet1-4", (48, 48)), ("cifar10-recurnet2-8", (390, 1116)), ("lstm", (8.1, 8.1))]
)
def test_multiply_accumulates_are_those_of_the_equations(key: str, mega: tuple[float, float]) -> None:
    """The notes' numbers, ours and as the authors coded it; 28 x (28 + 256) x 1,024 of the LSTM."""
    case = throughput.Case(FULL.cell(key))
    model = build(case.cell.architecture, case.channels, case.classes, case.cell.options)
    for found, expected in zip((model, naive.plain(model)), mega, strict=True):
        assert throughput.forward_macs(found, case) / 1e6 == pytest.approx(expected, rel=0.02)
