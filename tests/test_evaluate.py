"""Evaluating a trained cell: its files, what they agree with, and weights that cannot be used."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score

from stages.cell import Compute
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.evaluate import cell as evaluate
from stages.train import local as train
from tests.small import small_cell, write_split

COMPUTE = Compute(device="cpu", threads=1)
CELL = small_cell(seeds=(0, 3))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    write_split(layout)
    return layout


@pytest.fixture
def trained(layout: Layout) -> Layout:
    train.run([CELL], COMPUTE, layout)
    return layout


def test_evaluation_agrees_with_the_last_epoch_and_with_its_own_predictions(trained: Layout) -> None:
    evaluate.run([CELL], COMPUTE, trained)
    results = trained.training(CELL)
    metrics = json.loads((results / "metrics.json").read_text())
    curves = pd.read_csv(results / "curves.csv")
    for scores in metrics["seeds"]:
        last = curves[curves.seed == scores["seed"]].iloc[-1]
        assert scores["accuracy"] == last.test_accuracy
        assert scores["loss"] == pytest.approx(last.test_loss, abs=1e-6)
        path = trained.predictions(CELL) / f"seed-{scores['seed']}.csv"
        digests = json.loads((trained.predictions(CELL) / "predictions.json").read_text())["sha256"]
        assert digests[path.name] == hashlib.sha256(path.read_bytes()).hexdigest()
        predicted = pd.read_csv(path)
        assert scores["accuracy"] == accuracy_score(predicted.true, predicted.predicted)
        f1 = f1_score(predicted.true, predicted.predicted, average="weighted", zero_division=0)
        assert scores["f1_weighted"] == pytest.approx(f1, abs=1e-12)
    compact = pd.read_csv(results / "predicted.csv")
    for scores in metrics["seeds"]:
        assert scores["accuracy"] == accuracy_score(compact.true, compact[f"seed-{scores['seed']}"])
    confusion = pd.read_csv(results / "confusion.csv")
    assert confusion.groupby("seed")["count"].sum().to_dict() == {0: 50, 3: 50}
    assert pd.read_csv(results / "per_class.csv").groupby("seed").support.sum().to_dict() == {0: 50, 3: 50}


def test_evaluation_tells_how_far_its_probabilities_can_be_trusted(trained: Layout) -> None:
    evaluate.run([CELL], COMPUTE, trained)
    results = trained.evaluation(CELL)
    table = pd.read_csv(results / "calibration.csv")
    assert list(table.columns) == ["seed", "bin", "low", "high", "images", "confidence", "accuracy"]
    for scores in json.loads((results / "metrics.json").read_text())["seeds"]:
        rows = table[table.seed == scores["seed"]]
        predicted = pd.read_csv(trained.predictions(CELL) / f"seed-{scores['seed']}.csv")
        assert rows.images.sum() == len(predicted) == 50
        assert (rows.images * rows.accuracy).sum() / 50 == pytest.approx(scores["accuracy"], abs=1e-12)
        # Probabilities have passed through float32 and six digits or more on their way to the file.
        assert (rows.images * rows.confidence).sum() / 50 == pytest.approx(predicted.probability.mean(), abs=1e-5)
        gaps = (rows.images / 50 * (rows.accuracy - rows.confidence).abs()).sum()
        assert scores["ece"] == pytest.approx(gaps, abs=1e-12)
        assert scores["nll"] == pytest.approx(scores["loss"], rel=1e-5)  # no image counts more than another
        assert 0 < scores["nll_error"] < scores["nll"]
        assert 0 < scores["brier"] < 2


def test_evaluation_times_one_image_on_the_machine_it_names(trained: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    # A clock on which the k-th call takes k^2 ms: the median of calls 3 to 22 is that of 12^2 and 13^2.
    ticks = iter([tick for call in range(1, 23) for tick in (10.0 * call, 10.0 * call + call**2 / 1000)] * 2)
    clock = SimpleNamespace(perf_counter=lambda: next(ticks))
    monkeypatch.setattr(evaluate, "time", clock)
    evaluate.run([CELL], COMPUTE, trained)
    told = json.loads((trained.evaluation(CELL) / "latency.json").read_text())
    assert told["milliseconds"] == pytest.approx((12**2 + 13**2) / 2, abs=1e-6)
    assert (told["device"], told["threads"]) == ("cpu", 1)
    environment = json.loads((trained.training(CELL) / "environment.json").read_text())
    assert told.items() - {("milliseconds", told["milliseconds"])} <= environment.items()


def test_evaluating_twice_gives_the_same_bytes_but_for_the_clock(trained: Layout) -> None:
    evaluate.run([CELL], COMPUTE, trained)
    first = {path.name: path.read_bytes() for path in trained.evaluation(CELL).iterdir()}
    assert first.keys() >= {
        "metrics.json", "per_class.csv", "confusion.csv", "predicted.csv", "calibration.csv", "iterations.csv",
        "latency.json",
    }  # fmt: skip
    evaluate.run([CELL], COMPUTE, trained)
    for name in first.keys() - {"latency.json"}:
        assert (trained.evaluation(CELL) / name).read_bytes() == first[name]


def test_damaged_weights_are_named_and_leave_no_half_written_results(trained: Layout) -> None:
    path = trained.weights(CELL) / "seed-3.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(StageError, match=r"seed-3\.safetensors is damaged: SHA-256 [0-9a-f]{64} was expected"):
        evaluate.run([CELL], COMPUTE, trained)
    assert not (trained.evaluation(CELL) / "metrics.json").exists()
    assert not trained.predictions(CELL).exists()


def test_missing_weights_are_named(trained: Layout) -> None:
    (trained.weights(CELL) / "seed-0.safetensors").unlink()
    with pytest.raises(StageError, match=r"seed-0\.safetensors is missing; run `dvc repro`"):
        evaluate.run([CELL], COMPUTE, trained)


def test_weights_of_another_architecture_are_refused(trained: Layout) -> None:
    other = small_cell("recurnet2", seeds=(0, 3))
    trained.weights(other).parent.mkdir(parents=True)
    trained.weights(CELL).rename(trained.weights(other))
    with pytest.raises(StageError, match="are not of this architecture"):
        evaluate.run([other], COMPUTE, trained)


def test_iterations_beyond_training_are_measured_where_there_is_a_block_to_iterate(trained: Layout) -> None:
    evaluate.run([CELL], COMPUTE, trained)
    table = pd.read_csv(trained.evaluation(CELL) / "iterations.csv")
    assert list(table.columns) == ["seed", "iterations", "accuracy", "state_change"]
    assert table.groupby("seed")["iterations"].apply(list).to_dict() == {seed: list(range(1, 31)) for seed in (0, 3)}
    metrics = json.loads((trained.evaluation(CELL) / "metrics.json").read_text())
    for seed in metrics["seeds"]:  # depth 5 is two iterations
        own = table[(table.seed == seed["seed"]) & (table.iterations == 2)]
        assert own.accuracy.item() == pytest.approx(seed["accuracy"], abs=1e-9)
    assert (table.state_change > 0).all()
