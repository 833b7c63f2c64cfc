"""Weights that a document's authors published: asked for, fetched whole or not at all, evaluated."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.author_weights.asked import asked
from stages.author_weights.download import fetch_weights
from stages.author_weights.evaluate import evaluate_weights
from stages.cell import Compute
from stages.core.errors import StageError
from stages.core.files import read_json
from stages.core.layout import Layout
from stages.documents.paper import load_papers
from stages.download.dataset import download
from stages.params import AuthorWeights as Wanted
from stages.params import load_params
from stages.split.make import make_split
from stages.split.official import read_official
from stages.split.write import write_split as write_official_split
from tests.small import REPOSITORY
from tests.their_weights import entry

pytest_plugins = ("tests.loopback",)

SHARED = REPOSITORY.parent / "shared"
COMPUTE = Compute(device="cpu", threads=1)
RAW = b"the bytes of the authors' file"

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("place", ["authors-net/net.pth", "recurnets/net.pth", "net.pth"])
def test_a_mirror_has_the_file_by_the_name_of_the_entry_or_the_paper_or_its_own(
    place: str, layout: Layout, mirror: Path
) -> None:
    (mirror / place).parent.mkdir(exist_ok=True)
    (mirror / place).write_bytes(RAW)
    fetch_weights(entry(RAW), "recurnets", layout)
    assert (layout.raw_weights("authors-net") / "net.pth").read_bytes() == RAW
    (mirror / place).unlink()
    fetch_weights(entry(RAW), "recurnets", layout)  # what is there already and right is left alone


@pytest.mark.parametrize(
    ("raw", "reason"),
    [(RAW[:-1], f"only {len(RAW) - 1} bytes"), (RAW + b"!", f"more than {len(RAW)} bytes"), (RAW[::-1], "SHA-256 ")],
)
def test_other_bytes_are_refused_in_one_sentence(raw: bytes, reason: str, layout: Layout, mirror: Path) -> None:
    (mirror / "net.pth").write_bytes(raw)
    with pytest.raises(
        StageError, match=rf"^net\.pth \({len(RAW)} bytes, SHA-256 .*{reason}.*put the official file into"
    ):
        fetch_weights(entry(RAW), "recurnets", layout)
    assert not layout.raw_weights("authors-net").joinpath("net.pth").exists()


def test_without_a_network_the_sentence_names_the_mirror(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECURNETS_MIRROR", raising=False)
    monkeypatch.setenv("no_proxy", "*")
    nowhere = entry(RAW).model_copy(update={"url": "http://127.0.0.1:1/net.pth"})
    with pytest.raises(StageError, match=r"no answer .*connect to the network, or set RECURNETS_MIRROR to a folder"):
        fetch_weights(nowhere, "recurnets", layout)


@pytest.mark.parametrize("home", [".", "full"])
def test_every_home_asks_for_weights_that_a_paper_names(home: str) -> None:
    params = load_params(REPOSITORY / home / "params.yaml")
    for key in params.author_weights:
        weights, cell = asked(params, key)
        assert (weights.id, weights.run) == (key, cell.key)


def test_the_full_home_asks_for_all_weights_that_are_known() -> None:
    params = load_params(REPOSITORY / "full" / "params.yaml")
    known = {weights.id: paper.id for paper in load_papers() for weights in paper.author_weights}
    assert {key: wanted.paper for key, wanted in params.author_weights.items()} == known


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({}, "unknown weights 'recurnets-mnist-recurnet1-4': `author_weights` of params.yaml has none"),
        ({"paper": "gunn", "data": "mnist"}, "gunn/paper.yaml has none; correct params.yaml"),
        ({"paper": "recurnets", "data": "svhn"}, "of mnist-recurnet1-4 it is mnist, not svhn"),
        ({"paper": "nothing", "data": "mnist"}, "nothing/paper.yaml is missing"),
    ],
)
def test_what_is_asked_for_and_does_not_exist_is_named(wanted: dict[str, str], words: str) -> None:
    key = "recurnets-mnist-recurnet1-4"
    entries = {key: Wanted(**wanted)} if wanted else {}
    params = load_params(REPOSITORY / "full" / "params.yaml").model_copy(update={"author_weights": entries})
    with pytest.raises(StageError, match=words):
        asked(params, key)


@pytest.mark.skipif(
    not (SHARED / "authors").is_dir(), reason="neither the authors' file nor MNIST beside the repository"
)
def test_the_authors_weights_classify_9896_of_10000_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their log ends at precision .98960775, F1 .98959643 and recall .9896, as 32-bit numbers."""
    layout, params = Layout(tmp_path), load_params(REPOSITORY / "full" / "params.yaml")
    monkeypatch.setenv("RECURNETS_MIRROR", str(SHARED / "datasets"))
    download(layout, "mnist")
    split = make_split("mnist", params.split("mnist"), read_official("mnist", layout.raw("mnist")))
    write_official_split(layout.data("mnist"), params.split("mnist"), split)
    monkeypatch.setenv("RECURNETS_MIRROR", str(SHARED / "authors"))
    weights, cell = asked(params, "recurnets-mnist-recurnet1-4")
    fetch_weights(weights, cell.paper, layout)
    evaluate_weights(weights, cell, COMPUTE, layout)
    scores = read_json(layout.author_weights(weights.id) / "scores.json")
    assert (scores["right"], scores["images"]) == (9896, 10000)
    assert scores["precision_weighted"] == pytest.approx(0.98960775, abs=5e-8)
    assert scores["f1_weighted"] == pytest.approx(0.98959643, abs=5e-8)
    assert [(norm["counted"], norm["expected"]) for norm in scores["batches"]] == 3 * [(93_600, 93_600)]
