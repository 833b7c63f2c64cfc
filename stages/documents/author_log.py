"""A document's authors' own logs: curves and costs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from stages.core.tables import read_csv

RESTORE = "restore it with `git checkout papers`"


def load_author_log(folder: Path) -> pd.DataFrame:
    """The authors' logged curves, a row per run and epoch (from 0), named and scaled as in curves.csv; maybe none."""
    path = folder / "author_log.csv"
    if not path.is_file():
        return pd.DataFrame({"run": [], "epoch": []})
    log = read_csv(path, ("run", "epoch"), remedy=RESTORE)
    # Recall weighted by support is the accuracy.
    return log if "test_recall_weighted" in log else log.assign(test_recall_weighted=log["test_accuracy"])


def load_author_cost(folder: Path) -> tuple[int, float] | None:
    """How many runs the authors logged the time of, and their seconds; None if they did not."""
    path = folder / "author_cells.csv"
    if not path.is_file():
        return None
    cells = read_csv(path, ("run", "epochs_logged", "seconds_logged"), remedy=RESTORE)
    return int((cells["epochs_logged"] > 0).sum()), float(cells["seconds_logged"].sum())
