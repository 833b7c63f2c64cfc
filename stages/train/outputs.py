"""What training a cell leaves: its numbers and weights in one folder, what depends on the clock in another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stages.core.files import atomic_folder, write_json
from stages.core.layout import Layout
from stages.core.tables import write_csv
from stages.learning.weights import write_weights
from stages.train.plan import Plan
from stages.train.seeds import TrainedSeed

TIMING_COLUMNS = ("seed", "epoch", "train_seconds", "test_seconds", "joules")


def write_outputs(layout: Layout, wanted: Plan, trained: Mapping[int, TrainedSeed]) -> None:
    """Write both folders, each of them whole or not at all; the seeds in the order of the cell."""
    cell = wanted.cell
    results = [trained[seed] for seed in cell.recipe.seeds]
    with atomic_folder(layout.training(cell)) as folder:
        write_weights(folder, {seed: trained[seed].weights for seed in cell.recipe.seeds})
        write_json(folder / "run.json", {**wanted.identity, **_seeds(wanted, trained)})
        curves = [row for result in results for row in result.history.curves]
        write_csv(folder / "curves.csv", curves, list(curves[0]))
        by_class = [row for result in results for row in result.history.class_curves]
        write_csv(folder / "class_curves.csv", by_class, list(by_class[0]))
    with atomic_folder(layout.training_clock(cell)) as folder:
        write_csv(folder / "timing.csv", (row for result in results for row in result.history.timing), TIMING_COLUMNS)
        machines = {str(seed): trained[seed].environment for seed in cell.recipe.seeds}
        write_json(folder / "environment.json", {"seeds": machines})


def _seeds(wanted: Plan, trained: Mapping[int, TrainedSeed]) -> dict[str, Any]:
    """What run.json says of seeds: their fingerprints, and the machines of those that went on on other hardware."""
    about: dict[str, Any] = {"seeds": {str(seed): name for seed, name in wanted.fingerprints.items()}}
    several = {
        str(seed): trained[seed].environment["machines"]
        for seed in wanted.fingerprints
        if "machines" in trained[seed].environment
    }
    return {**about, "machines": several} if several else about
