"""Others' weights in our network, on our test set."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from stages.author_weights.state_dict import partners, read_state_dict
from stages.cell import Cell, Compute
from stages.core.errors import StageError
from stages.core.files import atomic_folder, sha256, write_json
from stages.core.layout import Layout
from stages.core.tables import write_csv
from stages.documents.author_weights import AuthorWeights
from stages.learning.assemble import builder, check_cell, test_images
from stages.learning.batches import Images, steps_per_epoch
from stages.learning.device import choose_device, keep_freed_memory
from stages.learning.inference import measure
from stages.learning.metrics import summary
from stages.splits.format import SplitData, read_split

COUNTER = ".num_batches_tracked"


def evaluate_weights(published: AuthorWeights, cell: Cell, compute: Compute, layout: Layout) -> None:
    """Evaluate ``published`` as weights of ``cell`` and write the folder of its scores, whole or not at all."""
    check_cell(cell)
    path = layout.raw_weights(published.id) / published.file
    if not path.is_file() or sha256(path) != published.sha256:
        raise StageError(f"{path} is missing or not the published file; `dvc repro` fetches it again.")
    split, device = read_split(layout.data(cell.dataset)), choose_device(compute)
    keep_freed_memory()
    images, model = test_images(cell, split, device), builder(cell, split)()
    theirs = read_state_dict(path)
    names = partners(theirs, model.state_dict(), path)
    model.load_state_dict({name: theirs[partner] for name, partner in names.items()})
    batches = trained_batches(model, cell, split, images)
    model.to(device)
    if compute.channels_last:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    measured = measure(model, images, cell.recipe.test_batch_size)
    true, predicted = images.labels.cpu().tolist(), measured.logits.argmax(dim=1).tolist()
    scores = {
        **published.model_dump(include={"id", "sha256", "run"}),
        "cell": cell.model_dump(mode="json"),
        "data_sha256": split.digest,
        "images": len(true),
        "right": int(measured.confusion.trace()),
        "loss": measured.loss,
        **summary(measured.confusion),
        "batches": batches,
        "tensors": names,
    }
    write_scores(layout, published.id, scores, true, predicted)


def trained_batches(model: nn.Module, cell: Cell, split: SplitData, images: Images) -> list[dict[str, Any]]:
    """How many training batches every batch normalisation of ``model`` has counted, and how many the recipe gives.

    The latter: epochs x batches x what one batch adds to the counter of our network, which is more than 1 where a
    layer is used several times.
    """
    trial = deepcopy(model).train()
    with torch.no_grad():  # two images, since batch normalisation cannot be trained on one value per channel
        trial(torch.zeros(2, len(images.mean), *images.side))
    before, after = _counters(model), _counters(trial)
    recipe, trained_on = cell.recipe, split.train(cell.recipe.seeds[0])
    steps = recipe.epochs * steps_per_epoch(len(trained_on.labels), recipe)
    return [
        {"layer": layer, "counted": count, "expected": steps * (after[layer] - count)}
        for layer, count in before.items()
    ]


def _counters(model: nn.Module) -> dict[str, int]:
    values = model.state_dict().items()
    return {name.removesuffix(COUNTER): int(value) for name, value in values if name.endswith(COUNTER)}


def write_scores(layout: Layout, key: str, scores: Mapping[str, Any], true: list[int], predicted: list[int]) -> None:
    """Write the folder of an evaluation."""
    rows = ({"true": label, "predicted": said} for label, said in zip(true, predicted, strict=True))
    with atomic_folder(layout.author_weights(key)) as folder:
        write_json(folder / "scores.json", scores)
        write_csv(folder / "predicted.csv", rows, ("true", "predicted"))
