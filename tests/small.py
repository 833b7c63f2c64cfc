"""A cell small enough for tests: a few images, a few epochs, a narrow net."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stages.cell import Cell
from stages.cell.recipe import Sgd, WarmupMilestones
from stages.core.files import sha256, sha256_of, write_json
from stages.core.layout import Layout
from stages.params import Params, load_params
from stages.splits.format import PARTS
from stages.splits.streams import numpy_stream

REPOSITORY = Path(__file__).parent.parent


AS_THE_PAPER = {
    "optimizer": Sgd(name="sgd", lr=0.02, momentum=0.9, weight_decay=0.0002),
    "schedule": WarmupMilestones(
        name="warmup_milestones", warmup_epochs=2, warmup_period=5, milestones=(4, 5), gamma=0.1
    ),
}


def small_params(**recipe: Any) -> Params:
    """The default parameters, with a recipe that takes a second and goes as the paper's."""
    params = load_params(REPOSITORY / "params.yaml")
    short = {"epochs": 3, "batch_size": 16, "test_batch_size": 10, **AS_THE_PAPER, **recipe}
    recurnets = params.recurnets.model_copy(update={"recipe": params.recurnets.recipe.model_copy(update=short)})
    return params.model_copy(update={"recurnets": recurnets})


def small_cell(architecture: str = "recurnet1", depth: int = 5, **recipe: Any) -> Cell:
    """A cell of :func:`small_params` on the digits."""
    return small_params(**recipe).cell(f"digits-{architecture}-{depth}")


def write_split(
    layout: Layout, dataset: str = "digits", images: int = 50, side: int = 8, draws: Mapping[int, range] | None = None
) -> None:
    """A made-up split in the documented format: grey images whose brightness goes with their label."""
    folder = layout.data(dataset)
    folder.mkdir(parents=True)
    for part in PARTS:
        stream = numpy_stream("small split", part)
        labels = stream.integers(0, 10, images)
        pixels = stream.integers(0, 30, (images, side, side, 1)) + 22 * labels[:, None, None, None]
        np.save(folder / f"{part}_images.npy", pixels.astype(np.uint8))
        np.save(folder / f"{part}_labels.npy", labels)
    for seed, index in (draws or {}).items():
        np.save(folder / f"draw-{seed}_index.npy", np.array(index))
        np.save(folder / f"draw-{seed}_sigma.npy", np.zeros(len(index), np.float32))
    digests = {path.name: sha256(path) for path in sorted(folder.glob("*.npy"))}
    about = {"name": dataset, "classes": [str(label) for label in range(10)], "draws": list(draws or {})}
    write_json(folder / "dataset.json", {**about, "sha256": digests, "digest": sha256_of(digests)})
