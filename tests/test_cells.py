"""Training a cell: its files, its continuation after an interruption, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from stages.cell import Compute
from stages.core.errors import StageError
from stages.core.files import sha256
from stages.core.layout import Layout
from stages.evaluate.cell import evaluate_cell
from stages.learning import assemble
from stages.learning.batches import Images, load_images
from stages.params import load_params
from stages.train import code_digest as provenance
from stages.train import local as train
from stages.train.checkpoint import Checkpoint
from stages.train.side_by_side import run as train_all
from tests.preloaded import python
from tests.small import REPOSITORY, small_cell, small_params, write_split

COMPUTE = Compute(device="cpu", threads=1)
CELL = small_cell(seeds=(0, 3))

pytestmark = pytest.mark.slow


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    write_split(layout)
    return layout


@pytest.fixture
def trained(layout: Layout) -> Layout:
    train_all([CELL], COMPUTE, layout)
    return layout


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_curves_have_a_row_per_seed_and_epoch_with_every_metric(trained: Layout) -> None:
    curves = pd.read_csv(trained.training(CELL) / "curves.csv")
    assert list(zip(curves.seed, curves.epoch, strict=True)) == [(s, e) for s in (0, 3) for e in range(3)]
    assert list(curves.columns) == [
        "seed", "epoch", "learning_rate", "train_loss", "train_loss_sum", "train_accuracy",
        "test_loss", "test_loss_sum", "test_accuracy",
        "test_precision_weighted", "test_recall_weighted", "test_f1_weighted",
        "test_precision_macro", "test_recall_macro", "test_f1_macro",
    ]  # fmt: skip
    by_class = pd.read_csv(trained.training(CELL) / "class_curves.csv")
    assert list(by_class.columns) == ["seed", "epoch", "label", "train_recall", "test_recall"]
    assert len(by_class) == 2 * 3 * 10
    timing = pd.read_csv(trained.training_clock(CELL) / "timing.csv")
    assert list(timing.columns) == ["seed", "epoch", "train_seconds", "test_seconds", "joules"]


def test_training_twice_gives_the_same_bytes_but_for_the_clock(trained: Layout, tmp_path: Path) -> None:
    again = Layout(tmp_path / "again")
    write_split(again)
    train_all([CELL], COMPUTE, again)
    assert contents(trained.training(CELL)) == contents(again.training(CELL))
    machine = trained.training_clock(CELL) / "environment.json"
    assert machine.read_bytes() == (again.training_clock(CELL) / "environment.json").read_bytes()


def test_an_interrupted_run_continues_from_its_last_checkpoint(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = Layout(tmp_path / "whole")
    write_split(whole)
    train_all([CELL], COMPUTE, whole)

    save, saved = Checkpoint.save, []

    def save_then_stop(self: Checkpoint, state: dict[str, object]) -> None:
        save(self, state)
        saved.append(self.path.name)
        if saved.count("seed-3.pt") == 8:  # the second step of the second seed's third epoch
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train, "CHECKPOINT_SECONDS", 0.0)
        patch.setattr(Checkpoint, "save", save_then_stop)
        with pytest.raises(KeyboardInterrupt):
            train_all([CELL], COMPUTE, layout)
    assert not layout.training(CELL).exists()
    train_all([CELL], COMPUTE, layout)
    assert "seed 3: continues after epoch 2/3 and 2/3 steps" in capsys.readouterr().out
    assert contents(whole.training(CELL)) == contents(layout.training(CELL))
    assert not (layout.checkpoints / CELL.key).exists()


def test_a_checkpoint_of_other_parameters_is_not_used(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "remove", lambda self: None)
        train_all([small_cell(seeds=(0,))], COMPUTE, layout)
    train_all([small_cell(seeds=(0,), batch_size=10)], COMPUTE, layout)
    said = capsys.readouterr().out
    assert "a checkpoint made with other parameters, data, code or hardware is not used" in said
    assert "continues after" not in said


def test_altered_data_is_named(layout: Layout) -> None:
    path = layout.data("digits") / "train_labels.npy"
    expected = sha256(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StageError, match=rf"train_labels\.npy is damaged: SHA-256 {expected} was expected"):
        train_all([CELL], COMPUTE, layout)


def test_every_seed_of_a_named_run_trains_on_its_own_draw_and_noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = small_params()
    recipe = params.recipes["mnist-rnn"].model_copy(update={"seeds": (0, 1), "epochs": 1})
    options = {"width": 8, "hidden": 8}
    run = params.runs["lstm-unbalanced"].model_copy(update={"data": "digits", "changes": {}})
    run = run.model_copy(update={"model": run.model.model_copy(update={"options": options})})
    params = params.model_copy(update={"recipes": {"mnist-rnn": recipe}, "runs": {"mine": run}})
    layout, other = Layout(tmp_path), Layout(tmp_path / "other")
    write_split(layout, draws={0: range(20), 1: range(10, 50)})
    write_split(other, draws={0: range(20), 1: range(10, 49)})
    noise_seeds = []

    def load(*arguments: Any, training: bool, noise_seed: int) -> Images:
        noise_seeds.append((training, noise_seed))
        return load_images(*arguments, training=training, noise_seed=noise_seed)

    monkeypatch.setattr(assemble, "load_images", load)
    for home in (layout, other):
        train_all([params.cell("mine")], COMPUTE, home)
    assert noise_seeds == [(True, 0), (False, 0), (True, 1), (False, 0)] * 2

    def weights(home: Layout, seed: int) -> bytes:
        return (home.training(params.cell("mine")) / f"seed-{seed}.safetensors").read_bytes()

    assert weights(layout, 0) == weights(other, 0)
    assert weights(layout, 1) != weights(other, 1)
    assert set(pd.read_csv(layout.training(params.cell("mine")) / "class_curves.csv").seed) == {0, 1}
    evaluate_cell(params.cell("mine"), COMPUTE, layout)
    assert set(pd.read_csv(layout.evaluation(params.cell("mine")) / "predicted.csv")) == {"true", "seed-0", "seed-1"}
    wrong = params.model_copy(update={"recipes": {"mnist-rnn": recipe.model_copy(update={"seeds": (0, 2)})}})
    with pytest.raises(StageError, match="digits was drawn for seeds 0, 1, not for 2"):
        train_all([wrong.cell("mine")], COMPUTE, layout)


def test_the_command_line_trains_a_named_run(tmp_path: Path) -> None:
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    params["recipes"]["mnist-rnn"]["epochs"] = 1
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    layout = Layout(tmp_path)
    write_split(layout)
    subprocess.run([sys.executable, "-m", "stages.train", str(tmp_path), "elman"], cwd=REPOSITORY, check=True)
    elman = load_params(layout.params).cell("elman")
    assert len(pd.read_csv(layout.training(elman) / "curves.csv")) == 1
    assert (layout.training(elman) / "seed-0.safetensors").is_file()
    about = json.loads((layout.training(elman) / "run.json").read_text())
    assert about["cell"]["architecture"] == "elman"


def test_the_code_of_a_run_includes_what_its_model_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "sha256_of", set)
    shared = {"models/layers/recurrence.py", "stages/learning/engine.py", "stages/cell/recipe.py"}
    assert {"models/mnist_rnn.py", *shared} <= provenance.code_digest("lstm")
    assert {"models/mnist_rnn.py", "models/recurnets.py", *shared} & provenance.code_digest("recurnet1") == {
        "models/recurnets.py",
        *shared,
    }


def test_an_unknown_cell_is_one_sentence() -> None:
    ended = python("-m", "stages.train", ".", "lstm-unknown")
    assert ended.returncode == 1
    assert "unknown cell 'lstm-unknown': expected one of elman, lstm" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_a_gunn_can_be_checkpointed_though_its_document_says_not(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = load_params(REPOSITORY / "params.yaml")
    cell = params.cell("gunn-as-published")
    recipe = cell.recipe.model_copy(update={"epochs": 3})
    cell = cell.model_copy(update={"dataset": "digits", "recipe": recipe})
    train_all([cell], COMPUTE, layout)
    other = Layout(tmp_path / "stopped")
    write_split(other)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        real = Checkpoint.save

        def stop_after_two(self: Checkpoint, state: dict[str, Any]) -> None:
            real(self, state)
            if state["epoch"] == 1:
                raise KeyboardInterrupt

        patch.setattr(Checkpoint, "save", stop_after_two)
        patch.setattr(train, "CHECKPOINT_SECONDS", 0.0)
        train_all([cell], COMPUTE, other)
    train_all([cell], COMPUTE, other)
    assert contents(layout.training(cell)) == contents(other.training(cell))
