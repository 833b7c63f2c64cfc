"""How far the seeds are that a plan is about: kept ones are complete, others have come as far as their checkpoints."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from commands.plan.order import Unit
from commands.plan.work import has_split
from stages.cell import Cell
from stages.compare.pace import Pace
from stages.core.layout import Layout
from stages.learning.batches import steps_per_epoch
from stages.learning.engine import History
from stages.params import Params
from stages.train.checkpoint import DamagedError
from stages.train.course import machines_of, record_started
from stages.train.local import CellTraining
from stages.train.plan import plan
from stages.train.recorded import Recorded
from stages.train.seeds import KEPT, kept_seeds


def trained_epochs(units: Iterable[Unit], params: Params, layout: Layout) -> dict[Unit, int]:
    """Whole epochs of every one of ``units`` that has some here; what only a checkpoint has of them is recorded."""
    found: dict[Unit, int] = {}
    seeds: dict[str, list[int]] = {}
    for key, seed in units:
        seeds.setdefault(key, []).append(seed)
    for key, wanted in seeds.items():
        cell = with_seeds(params.cell(key), wanted)
        if has_split(cell.dataset, layout):
            found |= _of_cell(cell, params, layout)
        else:  # of what data the weights are cannot be asked
            there = [n for n in cell.recipe.seeds if (layout.training(cell) / f"seed-{n}.safetensors").is_file()]
            found |= {(key, seed): cell.recipe.epochs for seed in there}
    return found


def trained_exactly(units: Collection[Unit], params: Params, layout: Layout, pace: Pace) -> dict[Unit, float]:
    """Epochs of every one of ``units``, with the part of the last one that a checkpoint has, if its split is here."""
    found: dict[Unit, float] = {**dict.fromkeys(units, 0), **trained_epochs(units, params, layout)}
    for key, seed in units:
        cell = with_seeds(params.cell(key), [seed])
        images = pace.images(cell)
        if images is None or seed not in cell.recipe.seeds or not has_split(cell.dataset, layout):
            continue
        state = _state(CellTraining(plan(cell, params.compute, layout), layout), seed)
        if state is not None:
            found[key, seed] += state["step"] / steps_per_epoch(images[0], cell.recipe)
    return found


def with_seeds(cell: Cell, seeds: Iterable[int]) -> Cell:
    """The cell with other seeds; of a random split those that it is drawn for."""
    drawn = [seed for seed in sorted(set(seeds)) if not cell.split.random or seed in cell.split.seeds]
    return cell.model_copy(update={"recipe": cell.recipe.model_copy(update={"seeds": tuple(drawn)})})


def _of_cell(cell: Cell, params: Params, layout: Layout) -> dict[Unit, int]:
    wanted, kept = plan(cell, params.compute, layout), kept_seeds(layout.home)
    training, found = CellTraining(wanted, layout), {}
    with Recorded(cell, layout) as recorded:
        for seed, name in wanted.fingerprints.items():
            if (kept.path(name) / KEPT).is_file() or recorded.find(name, seed) is not None:
                found[cell.key, seed] = cell.recipe.epochs
            elif (state := _state(training, seed)) is not None and state["epoch"]:
                found[cell.key, seed] = state["epoch"]
                machines = state.get("machines") or machines_of(training.environment)
                record_started(layout, wanted, {seed: History(**state["histories"][seed])}, machines)
    return found


def _state(training: CellTraining, seed: int) -> dict[str, Any] | None:
    try:
        return training.checkpoint([seed]).load()
    except DamagedError:
        return None
