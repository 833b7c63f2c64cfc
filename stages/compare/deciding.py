"""What would decide a number that no full run here has decided: which run, how many seeds, about how many hours."""

from __future__ import annotations

import math
from collections.abc import Iterable

from stages.cell import Cell
from stages.compare.columns import TableRow
from stages.compare.intervals import ALPHA, student_quantile
from stages.compare.ladder import run_answer
from stages.compare.pace import Pace
from stages.compare.pooled import spread_of
from stages.compare.scale import differences
from stages.compare.side_by_side import Beside
from stages.compare.verdicts import target
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.documents.claims import Claim
from stages.params import Cells
from stages.results.cell_result import CellResult

SEVERAL = 3  # the fewest seeds whose interval is worth having: of two, Student's is six times the standard error
MOST = 30  # more are not asked for: the number lies at the edge of its margin
NO_CELL = "params.yaml has no such run"
OTHER_RECIPE = "needs a run as the document says, which params.yaml does not ask for"
AT_THE_EDGE = f"ours lies so close to the edge of the margin that {MOST} seeds would hardly decide it"


def open_rows(beside: Beside, cells: Cells, pace: Pace, layout: Layout) -> list[TableRow]:
    """A row per published number that takes a run and that no full run here has decided; columns :data:`OPEN_COLUMNS`.

    ``seeds``: in all; ``further``: those of them that were not trained yet, which ``hours`` are of, on the ``machine``
    that is named, from ``hours_low`` to ``hours_high``; ``setting``: the entries of params.yaml that ask for more seeds
    than they do now; ``words``: why no run is named.
    """
    undecided = [
        claim
        for claim, row in zip(beside.claims, beside.claim_rows, strict=True)
        if claim.run is not None
        and not claim.metric.counted
        and ((answer := run_answer(claim, row)) is None or not answer.decides)
    ]
    return [_row(claim, beside, cells, pace, layout) for claim in undecided]


def _row(claim: Claim, beside: Beside, cells: Cells, pace: Pace, layout: Layout) -> TableRow:
    assert claim.run is not None
    row: TableRow = {"id": claim.id, "run": claim.run}
    try:
        cell = cells.cell(claim.run)
    except StageError:
        return {**row, "words": NO_CELL}
    if differences(beside.paper, cell):
        return {**row, "words": OTHER_RECIPE}
    made = beside.ours.get(claim.run)
    seeds = seeds_needed(claim, made, beside.ours.values())
    if seeds is None:
        return {**row, "words": AT_THE_EDGE}
    further = seeds - (len(made.cell.recipe.seeds) if made else 0)
    home = "" if layout.home.name == "" else f"{layout.home.name}/dvc.yaml:"
    row |= {"seeds": seeds, "further": further, "epochs": cell.recipe.epochs, **_hours(cell, further, pace)}
    setting = _setting(cell, seeds, cells) if seeds > len(cell.recipe.seeds) else ""
    return {**row, "setting": setting, "command": f"dvc repro {home}{cell.stage('evaluate')}"}


def seeds_needed(claim: Claim, made: CellResult | None, others: Iterable[CellResult] = ()) -> int | None:
    """How many seeds would give a verdict, should further ones come out as those here; None if :data:`MOST` would not.

    Without a run one seed, if its test images give an interval, else :data:`SEVERAL`; so, too, without a margin, and
    after one seed of which nothing tells how far seeds differ. Else as many as make the half interval of the difference
    between our mean and one training of theirs (:mod:`stages.compare.verdicts`) smaller than the way from our mean to
    the nearer edge of the margin. ``others``: the document's results, whose spread is pooled with that of this one.
    """
    if made is None and claim.margin is not None and claim.metric.part == "test":
        return 1
    if made is None or claim.margin is None:
        return SEVERAL
    spread, own = spread_of(made, claim.metric, others), len(made.cell.recipe.seeds)
    if spread is None:
        return SEVERAL
    aim, mean = target(claim), made.mean(claim.metric)
    room = abs(claim.margin - max(aim.low - mean, mean - aim.high, 0.0))
    return next((n for n in range(own + 1, MOST + 1)
                 if student_quantile(1 - ALPHA, spread.freedom + n - own) * spread.sd * math.sqrt(1 + 1 / n) < room),
                None)  # fmt: skip


def _hours(cell: Cell, seeds: int, pace: Pace) -> TableRow:
    epoch = pace.epoch(cell)
    if epoch is None:
        return {}
    factor = seeds * cell.recipe.epochs / 3600
    found = {"hours": epoch.seconds, "hours_low": epoch.low, "hours_high": epoch.high}
    hours = {name: seconds * factor for name, seconds in found.items()}
    return {**hours, "basis": epoch.basis, "machine": str(pace.machine)}


def _setting(cell: Cell, seeds: int, cells: Cells) -> str:
    """The entries of params.yaml that ask for so many seeds: of the run, and of its split if that has to be drawn."""
    of_grid, asked = cell.stage("train").startswith("train@"), list(range(seeds))
    where = "recurnets.recipe" if of_grid else f"{'studies' if cell.study else 'runs'}.{cell.group}.changes"
    run = f"{where}.seeds: {asked}"
    if not cell.split.random or set(asked) <= set(cell.split.seeds):
        return run
    section = next(name for name in ("data", "folders", "subsets") if cell.dataset in getattr(cells, name))
    return f"{section}.{cell.dataset}.seeds: {sorted({*asked, *cell.split.seeds})}; {run}"
