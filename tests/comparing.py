"""Fixtures: parameters of both scales, and comparing what lies in a temporary home."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from stages.compare.tables import compare as write_comparison
from stages.core.layout import Layout
from stages.params import Params, load_cells, load_params
from stages.results.read import read_results
from tests.compared import Rows
from tests.fake_results import write_cells
from tests.small import REPOSITORY


@pytest.fixture
def reduced() -> Params:
    return load_params(REPOSITORY / "params.yaml")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Params:
    """The papers' own scale, with one seed of every run but elman, however many have been trained since."""
    params = yaml.safe_load((REPOSITORY / "full" / "params.yaml").read_text())
    for name, run in params["runs"].items():
        if name != "elman":
            run.get("changes", {}).pop("seeds", None)
    path = tmp_path_factory.mktemp("full") / "params.yaml"
    path.write_text(yaml.safe_dump(params, sort_keys=False))
    return load_params(path)


@pytest.fixture
def compare(tmp_path: Path) -> Callable[[Params], Callable[[str], Rows]]:
    """Compare what lies in the temporary home as its parameters are now; gives a reader of the tables written."""

    def run(params: Params) -> Callable[[str], Rows]:
        layout = Layout(tmp_path)
        write_cells(tmp_path, params, [])  # what `check` would write
        cells = load_cells(layout.cells)
        write_comparison(read_results(layout, cells), layout, cells)

        def read(name: str, paper: str = "recurnets") -> Rows:
            with (layout.reports / "tables" / paper / f"{name}.csv").open(newline="") as stream:
                return list(csv.DictReader(stream))

        return read

    return run
