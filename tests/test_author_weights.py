"""Weights that a document's authors published: fetched whole, read without running anything, matched, evaluated."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, precision_score
from torch import Tensor, nn

from models.registry import build
from stages.author_weights.evaluate import evaluate_weights
from stages.author_weights.state_dict import partners, read_state_dict
from stages.cell import Compute
from stages.core.errors import StageError
from stages.core.files import read_json
from stages.core.layout import Layout
from stages.documents.author_weights import AuthorWeights
from stages.learning.assemble import test_images as images_of
from stages.learning.batches import ordered_batches
from stages.params import AuthorWeights as Wanted
from stages.results.read import read_author_weights
from stages.splits.format import read_split
from tests.small import REPOSITORY, small_cell, small_params, write_split
from tests.their_weights import CELL, entry

pytest_plugins = ("tests.loopback",)

SHARED = REPOSITORY.parent / "shared"
COMPUTE = Compute(device="cpu", threads=1)
PATH = Path("net.pth")

pytestmark = pytest.mark.slow


class Runs:
    """What a pickle runs when it is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.target),)


def network() -> nn.Module:
    """The network of CELL, whose normalisations have seen images, and which does not always give one answer."""
    torch.manual_seed(7)
    model = build(CELL.architecture, 1, 10, CELL.options)
    images = torch.rand(20, 1, 32, 32) * torch.linspace(0, 2, 20).reshape(-1, 1, 1, 1)
    with torch.no_grad():
        for _ in range(5):
            model.train()(images)
        last = list(model.parameters())[-1]
        last -= model.eval()(images).mean(dim=0)
    for name, value in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            value.fill_(123)
    return model


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """As others might have it: other names of the layers, and tensors of other shapes between those of one."""
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in state))
    numbered = ((f"layer{layers.index(layer)}.{kind}", state[f"{layer}.{kind}"]) for layer, _, kind in
                (name.rpartition(".") for name in state))  # fmt: skip
    return dict(sorted(numbered, key=lambda item: item[1].ndim))  # tensors of one shape stay in their order


def published(layout: Layout, content: object, name: str = "net.pth") -> AuthorWeights:
    """``content`` as `torch.save` writes it, in the place where the download leaves it."""
    path = layout.raw_weights("authors-net") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    raw = path.read_bytes()
    return entry(raw, name)


@pytest.mark.parametrize("architecture", ["recurnet1", "recurnet2"])
def test_by_shape_and_order_every_tensor_finds_its_place_again(architecture: str) -> None:
    """Every tensor is filled with a number of its own."""
    shapes = build(architecture, 1, 10, small_cell(architecture).options).state_dict()
    ours = {name: torch.full_like(value, number) for number, (name, value) in enumerate(shapes.items())}
    theirs = renamed(ours)
    assert [value.shape for value in theirs.values()] != [value.shape for value in ours.values()]
    found = partners(theirs, ours, PATH)
    assert list(found) == list(ours)
    assert sorted(found.values()) == sorted(theirs)
    assert all(torch.equal(theirs[found[name]], value) for name, value in ours.items())


def test_of_tensors_alike_the_order_decides() -> None:
    ours = {"one.weight": torch.zeros(2, 2), "two.weight": torch.zeros(2, 2), "bias": torch.zeros(2)}
    theirs = {"b": torch.ones(2), "w.first": torch.ones(2, 2), "w.second": torch.ones(2, 2)}
    assert partners(theirs, ours, PATH) == {"one.weight": "w.first", "two.weight": "w.second", "bias": "b"}


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        ({"a.weight": (2, 3), "a.bias": (3,)}, r"it has no tensor \(2,\) float32 for layer.bias"),
        ({"a.weight": (2, 3)}, r"it has no tensor \(2,\) float32 for layer.bias"),
        ({"a.weight": (2, 3), "a.bias": (2,), "b.bias": (2,)}, r"no place for b.bias, \(2,\) float32"),
        (
            {"a.weight": (2, 3), "n.running_mean": (2,)},
            "n.running_mean would become layer.bias, which is of another kind",
        ),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(theirs: dict[str, tuple[int, ...]], words: str) -> None:
    ours = {"layer.weight": torch.zeros(2, 3), "layer.bias": torch.zeros(2)}
    with pytest.raises(StageError, match=f"^net.pth does not fit the network of its run: .*{words}; correct `run`"):
        partners({name: torch.zeros(shape) for name, shape in theirs.items()}, ours, PATH)


def test_numbers_of_another_precision_do_not_fit() -> None:
    with pytest.raises(StageError, match=r"it has no tensor \(2,\) float32 for bias"):
        partners({"bias": torch.zeros(2, dtype=torch.float16)}, {"bias": torch.zeros(2)}, PATH)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_dict_is_read_in_its_order(zipped: bool, tmp_path: Path) -> None:
    state = OrderedDict(b=torch.arange(3), a=torch.ones(2, 2))
    torch.save(state, tmp_path / "net.pth", _use_new_zipfile_serialization=zipped)
    read = read_state_dict(tmp_path / "net.pth")
    assert list(read) == ["b", "a"]
    assert all(torch.equal(read[name], value) for name, value in state.items())


