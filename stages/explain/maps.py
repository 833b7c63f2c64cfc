"""Saliency maps of a run, with the scores of what they are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.cell import Cell
from stages.core.files import atomic_folder
from stages.core.image_sheets import ROWS, write_sheet
from stages.core.layout import Layout
from stages.core.tables import write_csv
from stages.explain.saliency import (
    deletion_and_insertion,
    orders,
    random_orders,
    randomised,
    rank_correlation,
    saliency,
)
from stages.learning.assemble import builder, set_weights, test_images
from stages.learning.batches import ordered_batches
from stages.learning.objectives import decided
from stages.learning.weights import load_weights
from stages.params import Explanation
from stages.splits.format import read_split

RANDOM_ORDERS = 5  # per image; the areas at random are their mean
SCORES = ("deletion", "insertion", "random_deletion", "random_insertion")


def run(wanted: Explanation, cell: Cell, layout: Layout) -> None:
    """Write the saliency maps of ``cell``, and their scores."""
    split = read_split(layout.data(cell.dataset))
    images = test_images(cell, split, torch.device("cpu"))
    seed, model, folder = cell.recipe.seeds[0], builder(cell, split)(), layout.training(cell)
    set_weights(model, load_weights(folder, seed), folder)
    model.eval()
    pixels = next(ordered_batches(images, min(wanted.images, len(images)))).pixels.contiguous()
    labels = images.labels[: len(pixels)]
    maps = saliency(model, pixels)
    with atomic_folder(layout.explanation(cell.key)) as folder:
        _write(folder / "scores.csv", scores(model, pixels, labels, maps, wanted, seed))
        _write(folder / "randomised.csv", randomised_rows(model, pixels, maps, seed))
        shown = (pixels.permute(0, 2, 3, 1) * images.std + images.mean).clamp(0, 1)
        write_sheet(folder / "maps.png", sheet_rows(shown, labels, maps, split.classes))


def scores(
    model: nn.Module, pixels: Tensor, labels: Tensor, maps: Tensor, wanted: Explanation, seed: int
) -> list[dict[str, Any]]:
    """The rows of scores.csv."""
    with torch.no_grad():
        predicted = decided(model(pixels)).argmax(dim=1)
    by_map = deletion_and_insertion(model, pixels, orders(maps), wanted.steps)
    at_random = [
        deletion_and_insertion(
            model, pixels, random_orders(len(pixels), maps[0].numel(), RANDOM_ORDERS * seed + draw), wanted.steps
        )
        for draw in range(RANDOM_ORDERS)
    ]
    areas = [*by_map, *(torch.stack(pair).mean(dim=0) for pair in zip(*at_random, strict=True))]
    columns = {name: values.tolist() for name, values in zip(SCORES, areas, strict=True)}
    return [
        {"image": i, "true": int(labels[i]), "predicted": int(predicted[i]), **{n: v[i] for n, v in columns.items()}}
        for i in range(len(pixels))
    ]


def randomised_rows(model: nn.Module, pixels: Tensor, maps: Tensor, seed: int) -> list[dict[str, Any]]:
    """The rows of randomised.csv."""
    return [
        {"layer": name, "rank_correlation": rank_correlation(maps, saliency(other, pixels)).mean().item()}
        for name, other in randomised(model, seed)
    ]


def sheet_rows(
    shown: Tensor, labels: Tensor, maps: Tensor, classes: tuple[str, ...]
) -> list[tuple[str, NDArray[np.uint8]]]:
    """The first image of every class with its map, both in the images' channels, as rows of a sheet."""
    bright = maps / maps.amax(dim=(1, 2), keepdim=True).clamp(min=torch.finfo(maps.dtype).tiny)
    grey = bright[..., None].expand(*maps.shape, shown.shape[3])
    rows = []
    for label in labels.unique().tolist()[:ROWS]:
        index = (labels == label).nonzero()[:5, 0]
        pairs = torch.stack([shown[index], grey[index]], dim=1).flatten(0, 1)
        rows.append((classes[label], (pairs * 255).round().to(torch.uint8).numpy()))
    return rows


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    write_csv(path, rows, list(rows[0]))
