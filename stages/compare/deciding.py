"""What would decide a number that no full run here has decided: which run, how many seeds, about how many hours."""

from __future__ import annotations

import math

from stages.cell import Cell
from stages.compare.columns import TableRow
from stages.compare.intervals import EQUIVALENCE, student_quantile
from stages.compare.pace import Pace
from stages.compare.scale import FULL, differences
from stages.compare.side_by_side import Beside
from stages.compare.verdicts import INCONCLUSIVE, interval_of, target
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.documents.claims import Claim
from stages.params import Cells
from stages.results.cell_result import CellResult

SEVERAL = 3  # the fewest seeds whose interval is worth having: of two, Student's is six times the standard error
MOST = 30  # more are not asked for: the number lies at the edge of its margin
NO_MARGIN = "no margin is declared for it, so that no run decides it"
NO_CELL = "params.yaml has no such run"
OTHER_RECIPE = "needs a run as the document says, which params.yaml does not ask for"
AT_THE_EDGE = f"ours lies so close to the edge of the margin that {MOST} seeds would hardly decide it"


def open_rows(beside: Beside, cells: Cells, pace: Pace, layout: Layout) -> list[TableRow]:
    """A row per published number that takes a run and that no full run here has decided; columns :data:`OPEN_COLUMNS`.

    ``seeds``: in all; ``further``: those of them that were not trained yet, which ``hours`` are of, on the machine of
    the results, from ``hours_low`` to ``hours_high``; ``setting``: the entry of params.yaml that asks for more seeds
    than it does now; ``words``: why no run is named.
    """
    undecided = [
        claim
        for claim, row in zip(beside.claims, beside.claim_rows, strict=True)
        if claim.run is not None
        and not claim.metric.counted
        and (row["scale"] != FULL or row["verdict"] == INCONCLUSIVE)
    ]
    return [_row(claim, beside, cells, pace, layout) for claim in undecided]


def _row(claim: Claim, beside: Beside, cells: Cells, pace: Pace, layout: Layout) -> TableRow:
    assert claim.run is not None
    row: TableRow = {"id": claim.id, "run": claim.run}
    if claim.margin is None:
        return {**row, "words": NO_MARGIN}
    try:
        cell = cells.cell(claim.run)
    except StageError:
        return {**row, "words": NO_CELL}
    if differences(beside.paper, cell):
        return {**row, "words": OTHER_RECIPE}
    made = beside.ours.get(claim.run)
    seeds = seeds_needed(claim, made)
    if seeds is None:
        return {**row, "words": AT_THE_EDGE}
    further = seeds - (len(made.cell.recipe.seeds) if made else 0)
    home = "" if layout.home.name == "" else f"{layout.home.name}/dvc.yaml:"
    row |= {"seeds": seeds, "further": further, "epochs": cell.recipe.epochs, **_hours(cell, further, pace)}
    setting = _setting(cell, seeds) if seeds > len(cell.recipe.seeds) else ""
    return {**row, "setting": setting, "command": f"dvc repro {home}{cell.stage('evaluate')}"}


def seeds_needed(claim: Claim, made: CellResult | None) -> int | None:
    """How many seeds would give a verdict, should further ones come out as those here; None if :data:`MOST` would not.

    Without a run one seed, if its test images give an interval, else :data:`SEVERAL`; so, too, where one seed was
    inconclusive. With several, as many as make Student's half interval smaller than the way from their mean to the
    nearer edge of the margin.
    """
    assert claim.margin is not None
    if made is None or len(made.cell.recipe.seeds) == 1:
        return 1 if made is None and claim.metric.part == "test" else SEVERAL
    found, aim = interval_of(made, claim.metric), target(claim)
    if found.low is None or found.high is None:
        return None
    outside = max(aim.low - found.mean, found.mean - aim.high, 0.0)
    room = abs(claim.margin - outside)
    deviation = (found.high - found.low) / 2 * math.sqrt(found.seeds) / _quantile(found.seeds)
    enough = (n for n in range(found.seeds + 1, MOST + 1) if _quantile(n) * deviation / math.sqrt(n) < room)
    return next(enough, None)


def _quantile(seeds: int) -> float:
    return student_quantile(0.5 + EQUIVALENCE / 2, seeds - 1)


def _hours(cell: Cell, seeds: int, pace: Pace) -> TableRow:
    epoch = pace.epoch(cell)
    if epoch is None:
        return {}
    factor = seeds * cell.recipe.epochs / 3600
    found = {"hours": epoch.seconds, "hours_low": epoch.low, "hours_high": epoch.high}
    return {**{name: seconds * factor for name, seconds in found.items()}, "basis": epoch.basis}


def _setting(cell: Cell, seeds: int) -> str:
    """The entry of params.yaml that asks for so many seeds."""
    of_grid = cell.stage("train").startswith("train@")
    where = "recurnets.recipe" if of_grid else f"{'studies' if cell.study else 'runs'}.{cell.group}.changes"
    return f"{where}.seeds: {list(range(seeds))}"