@pytest.mark.parametrize("kind", ["bare", "zipped", "as before zip files"])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_code_in_the_file_is_refused_and_not_run(kind: str, tmp_path: Path) -> None:
    ran, path = tmp_path / "ran", tmp_path / "net.pth"
    content = {"weight": torch.ones(2), "extra": Runs(ran)}
    if kind == "bare":
        path.write_bytes(pickle.dumps(Runs(ran)))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zipped")
    with pytest.raises(StageError, match=r"net\.pth is not a plain state dict: it holds something else than tensors"):
        read_state_dict(path)
    assert not ran.exists()
    torch.load(path, weights_only=False) if kind != "bare" else pickle.loads(path.read_bytes())  # noqa: S301
    assert ran.exists(), "the file would have run something"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (nn.Linear(2, 2), "is not a plain state dict: it holds something else than tensors"),
        ([torch.ones(2)], "holds a list where a state dict with tensors was expected"),
        ({}, "holds a dict where a state dict with tensors was expected"),
        ({"epoch": 3, "weight": torch.ones(2)}, "'epoch' is a int where a tensor was expected"),
        (b"", "is not a plain state dict: it is damaged, or of another format"),
        (b"no weights at all", "is not a plain state dict"),
    ],
)
def test_anything_but_a_state_dict_is_named(content: object, words: str, tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(StageError, match=f"net.pth:? {words}") as error:
        read_state_dict(path)
    assert str(error.value).count(". ") == 0


def test_half_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save({"weight": torch.ones(1000)}, path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(StageError, match=r"net\.pth is not a plain state dict: it is damaged"):
        read_state_dict(path)


@pytest.fixture
def evaluated(tmp_path: Path) -> Layout:
    """A home in which the renamed weights of :func:`network` were evaluated."""
    layout = Layout(tmp_path)
    write_split(layout)
    evaluate_weights(published(layout, renamed(network().state_dict())), CELL, COMPUTE, layout)
    return layout


def test_predictions_and_scores_are_those_of_the_network_that_was_renamed(evaluated: Layout) -> None:
    folder = evaluated.author_weights("authors-net")
    scores, table = read_json(folder / "scores.json"), pd.read_csv(folder / "predicted.csv")
    (batch,) = ordered_batches(images_of(CELL, read_split(evaluated.data("digits")), torch.device("cpu")), 50)
    with torch.inference_mode():
        logits = network().eval()(batch.pixels)
    assert table.predicted.tolist() == logits.argmax(dim=1).tolist()
    assert table.predicted.nunique() > 1
    assert table.true.tolist() == np.load(evaluated.data("digits") / "test_labels.npy").tolist()
    assert scores["right"] == (table.true == table.predicted).sum()
    assert scores["images"] == len(table) == 50
    assert scores["accuracy"] == accuracy_score(table.true, table.predicted)
    asked_of_sklearn = {"average": "weighted", "zero_division": 0}
    precision = precision_score(table.true, table.predicted, **asked_of_sklearn)
    f1 = f1_score(table.true, table.predicted, **asked_of_sklearn)
    assert scores["precision_weighted"] == pytest.approx(precision, abs=1e-12)
    assert scores["f1_weighted"] == pytest.approx(f1, abs=1e-12)
    loss = nn.functional.cross_entropy(logits.double(), batch.labels).item()
    assert scores["loss"] == pytest.approx(loss, rel=1e-5)


def test_counters_stand_beside_what_the_recipe_gives_where_a_layer_is_used_twice(evaluated: Layout) -> None:
    """Depth 5 runs the block twice, and the head's normalisation on both; 50 images, 16 at a time, 3 epochs."""
    batches = read_json(evaluated.author_weights("authors-net") / "scores.json")["batches"]
    assert [(norm["layer"], norm["counted"], norm["expected"]) for norm in batches] == [
        ("stem.2", 123, 3 * 3),
        ("stem.6", 123, 3 * 3),
        ("features.4", 123, 2 * 3 * 3),
    ]


def test_scores_are_read_while_the_parameters_ask_for_them_and_give_the_same_cell(evaluated: Layout) -> None:
    wanted = {"authors-net": Wanted(paper="recurnets", data="digits")}
    (scores,) = read_author_weights(evaluated, small_params().model_copy(update={"author_weights": wanted}))
    assert (scores.id, scores.run, scores.images) == ("authors-net", CELL.key, 50)
    assert read_author_weights(evaluated, small_params()) == ()
    longer = small_params(epochs=4).model_copy(update={"author_weights": wanted})
    assert read_author_weights(evaluated, longer) == ()


def test_another_file_than_the_published_one_is_not_even_opened(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    write_split(layout)
    weights = published(layout, {"extra": Runs(tmp_path / "ran")}).model_copy(update={"sha256": "0" * 64})
    with pytest.raises(
        StageError, match=r"net\.pth is missing or not the published file; `dvc repro` fetches it again"
    ):
        evaluate_weights(weights, CELL, COMPUTE, layout)
    assert not layout.author_weights().exists()
