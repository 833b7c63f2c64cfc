"""Published counts, counted: parameters of a network as built, images and classes of a split. Nothing is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from stages.core.tables import read_csv
from stages.documents.paper import Paper
from stages.results.metric import Metric
from stages.splits.facts import OFFICIAL

# Official images by label: dataset, part, label, images.
LABEL_COUNTS = Path(__file__).with_name("label_counts.csv")


def counted(paper: Paper, run: str, metric: Metric, parameters: Mapping[str, int]) -> int | None:
    """What a count of a document's run is, by its recipe; None for what the recipe alone does not decide.

    ``parameters``: those of the networks by run, as built here.
    """
    recipe, _ = paper.recipe_of(run)
    match metric:
        case Metric("parameters"):
            return parameters.get(run)
        case Metric("classes"):
            official = OFFICIAL.get(str(recipe.get("split.source")))
            return len(official.classes) if official and recipe.get("split.classes") is None else None
        case Metric("images", ""):
            parts = [_images(recipe, part, None) for part in ("train", "test")]
            return None if None in parts else sum(part for part in parts if part is not None)
        case Metric("images", part, label=label):
            return _images(recipe, part, label)
    return None


def _images(recipe: Mapping[str, Any], part: str, label: int | None) -> int | None:
    """Images of a part, of ``label`` or of all: floor(fraction * official) of each label that is thinned out."""
    official = _official_labels().get((str(recipe.get("split.source")), part))
    thinned_otherwise = (recipe.get(f"split.{key}") for key in (f"{part}_first", "classes", "noisy_copies"))
    if official is None or any(value is not None for value in thinned_otherwise):
        return None
    if any(key.startswith("split.noisy_copies.") for key in recipe):
        return None
    fraction = {
        each: Fraction(str(recipe.get(f"split.fractions.{each}", 1))) if part == "train" else Fraction(1)
        for each in official
    }
    kept = {each: math.floor(fraction[each] * images) for each, images in official.items()}
    return sum(kept.values()) if label is None else kept.get(label)


@cache
def _official_labels() -> dict[tuple[str, str], dict[int, int]]:
    table = read_csv(LABEL_COUNTS, ("dataset", "part", "label", "images"))
    return {
        (str(dataset), str(part)): dict(zip(rows["label"].astype(int), rows["images"].astype(int), strict=True))
        for (dataset, part), rows in table.groupby(["dataset", "part"])
    }
