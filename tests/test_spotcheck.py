"""Whether results of earlier code come out of this code, by their first epochs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from commands.audit import outdated_results
from commands.spotcheck import largest_difference, read_spotchecks, spotcheck
from stages.cell import Compute
from stages.core.errors import StageError
from stages.core.files import read_json, write_json
from stages.core.layout import Layout
from stages.evaluate.cell import evaluate_cell
from stages.params import load_params
from stages.results.cell_result import CURVE_COLUMNS
from stages.results.read import read_results
from stages.train.local import train_cell
from tests.preloaded import python
from tests.small import REPOSITORY, write_split

COMPUTE = Compute(device="cpu", threads=1)
KEY = "digits-recurnet1-4"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A home with one trained cell, whose record names other code."""
    home = Layout(tmp_path_factory.mktemp("home"))
    text = (REPOSITORY / "params.yaml").read_text()
    home.params.write_text(text)
    write_split(home)
    cell = load_params(home.params).cell(KEY)
    train_cell(cell, COMPUTE, home)
    evaluate_cell(cell, COMPUTE, home)
    record = home.training(cell) / "run.json"
    write_json(record, {**read_json(record), "code_sha256": "0" * 64})
    return home


def command(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "commands.spotcheck", str(home), *words)


def test_the_audit_tells_that_the_first_epochs_come_out_of_this_code(layout: Layout) -> None:
    said = command(layout.home, "--epochs", "2")
    assert said.stdout.strip() == f"{KEY}: its first 2 epochs come out of this code bit for bit", said.stderr
    why = outdated_results(layout)[KEY]
    assert why == "trained with other code (its first 2 epochs come out of this code bit for bit)"
    table = layout.home / "spotcheck.csv"
    table.write_text(table.read_text().replace(table.read_text().strip().rpartition(",")[2], "1" * 64))
    assert read_spotchecks(layout) == {}
    assert "models/ or the engine have changed since" in outdated_results(layout)[KEY]


def test_curves_that_this_code_does_not_give_are_found(layout: Layout) -> None:
    params = load_params(layout.params)
    path = layout.training(params.cell(KEY)) / "curves.csv"
    committed = path.read_text()
    head, first, *rest = committed.splitlines()
    values = first.split(",")
    values[3] = str(float(values[3]) * 1.001)
    path.write_text("\n".join([head, ",".join(values), *rest]) + "\n")
    (result,) = read_results(layout, params).cells
    row = spotcheck(result, COMPUTE, layout, 1)
    path.write_text(committed)
    assert row["largest_difference"] == pytest.approx(0.001 / 1.001, rel=1e-6)


def test_the_difference_is_relative_and_zero_only_for_the_same_bits() -> None:
    old = dict.fromkeys(CURVE_COLUMNS, "0.3")
    assert largest_difference([dict.fromkeys(CURVE_COLUMNS, 0.3)], [old]) == 0
    assert 0 < largest_difference([dict.fromkeys(CURVE_COLUMNS, 0.1 + 0.2)], [old]) < 1e-15
    assert largest_difference([dict.fromkeys(CURVE_COLUMNS, 0.0)], [old]) == 1


def test_other_data_and_unknown_results_are_refused(layout: Layout) -> None:
    said = command(layout.home, "mnist-recurnet1-4")
    assert said.returncode != 0
    assert "has no current result of mnist-recurnet1-4; train and evaluate it first" in said.stderr
    params = load_params(layout.params)
    record = layout.training(params.cell(KEY)) / "run.json"
    whole = read_json(record)
    write_json(record, {**whole, "data_sha256": "0" * 64})
    (result,) = read_results(layout, params).cells
    with pytest.raises(StageError, match="was trained on other data than"):
        spotcheck(result, COMPUTE, layout, 1)
    write_json(record, whole)
