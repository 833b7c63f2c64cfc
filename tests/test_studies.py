"""Studies: runs that one process trains one after another."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stages.cell import Cell, Compute
from stages.core.layout import Layout
from stages.evaluate.cell import evaluate_cell
from stages.params import Params, Study
from stages.train import local as train
from tests.small import small_params, write_split

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


def test_an_interrupted_study_keeps_what_was_finished(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = study().cells("pair")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        real = train.train_cell

        def stop_at_the_third(cell: Cell, compute: Compute, where: Layout) -> None:
            if cell is cells[2]:
                raise KeyboardInterrupt
            real(cell, compute, where)

        patch.setattr(train, "train_cell", stop_at_the_third)
        train.run(cells, COMPUTE, layout)
    finished = (layout.training(cells[0]) / "curves.csv").read_bytes()
    shutil.rmtree(layout.results)  # as DVC does before it runs a stage again
    capsys.readouterr()
    train.run(cells, COMPUTE, layout)
    said = capsys.readouterr().out
    assert "small seed 0: trained before, taken over" in said
    assert "small seed 0: epoch" not in said
    assert (layout.training(cells[0]) / "curves.csv").read_bytes() == finished
