"""Saliency maps of a run, with the scores of what they are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.registry import build
from stages.core.errors import StageError
from stages.core.files import atomic_folder, write_text
from stages.core.image_sheets import ROWS, write_sheet
from stages.core.layout import Layout
from stages.explain.saliency import (
    deletion_and_insertion,
    orders,
    random_orders,
    randomised,
    rank_correlation,
    saliency,
)
from stages.learning.batches import load_images, ordered_batches
from stages.learning.objectives import decided
from stages.learning.weights import load_weights
from stages.params import Explanation, Params
from stages.splits.format import read_split

RANDOM_ORDERS = 5  # per image; the areas at random are their mean
SCORES = ("deletion", "insertion", "random_deletion", "random_insertion")


def run(key: str, params: Params, layout: Layout) -> None:
    """Write the outputs for the explanation called ``key``; a :class:`StageError` names an unknown one."""
    if key not in params.explanations:
        raise StageError(f"unknown explanation '{key}': params.yaml has {', '.join(params.explanations)}.")
    wanted, cell = params.explanations[key], params.cell(key)
    if (weights := layout.weights(cell).relative_to(layout.home).as_posix()) != wanted.weights:
        raise StageError(f"key 'explanations.{key}.weights': those of {key} are in {weights}, not in {wanted.weights}.")
    split = read_split(layout.data(cell.dataset))
    images = load_images(split.test, cell.transform, torch.device("cpu"), training=False, noise_seed=0)
    seed = cell.recipe.seeds[0]
    model = build(cell.architecture, split.test.channels, len(split.classes), cell.options)
    model.load_state_dict(load_weights(layout.weights(cell), seed))
    model.eval()
    pixels = next(ordered_batches(images, min(wanted.images, len(images)))).pixels.contiguous()
    labels = images.labels[: len(pixels)]
    maps = saliency(model, pixels)
    with atomic_folder(layout.explanation(key)) as folder:
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
    write_text(path, pd.DataFrame(rows).to_csv(index=False, lineterminator="\n"))
