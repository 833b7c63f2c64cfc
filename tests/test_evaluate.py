"""Evaluating a trained cell: its files, what they agree with, and weights that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from sklearn.metrics import accuracy_score, f1_score

from models.registry import build
from stages.cell import Compute
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.evaluate import size
from stages.evaluate.cell import evaluate_cell
from stages.learning.assemble import test_images as images_of
from stages.learning.batches import ordered_batches
from stages.splits.format import read_split
from stages.train.local import train_cell
from tests.small import small_cell, small_params, write_split

COMPUTE = Compute(device="cpu", threads=1)
CELL = small_cell(seeds=(0, 3))

pytestmark = pytest.mark.slow


@pytest.fixture
def trained(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    write_split(layout)
    train_cell(CELL, COMPUTE, layout)
    return layout


def seeds_of(layout: Layout) -> list[dict[str, Any]]:
    scores: list[dict[str, Any]] = json.loads((layout.evaluation(CELL) / "metrics.json").read_text())["seeds"]
    return scores


def probabilities(layout: Layout, seed: int) -> NDArray[np.float32]:
    """Of every test image and class, (50, 10): straight from the weights, all images at once."""
    network = build(CELL.architecture, 1, 10, CELL.options).eval()
    network.load_state_dict(load_file(layout.training(CELL) / f"seed-{seed}.safetensors"))
    (batch,) = ordered_batches(images_of(CELL, read_split(layout.data("digits")), torch.device("cpu")), 50)
    with torch.inference_mode():
        shares: NDArray[np.float32] = network(batch.pixels).softmax(dim=1).numpy()
    return shares


def test_evaluation_agrees_with_the_last_epoch_and_with_its_own_predictions(trained: Layout) -> None:
    evaluate_cell(CELL, COMPUTE, trained)
    curves = pd.read_csv(trained.training(CELL) / "curves.csv")
    predicted = pd.read_csv(trained.evaluation(CELL) / "predicted.csv")
    assert list(predicted.columns) == ["true", "seed-0", "seed-3"]
    assert predicted.true.tolist() == np.load(trained.data("digits") / "test_labels.npy").tolist()
    for scores in seeds_of(trained):
        last = curves[curves.seed == scores["seed"]].iloc[-1]
        assert scores["accuracy"] == last.test_accuracy
        assert scores["loss"] == pytest.approx(last.test_loss, abs=1e-6)
        ours = predicted[f"seed-{scores['seed']}"]
        assert scores["accuracy"] == accuracy_score(predicted.true, ours)
        f1 = f1_score(predicted.true, ours, average="weighted", zero_division=0)
        assert scores["f1_weighted"] == pytest.approx(f1, abs=1e-12)


def test_predictions_are_those_of_the_weights_image_by_image(trained: Layout) -> None:
    evaluate_cell(CELL, COMPUTE, trained)
    predicted = pd.read_csv(trained.evaluation(CELL) / "predicted.csv")
    for seed in CELL.recipe.seeds:
        assert predicted[f"seed-{seed}"].tolist() == probabilities(trained, seed).argmax(axis=1).tolist()
    assert (predicted["seed-0"] != predicted["seed-3"]).any()


def test_evaluation_tells_how_far_its_probabilities_can_be_trusted(trained: Layout) -> None:
    evaluate_cell(CELL, COMPUTE, trained)
    table = pd.read_csv(trained.evaluation(CELL) / "calibration.csv")
    assert list(table.columns) == ["seed", "bin", "low", "high", "images", "confidence", "accuracy"]
    for scores in seeds_of(trained):
        rows = table[table.seed == scores["seed"]]
        assert rows.images.sum() == 50
        assert (rows.images * rows.accuracy).sum() / 50 == pytest.approx(scores["accuracy"], abs=1e-12)
        # Batches of another size round differently in float32.
        mean = probabilities(trained, scores["seed"]).max(axis=1).mean()
        assert (rows.images * rows.confidence).sum() / 50 == pytest.approx(mean, abs=1e-5)
        gaps = (rows.images / 50 * (rows.accuracy - rows.confidence).abs()).sum()
        assert scores["ece"] == pytest.approx(gaps, abs=1e-12)
        assert scores["nll"] == pytest.approx(scores["loss"], rel=1e-5)  # no image counts more than another
        assert 0 < scores["nll_error"] < scores["nll"]
        assert 0 < scores["brier"] < 2


def test_evaluation_times_one_image_on_the_machine_it_names(trained: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    # A clock on which the k-th call takes k^2 ms: the median of calls 3 to 22 is that of 12^2 and 13^2.
    ticks = iter([tick for call in range(1, 23) for tick in (10.0 * call, 10.0 * call + call**2 / 1000)])
    monkeypatch.setattr(size, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    evaluate_cell(CELL, COMPUTE, trained)
    told = json.loads((trained.evaluation_clock(CELL) / "latency.json").read_text())
    assert told.pop("milliseconds") == pytest.approx((12**2 + 13**2) / 2, abs=1e-6)
    assert (told["device"], told["threads"]) == ("cpu", 1)
    environments = json.loads((trained.training_clock(CELL) / "environment.json").read_text())["seeds"]
    assert environments.keys() == {"0", "3"}
    assert all(told.items() <= environment.items() for environment in environments.values())


def test_evaluating_twice_gives_the_same_bytes_but_for_the_clock(trained: Layout) -> None:
    evaluate_cell(CELL, COMPUTE, trained)
    first = {path.name: path.read_bytes() for path in trained.evaluation(CELL).iterdir()}
    assert first.keys() == {"metrics.json", "predicted.csv", "calibration.csv", "iterations.csv"}
    assert [path.name for path in trained.evaluation_clock(CELL).iterdir()] == ["latency.json"]
    evaluate_cell(CELL, COMPUTE, trained)
    assert {path.name: path.read_bytes() for path in trained.evaluation(CELL).iterdir()} == first


def test_damaged_weights_are_named_and_leave_no_half_written_results(trained: Layout) -> None:
    path = trained.training(CELL) / "seed-3.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(StageError, match=r"seed-3\.safetensors is damaged: SHA-256 [0-9a-f]{64} was expected"):
        evaluate_cell(CELL, COMPUTE, trained)
    assert {folder.name for folder in trained.results.iterdir()} == {"training", "clocks"}
    assert not trained.evaluation_clock(CELL).exists()


def test_missing_weights_are_named(trained: Layout) -> None:
    (trained.training(CELL) / "seed-0.safetensors").unlink()
    with pytest.raises(StageError, match=r"seed-0\.safetensors is missing; run `dvc repro`"):
        evaluate_cell(CELL, COMPUTE, trained)


def test_weights_of_another_architecture_are_refused(trained: Layout) -> None:
    other = small_cell("recurnet2", seeds=(0, 3))
    trained.training(CELL).rename(trained.training(other))
    with pytest.raises(StageError, match="are not of this architecture"):
        evaluate_cell(other, COMPUTE, trained)


def test_iterations_beyond_training_are_measured_where_there_is_a_block_to_iterate(trained: Layout) -> None:
    evaluate_cell(CELL, COMPUTE, trained)
    table = pd.read_csv(trained.evaluation(CELL) / "iterations.csv")
    assert list(table.columns) == ["seed", "iterations", "accuracy", "state_change"]
    assert table.groupby("seed")["iterations"].apply(list).to_dict() == {seed: list(range(1, 31)) for seed in (0, 3)}
    for scores in seeds_of(trained):  # depth 5 is two iterations
        own = table[(table.seed == scores["seed"]) & (table.iterations == 2)]
        assert own.accuracy.item() == pytest.approx(scores["accuracy"], abs=1e-9)
    assert (table.state_change > 0).all()


def test_a_network_that_iterates_no_block_has_no_table_of_iterations(trained: Layout) -> None:
    cell = small_params().cell("cnn")
    plain = cell.model_copy(update={"recipe": cell.recipe.model_copy(update={"epochs": 1})})
    train_cell(plain, COMPUTE, trained)
    evaluate_cell(plain, COMPUTE, trained)
    assert {path.name for path in trained.evaluation(plain).iterdir()} == {
        "metrics.json", "predicted.csv", "calibration.csv",
    }  # fmt: skip
