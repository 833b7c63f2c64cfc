"""Studies: runs that one stage trains, one after another or side by side."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from stages.cell import Cell, Compute
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.evaluate.cell import evaluate_cell
from stages.params import Params, Study
from stages.train import side_by_side as train
from stages.train.local import CellTraining
from tests.cluster import KEY, make_home, until
from tests.small import REPOSITORY, small_params, write_split

COMPUTE = Compute(device="cpu", threads=1)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    write_split(layout)
    return layout


def study() -> Params:
    """Two networks in one study, on the digits."""
    params = small_params()
    recipe = params.recipes["mnist-rnn"].model_copy(update={"epochs": 2, "batch_size": 16, "seeds": (0,)})
    pair = Study.model_validate({
        "paper": "mnist-rnn", "data": "digits", "transform": "scaled", "recipe": "mnist-rnn",
        "model": {"file": "mnist_rnn", "name": "lstm", "options": {"width": 8, "hidden": 4}},
        "cells": {"small": {}, "elman-too": {"name": "elman", "options": {"width": 8, "hidden": 4}}},
        "grid": {"hidden": [5, 6]},
    })  # fmt: skip
    return params.model_copy(update={"studies": {"pair": pair}, "recipes": {"mnist-rnn": recipe}, "explanations": {}})


def test_the_cells_of_a_study_are_trained_as_if_they_were_alone(layout: Layout, tmp_path: Path) -> None:
    params = study()
    cells = params.cells("pair")
    assert [cell.key for cell in cells] == ["small", "elman-too", "pair-5", "pair-6"]
    train.run(cells, COMPUTE, layout)
    for cell in cells:
        evaluate_cell(cell, COMPUTE, layout)
    alone = Layout(tmp_path / "alone")
    write_split(alone)
    for cell in cells:
        train.run([cell], COMPUTE, alone)
        evaluate_cell(cell, COMPUTE, alone)
        for name in ("curves.csv", "run.json"):
            assert (layout.training(cell) / name).read_bytes() == (alone.training(cell) / name).read_bytes()
        for name in ("metrics.json", "predicted.csv"):
            assert (layout.evaluation(cell) / name).read_bytes() == (alone.evaluation(cell) / name).read_bytes()
    assert {path.parent.parent for path in layout.trained("pair")} == {layout.results / "training" / "pair"}
    assert not any(layout.checkpoints.glob("*"))


def weights(layout: Layout, cells: list[Cell]) -> dict[str, bytes]:
    """What training leaves, but for the clock: every file of every cell."""
    folders = [layout.training(cell) for cell in cells]
    return {f"{folder.name}/{path.name}": path.read_bytes() for folder in folders for path in folder.iterdir()}


def test_an_interrupted_study_keeps_what_was_finished(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = study().cells("pair")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        real = train.train_and_keep

        def stop_at_the_third(training: CellTraining, *rest: Any) -> Any:
            if training.cell == cells[2]:
                raise KeyboardInterrupt
            return real(training, *rest)

        patch.setattr(train, "train_and_keep", stop_at_the_third)
        train.run(cells, COMPUTE, layout)
    finished = (layout.training(cells[0]) / "curves.csv").read_bytes()
    shutil.rmtree(layout.results)  # as DVC does before it runs a stage again
    capsys.readouterr()
    train.run(cells, COMPUTE, layout)
    said = capsys.readouterr().out
    assert "small seed 0: trained before, taken over" in said
    assert "small seed 0: epoch" not in said
    assert "pair: pair-6 seed 0 is trained (2 of 2)" in said
    assert (layout.training(cells[0]) / "curves.csv").read_bytes() == finished


def test_a_cell_that_fails_does_not_stop_the_others_and_is_named_in_the_end(
    layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    params = study()
    wild = {"optimizer": {"name": "sgd", "lr": 1e38}}
    cells = {name: {"changes": wild if name == "wild" else {}} for name in ("calm", "twin", "wild", "small")}
    changed = params.studies["pair"].model_copy(update={"cells": {}, "grid": {}})
    made = Study.model_validate({**changed.model_dump(), "cells": cells})
    calm, twin, wild_one, small = params.model_copy(update={"studies": {"pair": made}}).cells("pair")
    with pytest.raises(
        StageError, match=r"^1 of 2 trainings of pair failed: wild seed 0 \(the training loss of seed 0"
    ):
        train.run([calm, twin, wild_one, small], COMPUTE, layout)
    assert "calm seed 0 is trained (1 of 2)" in capsys.readouterr().out, "they differ in their names only"
    for cell in (calm, twin, small):
        assert (layout.training(cell) / "run.json").is_file()
    assert not layout.training(wild_one).exists()


@pytest.mark.slow
def test_side_by_side_in_processes_they_end_bit_for_bit_as_one_after_another(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    cells = study().cells("pair")
    train.run(cells, COMPUTE, layout)
    beside = Layout(tmp_path / "beside")
    write_split(beside)
    monkeypatch.setenv("RECURNETS_CORES", "2")
    capfd.readouterr()
    train.run(cells, COMPUTE, beside)
    said = capfd.readouterr().out
    assert weights(beside, cells) == weights(layout, cells)
    assert not any(beside.checkpoints.glob("*"))
    assert all(f"{cell.key} seed 0: epoch 2/2" in said and f"{cell.key} seed 0 is trained (" in said for cell in cells)
    assert "(4 of 4)" in said


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_an_end_of_the_stage_ends_what_it_trains_side_by_side_and_leaves_the_checkpoints(
    ending: signal.Signals, tmp_path: Path
) -> None:
    layout = make_home(tmp_path, epochs=100_000, seeds=[0, 1])
    setting = {"RECURNETS_CORES": "2", "RECURNETS_CHECKPOINT_SECONDS": "0"}
    stage = subprocess.Popen(
        [sys.executable, "-m", "stages.train", str(tmp_path), KEY],
        cwd=REPOSITORY, env={**os.environ, **setting}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    said = until("seed 1: epoch 2/", stage)
    if "seed 0: epoch 2/" not in said:
        until("seed 0: epoch 2/", stage)
    trainings = psutil.Process(stage.pid).children(recursive=True)
    stage.send_signal(ending)
    rest, _ = stage.communicate()
    assert stage.returncode != 0
    _, alive = psutil.wait_procs(trainings, timeout=60)
    assert not alive
    assert ("error: interrupted; run the same command again to continue." in rest) == (ending == signal.SIGINT)
    assert "Traceback" not in rest
    for seed in (0, 1):
        assert list((layout.checkpoints / KEY).glob(f"*/seed-{seed}.pt"))


def test_how_many_train_side_by_side_follows_from_cores_and_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURNETS_CORES", "8")
    assert [train.processes(Compute(device="cpu", threads=threads)) for threads in (1, 3, 0)] == [8, 2, 1]
    monkeypatch.setenv("RECURNETS_CORES", "all")
    with pytest.raises(StageError, match="RECURNETS_CORES is 'all'; give it a whole number from 1, or unset it"):
        train.processes(COMPUTE)
