"""Parameter counts as the documents give them, without training anything."""

from __future__ import annotations

import pytest
import torch

from models.registry import build, models
from stages.compare.parameter_counts import count, size_rows
from stages.compare.shapes import of_shapes
from stages.documents.claims import Claim, load_claims
from stages.documents.exhibits import Size
from stages.documents.paper import PAPERS, load_papers


@pytest.mark.parametrize("paper", [paper for paper in load_papers() if paper.sizes], ids=lambda paper: paper.id)
def test_every_published_count_but_one_is_that_of_the_network(paper) -> None:
    rows = size_rows(paper.sizes, load_claims(PAPERS / paper.id / "claims.csv", paper))
    wrong = [(row["network"], row["published"], row["counted"]) for row in rows if row["outcome"] == "different"]
    assert wrong == ([("Experiment-2, 1 channel", "0.611m", 610_122)] if paper.id == "recurnets" else [])
    printed = {(row["network"], row["published"]) for row in rows if row["outcome"] == "equal" and row.get("claims")}
    assert printed == {
        "recurnets": {
            ("Experiment-1, 3 channels", "0.136m"),
            ("Experiment-1, 1 channel", "0.135m"),
            ("Experiment-2, 3 channels", "0.611m"),
        },
        "gunn": {("GUNN-15 in Keras, trainable", "772,686")},
    }.get(paper.id, set())


@pytest.mark.parametrize("name", models())
def test_a_network_of_shapes_has_those_of_the_network_and_no_values(name: str) -> None:
    shapes, network = of_shapes(name, 3, 10, {}).state_dict(), build(name, 3, 10, {}).state_dict()
    assert {key: value.shape for key, value in shapes.items()} == {key: value.shape for key, value in network.items()}
    assert all(value.is_meta for value in shapes.values())


@pytest.mark.parametrize(
    ("published", "outcome"), [("0.005m", "equal"), ("0.006m", "different"), ("5,306", "equal"), ("5,307", "different")]
)
def test_a_count_in_claims_csv_is_compared_as_it_was_printed(published: str, outcome: str) -> None:
    scale, unit = (1e6, 1000) if published.endswith("m") else (1, 1)
    value = float(published.rstrip("m").replace(",", "")) * scale
    claim = Claim(
        id="a", table="1", row="A", column="Parameters", run="net-a", metric="parameters", published=published,
        value=value, unit="count", precision=unit, rounding="rounded" if unit > 1 else None, margin=0, better="equal",
    )  # fmt: skip
    size = Size(title="x", model="resnet", channels=3, classes=10, runs="net-*")
    (row,) = size_rows([size], [claim])
    assert (row["published"], row["counted"], row["outcome"]) == (published, 5306, outcome)
    (other,) = size_rows([size], [claim.model_copy(update={"run": "other"})])
    assert other["outcome"] == "not published"


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
