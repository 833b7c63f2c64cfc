"""What training a cell comes down to: its data, a fingerprint of every seed, and the seeds that were trained before."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from stages.cell import Cell, Compute
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.learning.assemble import builder, check_cell
from stages.splits.format import SplitData, read_split
from stages.train.code_digest import code_digest
from stages.train.recorded import Recorded
from stages.train.seeds import KeptSeeds, TrainedSeed, fingerprint

ANEW = "RECURNETS_TRAIN_ANEW"


@dataclass(frozen=True)
class Plan:
    """A cell and its split. ``identity``: what run.json says of it. ``fingerprints``: by seed."""

    cell: Cell
    compute: Compute
    split: SplitData
    identity: dict[str, Any]
    fingerprints: dict[int, str]


class Planner:
    """Plans cells of one home; what they share (a split, code, what a seed sees of a split) is read and hashed once."""

    def __init__(self, compute: Compute, layout: Layout) -> None:
        self.compute, self.layout = compute, layout
        self._split = cache(lambda dataset: read_split(layout.data(dataset)))
        self._code = cache(code_digest)
        self._seen = cache(lambda dataset, seed: self._split(dataset).seen_by(seed))

    def plan(self, cell: Cell) -> Plan:
        """What is to be trained; a :class:`StageError` if its architecture or its data are not there or not right."""
        check_cell(cell)
        split, code = self._split(cell.dataset), self._code(cell.architecture)
        with torch.device("meta"):  # shapes, but no values
            parameters = sum(p.numel() for p in builder(cell, split)().parameters())
        identity = {
            "cell": cell.model_dump(mode="json"),
            "data_sha256": split.digest,
            "code_sha256": code,
            "parameters": parameters,
        }
        fingerprints = {
            seed: fingerprint(cell, seed, self._seen(cell.dataset, seed), code, self.compute)
            for seed in cell.recipe.seeds
        }
        return Plan(cell, self.compute, split, identity, fingerprints)


def plan(cell: Cell, compute: Compute, layout: Layout) -> Plan:
    """:meth:`Planner.plan` for a single cell."""
    return Planner(compute, layout).plan(cell)


def trained_before(wanted: Plan, kept: KeptSeeds, layout: Layout) -> dict[int, TrainedSeed]:
    """The seeds that need no training; what only the recorded outputs have is kept from now on."""
    key, seeds = wanted.cell.key, {}
    if os.environ.get(ANEW):
        return {}
    with Recorded(wanted.cell, layout) as recorded:
        for seed, name in wanted.fingerprints.items():
            try:
                before = kept.find(name)
            except StageError as error:
                print(f"{key} seed {seed}: {error} It is not used.", flush=True)
                before = None
            if before is None and (before := recorded.find(name, seed)) is not None:
                kept.keep(name, seed, before)
            if before is not None:
                print(f"{key} seed {seed}: trained before, taken over ({ANEW}=1 trains it again)", flush=True)
                seeds[seed] = before
    return seeds
