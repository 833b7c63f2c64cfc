"""A home of ours and one of another team, with made-up results."""

from __future__ import annotations

import datetime
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from commands.team.__main__ import add
from stages.cell import Cell
from stages.core.layout import Layout
from stages.params import load_params
from stages.results.teams import Team
from tests.fake_results import write_cell, write_cells
from tests.small import REPOSITORY

PARAMS = load_params(REPOSITORY / "params.yaml")
DAY = datetime.date(2026, 11, 27)


def trained(key: str, *seeds: int, **changes: Any) -> Cell:
    cell = PARAMS.cell(key)
    return cell.model_copy(update={"recipe": cell.recipe.model_copy(update={"seeds": seeds, **changes})})


def write_all(home: Path, *cells: Cell) -> None:
    home.mkdir(exist_ok=True)
    shutil.copy(REPOSITORY / "params.yaml", home)
    write_cells(home, PARAMS, [])
    for cell in cells:
        write_cell(Layout(home), cell)


def our_home(folder: Path) -> Layout:
    """One seed of one run."""
    write_all(folder / "ours", trained("elman", 0))
    return Layout(folder / "ours")


def their_home(folder: Path) -> Path:
    """Three other seeds of it, and another run that we have not made."""
    write_all(folder / "theirs", trained("elman", 5, 6, 7), trained("lstm", 5))
    return folder / "theirs"


def added(ours: Layout, source: object, name: str = "them") -> Team:
    return add(ours, name, str(source), Path("no-cache"), DAY)


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def right(home: Path, key: str, share: float) -> None:
    """Let a run of a home have a share of its images right, and say so."""
    path = Layout(home).evaluation(PARAMS.cell(key)) / "predicted.csv"
    table = pd.read_csv(path)
    for number, seed in enumerate(table.columns[1:]):
        hit = table.index < round(share * len(table)) + number
        table[seed] = table["true"].where(hit, (table["true"] + 1) % 10)
    table.to_csv(path, index=False)
    accuracy = {seed: float((table[seed] == table["true"]).mean()) for seed in table.columns[1:]}
    edit(path.with_name("metrics.json"), lambda metrics: [
        each.update(accuracy=accuracy[f"seed-{each['seed']}"]) for each in metrics["seeds"]
    ])  # fmt: skip
