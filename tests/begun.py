"""A home whose one cell is trained in a second, and what is left of it when it is stopped."""

from __future__ import annotations

from pathlib import Path

import yaml

from stages.core.layout import Layout
from stages.params import load_params
from stages.results.cell_result import CURVE_COLUMNS
from stages.results.started import started_rows
from stages.train.local import train_cell
from tests.small import REPOSITORY, write_split

KEY, EPOCHS, STEPS = "digits-recurnet1-5", 4, 12


def make_home(folder: Path, *, together: int = 1, **recipe: object) -> Layout:
    """A home with a short recipe of two seeds and made-up digits."""
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    params["recurnets"]["recipe"] |= {
        "seeds": [0, 1],
        "epochs": EPOCHS,
        "batch_size": 4,
        "test_batch_size": 25,
        **recipe,
    }
    params["recurnets"]["models"]["recurnet1"]["width"] = 0.1
    params["compute"] |= {"device": "cpu", "threads": 1, "seeds_together": together}
    folder.mkdir(exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    layout = Layout(folder)
    if not layout.data("digits").exists():
        write_split(layout)
    return layout


def complete(layout: Layout) -> dict[str, bytes]:
    """Train the cell to its end; what that leaves."""
    params = load_params(layout.params)
    cell = params.cell(KEY)
    train_cell(cell, params.compute, layout)
    return {path.name: path.read_bytes() for path in layout.training(cell).iterdir()}


def first_rows(curves: bytes, epochs: int, seeds: tuple[int, ...] = (0, 1)) -> list[list[str]]:
    """The rows of the first epochs in a curves.csv, as text."""
    rows = [line.split(",") for line in curves.decode().splitlines()[1:]]
    return [row for row in rows if int(row[1]) < epochs and int(row[0]) in seeds]


def recorded(layout: Layout) -> list[list[str]]:
    return [[row[name] for name in CURVE_COLUMNS] for row in started_rows(layout)]
