"""Which runs of another team can be compared with ours; of the others, why not.

A run of theirs fits if its recipe is that of today's run of this name, apart from the seeds, and if it was trained on
the same data: the same hash, and the same labels of the test images. Seeds that repeat a computation of ours are left
out of the test, for they say nothing new: those with a fingerprint of ours, those of the same number and code where
there are no fingerprints, and those of the same number that came out the same to the last digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stages.cell import Cell
from stages.core.errors import StageError
from stages.documents.paper import flatten
from stages.params import Cells
from stages.results.cell_result import CellResult

NOT_HERE = "not run here"
FREE = {"key", "study", "recipe.seeds", "split.seeds", "split.folder", "split.store"}  # decide no seed's numbers
SHOWN = 3  # entries of a recipe that differ


@dataclass(frozen=True)
class Pairing:
    """A run of theirs beside ours. ``reason``: why it is not compared, else empty.

    ``repeated``: seeds of theirs that repeat a computation of ours; ``new``: their result without them, if any is left.
    """

    theirs: CellResult
    ours: CellResult | None
    reason: str
    repeated: tuple[int, ...] = ()
    new: CellResult | None = None


def paired(theirs: CellResult, ours: CellResult | None, cells: Cells) -> Pairing:
    """A run of theirs beside that of ours with the same name."""
    reason = misfit(theirs, ours, cells)
    if reason or ours is None:
        return Pairing(theirs, ours, reason)
    seeds = theirs.cell.recipe.seeds
    repeated = tuple(seed for seed in seeds if _repeats(theirs, ours, seed))
    left = tuple(seed for seed in seeds if seed not in repeated)
    return Pairing(theirs, ours, "", repeated, of_seeds(theirs, left) if left else None)


def misfit(theirs: CellResult, ours: CellResult | None, cells: Cells) -> str:
    """Why a run of theirs cannot be compared with ours; empty if it can."""
    try:
        cell = cells.cell(theirs.cell.key)
    except StageError:
        return "no run of this name here"
    if apart := recipe_differences(theirs.cell, cell):
        more = f" and {len(apart) - SHOWN} more" if len(apart) > SHOWN else ""
        return f"other recipe: {'; '.join(apart[:SHOWN])}{more}"
    if ours is None:
        return NOT_HERE
    if theirs.run.data_sha256 != ours.run.data_sha256 or theirs.metrics.classes != ours.metrics.classes:
        return "other data: their hash is another"
    if theirs.predicted["true"].tolist() != ours.predicted["true"].tolist():
        return "other data: their test images have other labels"
    return ""


def recipe_differences(theirs: Cell, ours: Cell) -> list[str]:
    """The settings in which two runs differ, each as a phrase; not their seeds."""
    here, there = (flatten(cell.model_dump(mode="json")) for cell in (ours, theirs))
    names = [name for name in dict.fromkeys([*here, *there]) if name not in FREE]
    return [
        f"{name} is {_told(there.get(name))} there, {_told(here.get(name))} here"
        for name in names
        if there.get(name) != here.get(name)
    ]


def _told(value: object) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _repeats(theirs: CellResult, ours: CellResult, seed: int) -> bool:
    """Whether a seed of theirs is a computation that was made here, too."""
    prints = theirs.run.seeds.get(seed), ours.run.seeds.values()
    if prints[0] is not None and prints[0] in prints[1]:
        return True
    if seed not in ours.cell.recipe.seeds:
        return False
    same_code = theirs.run.code_sha256 == ours.run.code_sha256
    losses = [next(each.loss for each in side.metrics.seeds if each.seed == seed) for side in (theirs, ours)]
    return (same_code and prints[0] is None) or losses[0] == losses[1]


def of_seeds(result: CellResult, seeds: Sequence[int]) -> CellResult:
    """The result of some of its seeds only."""
    recipe = result.cell.recipe.model_copy(update={"seeds": tuple(seeds)})
    scores = tuple(each for each in result.metrics.seeds if each.seed in seeds)
    return replace(
        result,
        cell=result.cell.model_copy(update={"recipe": recipe}),
        metrics=result.metrics.model_copy(update={"seeds": scores}),
    )
