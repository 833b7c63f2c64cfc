"""The unit of training: seeds of one cell that are trained together. Units know nothing of each other.

Whoever trains a unit, on this machine or another, keeps its seeds (:mod:`stages.train.seeds`); the stage `train` then
finds them there, and only has to write its outputs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from stages.train.plan import Plan


@dataclass(frozen=True)
class Task:
    """The ``seeds`` of the cell called ``key``."""

    key: str
    seeds: tuple[int, ...]

    @property
    def name(self) -> str:
        """As people read it, for instance ``lstm seeds 0, 1``."""
        return f"{self.key} seed{'s' if len(self.seeds) > 1 else ''} {', '.join(map(str, self.seeds))}"


def tasks(plans: Sequence[Plan], before: Sequence[Collection[int]], together: int) -> list[Task]:
    """What has to be trained of ``plans``, cell by cell, ``together`` seeds at a time.

    ``before``: the seeds of each that are trained already.
    """
    units = []
    for plan, trained in zip(plans, before, strict=True):
        missing = [seed for seed in plan.fingerprints if seed not in trained]
        units += [Task(plan.cell.key, seeds) for seeds in grouped(missing, together)]
    return units


def grouped(seeds: Sequence[int], together: int) -> list[tuple[int, ...]]:
    """Seeds that are trained at once: ``together`` of them, and what is left."""
    return [tuple(seeds[start : start + together]) for start in range(0, len(seeds), together)]
