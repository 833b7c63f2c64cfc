"""Full, our reading, reduced or not run: whether a run was made as its document says, and where it departs from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from stages.cell import Cell
from stages.documents.paper import Paper, flatten
from stages.results.cell_result import CellResult

FULL, READING, REDUCED, NOT_RUN = "full run", "our reading", "reduced run", "not run"
SCALES = (FULL, READING, REDUCED, NOT_RUN)  # from the best to the poorest
COMPARED = (FULL, READING)  # those that are set against published numbers
# A cell's keys that every recipe leaves free: its name and coordinates, and what no published number depends on.
FREE_KEYS = {
    "key", "study", "paper", "dataset", "architecture", "recipe.seeds", "split.seeds", "split.folder", "split.store"
}  # fmt: skip
ABSENT = "(absent)"


def scale_of(paper: Paper, result: CellResult | None) -> str:
    """The scale of a run; None stands for one of which there is no result."""
    return NOT_RUN if result is None else scale_by(paper, differences(paper, result.cell, result.images))


def scale_by(paper: Paper, apart: Mapping[str, object]) -> str:
    """The scale of a run that departs so from the document's recipe, as :func:`differences` says."""
    if apart:
        return REDUCED
    return READING if paper.reading else FULL


def poorest(scales: Iterable[str]) -> str:
    """The scale of what needs several runs."""
    return max(scales, key=SCALES.index)


def differences(paper: Paper, cell: Cell, images: tuple[int, int] | None = None) -> dict[str, tuple[Any, Any]]:
    """Where a cell departs from the document's recipe: key -> (paper's value, the cell's); empty for a full run.

    ``images``: how many images of each part it was made of, if that is known.

    Every key of the cell counts but :data:`FREE_KEYS`; one of which the document says nothing is a difference once it
    is set to something else than its default. Of a run that the document does not have, only what it says of all such
    runs counts.
    """
    recipe, freed = paper.recipe_of(cell.key)
    ours = cell.model_dump(mode="json")
    known = paper.knows(cell.key)
    pairs: dict[str, tuple[Any, Any]] = {}
    if not known and cell.dataset not in paper.datasets:
        pairs["dataset"] = ", ".join(paper.datasets.values()), cell.dataset
    elif not known:
        pairs["run"] = "not in the document", cell.key
    stated = {key: value for key, value in recipe.items() if key not in FREE_KEYS}
    pairs |= {key: (value, _at(ours, key)) for key, value in json.loads(json.dumps(stated)).items()}
    unusual = flatten(cell.model_dump(mode="json", exclude_defaults=True)) if known else {}
    for key, value in unusual.items():
        said = any(key == name or key.startswith(f"{name}.") for name in (*stated, *freed, *FREE_KEYS))
        if not said and value is not None:
            pairs[key] = ABSENT, value
    if images is not None and cell.dataset in paper.images:
        pairs["images"] = list(paper.images[cell.dataset]), list(images)
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _at(tree: Any, key: str) -> Any:
    """What stands at a dotted key of nested mappings."""
    for part in key.split("."):
        tree = tree.get(part, ABSENT) if isinstance(tree, dict) else ABSENT
    return tree
