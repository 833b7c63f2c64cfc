"""Parameter counts as the documents give them, without training anything."""

from __future__ import annotations

import pytest
import torch

from models.registry import build
from stages.compare.parameter_counts import count, size_rows
from stages.documents.exhibits import Size
from stages.documents.paper import load_papers


@pytest.mark.parametrize("paper", [paper for paper in load_papers() if paper.sizes], ids=lambda paper: paper.id)
def test_every_published_count_is_that_of_the_network(paper) -> None:
    rows = size_rows(paper.sizes)
    assert {row["outcome"] for row in rows} <= {"equal", "not published"}
    assert all(row["counted"] == row["published"] for row in rows if row["published"] is not None)


def test_a_count_that_is_off_by_one_is_seen() -> None:
    (row,) = size_rows([Size(title="x", model="resnet", channels=3, classes=10, published=5307)])
    assert (row["counted"], row["outcome"]) == (5306, "different")


def test_the_table_of_figure_6_is_printed_layer_by_layer() -> None:
    (gunn,) = (paper for paper in load_papers() if paper.id == "gunn")
    rows = size_rows(gunn.sizes[:1])
    layers = [row for row in rows if "layer" in row]
    assert len(layers) == 16
    assert sum(row["counted"] for row in layers) == rows[0]["counted"] == 775_334
    assert [row["kind"] for row in layers].count("Gunn2d") == 3


def test_layers_that_do_not_match_the_networks_are_an_error() -> None:
    size = Size(title="x", model="resnet", channels=3, classes=10, layers=(("only", 1),))
    with pytest.raises(ValueError, match="1 layers are listed, the network has 4"):
        size_rows([size])


def test_running_statistics_are_counted_when_asked_for() -> None:
    model = build("cnn_pool", 3, 10, {"width": 0.1})
    channels = sum(module.num_features for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d))
    assert count(model, statistics=True) - count(model, statistics=False) == 2 * channels
