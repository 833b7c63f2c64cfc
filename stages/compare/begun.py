"""Trainings under the document's full recipe that were begun or stopped: how far they are. They feed no verdict."""

from __future__ import annotations

from stages.compare.columns import TableRow
from stages.compare.scale import differences
from stages.compare.side_by_side import Beside

CURVES = ("train_loss", "train_accuracy", "test_accuracy")


def begun_rows(beside: Beside) -> list[TableRow]:
    """A row per seed that is not complete; columns :data:`stages.compare.columns.BEGUN_COLUMNS`.

    ``done``: epochs so far, of ``epochs``; the scores are those of the last; ``machines``: what trained which epochs.
    """
    rows: list[TableRow] = []
    for run, begun in beside.started.items():
        if differences(beside.paper, begun.cell):
            continue
        complete = set(beside.ours[run].cell.recipe.seeds) if run in beside.ours else set()
        for seed, curves in begun.curves.groupby("seed"):
            if seed not in complete:
                last = curves.iloc[-1]
                about = {"run": run, "seed": seed, "done": len(curves), "epochs": begun.cell.recipe.epochs}
                scores = {name: float(last[name]) for name in CURVES}
                rows.append({**about, **scores, "machines": begun.machines.get(int(str(seed)), "")})
    return rows
