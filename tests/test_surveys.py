"""Figures over grids, iterations and costs: their rows from results, and what is said about them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.compare.carbon import grams_per_kwh
from stages.compare.columns import CELL_COLUMNS
from stages.compare.run_tables import comparison_rows, grid_rows, iteration_rows, reliability_rows
from stages.compare.side_by_side import Beside
from stages.core.layout import Layout
from stages.documents.claims import load_claims
from stages.documents.paper import PAPERS, Paper, load_paper
from stages.params import load_params
from stages.report.figures.of_tables import Tabled, slopes
from stages.report.figures.surveys import (
    Mark,
    describe_iterations,
    describe_reliability,
    describe_scatter,
    draw_grid,
    draw_iterations,
    draw_reliability,
    draw_scatter,
)
from stages.results.read import read_results
from tests.fake_results import write_cells, write_split
from tests.small import REPOSITORY

Text = dict[str, str]


def beside(home: Path, paper: str, keys: list[str]) -> Beside:
    """Made-up full-scale results of ``keys`` beside a document."""
    params = load_params(REPOSITORY / "full" / "params.yaml")
    write_cells(home, params, keys)
    for split in {params.cell(key).dataset for key in keys}:
        write_split(home, split)
    document = load_paper(PAPERS / paper)
    claims = load_claims(PAPERS / paper / "claims.csv", document)
    return Beside(document, claims, read_results(Layout(home), params).of(paper), params.energy)


def text(rows: list[dict[str, object]]) -> list[Text]:
    return [{key: "" if value is None else str(value) for key, value in row.items()} for row in rows]


def test_a_grid_has_a_row_per_cell_that_was_made(tmp_path: Path) -> None:
    made = beside(tmp_path, "cnn-gru", ["sensitivity-3-64", "sensitivity-12-512", "cnn-gru"])
    (grid,) = made.paper.grids
    rows = grid_rows(made, grid)
    assert [(row["row"], row["column"], row["scale"]) for row in rows] == [
        (3, 64, "our reading"), (12, 512, "our reading"),
    ]  # fmt: skip
    assert rows[0]["test_accuracy"] == made.ours["sensitivity-3-64"].mean("test_accuracy")


def test_slopes_of_a_plane_are_its_own(tmp_path: Path) -> None:
    (grid,) = load_paper(PAPERS / "cnn-gru").grids
    rows = [
        {"row": str(n), "column": str(m), "test_accuracy": repr(float(0.5 + 0.01 * n + 0.02 * np.log2(m)))}
        for n in (3, 6, 9) for m in (64, 128, 512)
    ]  # fmt: skip
    assert slopes(rows, grid) == {
        "one more of layers": pytest.approx(0.01),
        "doubling of hidden": pytest.approx(0.02),
    }
    assert draw_grid(rows, "layers", "hidden").svg.count("<path") >= 9 + 9  # a square per cell, a marker per point


def recnet_iterations(paper: Paper, made: Beside) -> list[Text]:
    return text(iteration_rows(made, paper.iterations[0]))


def test_iterations_are_those_of_networks_that_iterate(tmp_path: Path) -> None:
    made = beside(tmp_path, "recnet", ["recnet", "recnet-own-norms", "resnet1"])
    rows = recnet_iterations(made.paper, made)
    assert {row["key"] for row in rows} == {"recnet", "recnet-own-norms"}
    assert [int(row["iterations"]) for row in rows if row["key"] == "recnet"] == list(range(1, 31))
    assert {row["trained"] for row in rows} == {"7"}
    said = describe_iterations(rows)
    assert "RecNet, 7 iterations: 7 iterations 0.8300, 30 iterations 0.6000" in said


def test_a_state_that_left_its_range_leaves_a_gap(tmp_path: Path) -> None:
    made = beside(tmp_path, "recnet", ["recnet"])
    rows = recnet_iterations(made.paper, made)
    for row in rows[20:]:
        row["state_change"] = ""
    assert draw_iterations(rows).svg.startswith("<svg")


def test_depth_of_recurnets_is_three_more_than_its_iterations(tmp_path: Path) -> None:
    made = beside(tmp_path, "recurnets", ["mnist-recurnet1-7", "mnist-recurnet2-4"])
    one, two = (iteration_rows(made, wanted) for wanted in made.paper.iterations)
    assert {row["trained"] for row in one} == {4}
    assert {row["trained"] for row in two} == {1}


def test_costs_stand_beside_accuracies(tmp_path: Path) -> None:
    made = beside(tmp_path, "cnn-gru", ["cnn-gru", "cnn", "rnn"])
    (comparison,) = made.paper.comparisons
    rows = [row for row in text(comparison_rows(made, comparison)) if row.get("test_accuracy")]
    assert [row["run"] for row in rows] == ["cnn-gru", "cnn", "rnn"]
    # 1,000 test images in a quarter of a second, 1,000 training images in two seconds; see tests/fake_results.py
    assert {row["test_images_per_second"] for row in rows} == {"4000.0"}
    assert {row["train_images_per_second"] for row in rows} == {"500.0"}
    marks = [
        Mark(row["run"], float(row["test_accuracy"]), {name: float(row[name]) for name in ("parameters", "macs")})
        for row in rows
    ]
    said = describe_scatter(marks)
    assert said.startswith("Test accuracy against parameters and macs.")
    for row, mark in zip(rows, marks, strict=True):
        assert f"{row['run']}: {mark.accuracy:.4f} with {int(row['parameters']):.4g} parameters" in said
    assert draw_scatter(marks).svg.startswith("<svg")


def test_every_run_has_its_energy_its_carbon_dioxide_and_its_latency(tmp_path: Path) -> None:
    made = beside(tmp_path, "cnn-gru", ["cnn-gru", "cnn"])
    grams = grams_per_kwh(made.energy.country)
    for row in made.cells():
        # Two threads at 4 W without a counter, and 1.5 ms for an image; see tests/fake_results.py
        assert row["energy_wh"] == pytest.approx(row["seconds"] * 2 * 4 / 3600, rel=1e-12)
        assert row["co2_g"] == pytest.approx(row["energy_wh"] / 1000 * grams, rel=1e-12)
        assert (row["energy_kind"], row["latency_ms"]) == ("estimated", 1.5)
        assert (row["brier"], row["ece"]) == (0.2, 0.05)
        assert row["joules_per_correct"] > 0


def test_a_run_of_several_seeds_is_drawn_at_the_energy_of_one(tmp_path: Path) -> None:
    one, three = ({"key": key, "dataset": "cifar10", "scale": "full run", "seeds": seeds, "energy_wh": energy}
                  for key, seeds, energy in (("cnn", 1, 4.0), ("rnn", 3, 6.0)))  # fmt: skip
    every = {"architecture": "cnn", "parameters": 274_442, "test_accuracy": 0.5974, "energy_kind": "estimated"}
    table = pd.DataFrame([one | every, three | every], columns=CELL_COLUMNS)
    table.to_csv(tmp_path / "cells.csv", index=False)
    (figure,) = Tabled(load_paper(PAPERS / "cnn-gru"), tmp_path).costs()
    sizes, energies = ([line["x"] for line in panel["lines"]] for panel in json.loads(figure.live)["panels"])
    assert (sizes, energies) == ([[274_442], [274_442]], [[4], [2]])
    assert "of one seed" in figure.note


def test_the_reliability_of_a_run_has_its_seeds_together_weighted_by_their_images(tmp_path: Path) -> None:
    made = beside(tmp_path, "cnn-gru", ["cnn-gru"])
    table = pd.DataFrame({
        "seed": [0, 0, 1], "bin": [10, 14, 14], "images": [10, 30, 10],
        "confidence": [0.7, 0.96, 1.0], "accuracy": [0.6, 0.9, 0.5],
    })  # fmt: skip
    ours = {"cnn-gru": replace(made.ours["cnn-gru"], reliability=table)}
    rows = reliability_rows(replace(made, ours=ours))
    assert [(row["bin"], row["images"]) for row in rows] == [(10, 10), (14, 40)]
    assert [row["confidence"] for row in rows] == pytest.approx([0.7, 0.97], abs=1e-12)
    assert [row["accuracy"] for row in rows] == pytest.approx([0.6, 0.8], abs=1e-12)
    points = {"CNN-GRU": [(row["confidence"], row["accuracy"]) for row in rows]}
    assert "CNN-GRU: accuracy 0.8000 at confidence 0.9700" in describe_reliability(points)
    assert draw_reliability(points).svg.startswith("<svg")
