"""What does not go together is said in one sentence before training: images of one's own, a transform, a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stages.cell import Compute
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.train.local import train_cell
from tests.small import small_cell, write_split


@pytest.mark.parametrize(
    ("transform", "said"),
    [
        ({"resize": 16}, r"digits-recurnet1-5: recurnet1 does not take images of 16 x 16 pixels \(.*\); give its"),
        ({"mean": (0.5,) * 3, "std": (0.5,) * 3}, "mean has 3 entries, but the images have 1 channels; correct its"),
        ({"crop": 64}, "a square of 64 pixels was to be cut out of images of 32 x 32; correct its transform"),
    ],
)
def test_images_that_a_network_or_transform_cannot_take_are_refused(
    transform: dict[str, Any], said: str, tmp_path: Path
) -> None:
    layout, cell = Layout(tmp_path), small_cell()
    write_split(layout)
    cell = cell.model_copy(update={"transform": cell.transform.model_copy(update=transform)})
    with pytest.raises(StageError, match=said):
        train_cell(cell, Compute(device="cpu", threads=1), layout)
    assert not layout.training(cell).exists()


def test_seeds_together_in_half_precision_are_refused_where_torch_would_compute_in_another(tmp_path: Path) -> None:
    layout, cell = Layout(tmp_path), small_cell(seeds=(0, 1))
    write_split(layout)
    compute = Compute(device="cpu", precision="bfloat16", seeds_together=2)
    with pytest.raises(StageError, match=r"compute\.precision is bfloat16 .* set seeds_together to 1\.$"):
        train_cell(cell, compute, layout)
    assert not layout.training(cell).exists()
