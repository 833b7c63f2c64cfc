"""What reading found in the documents, computed again from what is at hand."""

from __future__ import annotations

import csv
import gzip
import math
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from benchmarks.gradual import SIZES
from models.registry import build
from stages.compare.parameter_counts import count
from stages.documents.author_log import load_author_log
from stages.documents.claims import load_claims
from stages.documents.paper import PAPERS, load_paper
from stages.evaluate.size import macs

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
TEXTS = {
    "recurnets": "000_0f302b666e2991b6.txt",
    "recnet": "001_33c41bedd8255468.txt",
    "cnn-gru": "002_bf07c6d852330a4f.txt",
    "mnist-rnn": "003_2c044955384475dd.txt",
    "gunn": "004_068c83a0c7d8758d.txt",
}


def said(paper: str, opening: str) -> str:
    """The finding that begins with ``opening``, on one line."""
    (found,) = (item.finding for item in load_paper(PAPERS / paper).findings if item.finding.startswith(opening))
    return " ".join(found.split())


def text(paper: str) -> str:
    """The document on one line."""
    path = SHARED / "papers" / "original" / TEXTS[paper]
    if not path.is_file():
        pytest.skip("the documents are not here")
    return " ".join(path.read_text(encoding="utf-8").split())


def published(paper: str) -> dict[str, float]:
    return {claim.id: claim.value for claim in load_claims(PAPERS / paper / "claims.csv", load_paper(PAPERS / paper))}


def operations(name: str, classes: int, **options: object) -> int:
    return macs(build(name, 3, classes, options), torch.zeros(1, 3, 32, 32), training=False)


QUOTED = re.compile(r'"([^"]+?)[.,:]?"')
# Not a sentence of the document: a label of ours, words that the code or another sentence has, a file's name.
OURS = {"first column", "underperformed", "variances", "model.png", "sensitivity.png"}


@pytest.mark.parametrize("paper", TEXTS)
def test_what_a_finding_quotes_stands_in_the_document(paper: str) -> None:
    whole = re.sub(r"[\W_]+", " ", text(paper)).lower()
    for item in load_paper(PAPERS / paper).findings:
        for quoted in QUOTED.findall(" ".join(item.finding.split())):
            assert re.sub(r"[\W_]+", " ", quoted).lower() in whole or quoted in OURS, f"{item.where}: {quoted}"


def test_depth_matters_in_one_sentence_and_not_in_the_other() -> None:
    values = published("recurnets")
    accuracy = {depth: values[f"T5.1-recurnet1-{depth}-accuracy"] for depth in range(4, 9)}
    outstanding, others = {accuracy[4], accuracy[7]}, {accuracy[depth] for depth in (5, 6, 8)}
    assert (outstanding, min(others), max(others)) == ({0.81, 0.82}, 0.72, 0.77)
    assert "the two have 0.81 and 0.82, the other three 0.72 to 0.77" in said("recurnets", '"Depths 4 and 7')


@pytest.mark.parametrize(("channels", "small", "large"), [(3, 135_754, 610_698), (1, 135_178, 610_122)])
def test_the_second_block_takes_four_and_a_half_times_the_parameters(channels: int, small: int, large: int) -> None:
    with torch.device("meta"):
        counts = [count(build(name, channels, 10, {}), statistics=False) for name in ("recurnet1", "recurnet2")]
    assert counts == [small, large]
    assert round(large / small, 1) == round(0.611 / 0.136, 1) == 4.5


def test_padding_1_would_give_the_same_counts_and_features() -> None:
    network = build("recurnet1", 3, 10, {})
    for layer in network.stem:
        if isinstance(layer, torch.nn.Conv2d):
            assert layer.padding == (0, 0)
            layer.padding = (1, 1)
    assert network.features(network.recurrent(network.stem(torch.zeros(2, 3, 32, 32)))).flatten(1).shape == (2, 512)


def test_vgg16_has_138_million_parameters() -> None:
    maps = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    layers = [9 * a * b + b for a, b in pairwise(maps)]
    layers += [a * b + b for a, b in ((49 * 512, 4096), (4096, 4096), (4096, 1000))]
    assert f"{sum(layers):,}" in said("recurnets", "VGG-16")


def test_nine_classes_of_ten_are_listed() -> None:
    listed = text("recurnets").partition("The classes are as follows: ")[2].partition(")")[0]
    assert len(re.split(", | and ", listed)) == 9
    assert "dog" not in listed


def test_the_printed_address_is_not_the_repositorys() -> None:
    printed = text("recurnets").partition("https://github.com/")[2].partition("/tree/")[0]
    owner, repository = load_paper(PAPERS / "recurnets").code.split("/")[-2:]
    assert printed.split("/")[0] == owner
    assert printed.split("/")[1] != repository
    assert repository in said("recurnets", "The printed address")


def test_what_the_authors_networks_reach_on_mnist() -> None:
    log = load_author_log(PAPERS / "recurnets")
    last = log[log["run"].str.startswith("mnist-recurnet2")].groupby("run")["test_accuracy"].last()
    assert f"{100 * last.min():.2f} to {100 * last.max():.2f} %" in said("recurnets", "Byerly")


def test_operations_grow_with_depth_at_the_same_size() -> None:
    finding = said("recurnets", '"Exponentially')
    image = torch.zeros(1, 3, 32, 32)
    grown = [macs(build("recurnet1", 3, 10, {"depth": d}), image, training=True) / 1e6 for d in (4, 8)]
    assert "from {:.0f} to {:.0f} million in Experiment 1".format(*grown) in finding
    once = macs(build("recurnet2", 3, 10, {"depth": 4}), image, training=True)
    stem = 32 * 32 * 9 * (3 * 32 + 32 * 64)  # all else is computed on each of the five iterates in the code
    assert f"from {once / 1e6:.0f} to {(stem + 5 * (once - stem)) / 1e6:,.0f} million in Experiment 2" in finding


def test_hours_of_the_authors_runs() -> None:
    cells = pd.read_csv(PAPERS / "recurnets" / "author_cells.csv")
    hours = cells["seconds_per_epoch"].groupby(cells["run"].str.split("-").str[1]).agg(["min", "max"]) * 200 / 3600
    for name, where in (("recurnet1", "hours in Experiment 1"), ("recurnet2", "hours in Experiment 2")):
        low, high = hours.loc[name]
        assert f"{low:.1f} to {high:.1f} {where}" in said("recurnets", '"Around 2 hours')


def test_the_authors_weights_are_of_mnist_at_depth_4_with_padding_0() -> None:
    """On the first 500 test images; all of them take minutes."""
    weights, digits = SHARED / "authors" / "recurnets" / "cifar_net.pth", SHARED / "datasets" / "mnist"
    if not weights.is_file() or not digits.is_dir():
        pytest.skip("the authors' weights or MNIST are not here")
    state = torch.load(weights, weights_only=True, map_location="cpu")
    assert {int(value) for name, value in state.items() if name.endswith("num_batches_tracked")} == {200 * 468}
    network = build("recurnet1", 1, 10, {"depth": 4}).eval()
    network.load_state_dict(dict(zip(network.state_dict(), state.values(), strict=True)))
    pixels, labels = (
        np.frombuffer(gzip.decompress((digits / f"t10k-{name}-ubyte.gz").read_bytes()), np.uint8, offset=offset)
        for name, offset in (("images-idx3", 16), ("labels-idx1", 8))
    )
    some = pixels.reshape(-1, 28, 28)[:500]
    scaled = np.stack([np.asarray(Image.fromarray(i).resize((32, 32), Image.Resampling.BILINEAR)) for i in some])
    images = ((torch.from_numpy(scaled).float() / 255 - 0.1307) / 0.3081)[:, None]
    right = []
    for padding in (0, 1):
        for layer in (network.stem[0], network.stem[4]):
            layer.padding = (padding, padding)
        with torch.inference_mode():
            right.append((network(images).argmax(1).numpy() == labels[:500]).sum())
    assert right[0] >= 0.98 * 500
    assert right[0] > right[1] + 5


def test_the_gradual_layers_as_loops_need_what_an_ordinary_bottleneck_needs() -> None:
    """Per group a 1x1 and a 3x3 convolution of all n channels, then n times a 1x1 convolution to one channel."""
    loops = [side**2 * (n // 20 * (1 + 9) * n * 20 + n * n) for n, side in SIZES]
    ordinary = [side**2 * (1 + 9 + 1) * n * n for n, side in SIZES]
    assert loops == ordinary
    finding = said("gunn", '"Does not increase')
    assert f"{loops[0]:,}" in finding
    whole = {layer: operations("gunn15_keras", 3, layer=layer) for layer in ("gunn", "sunn", "sunn_matched")}
    assert f"{whole['sunn'] / 1e6:,.0f} million either way, and {whole['gunn'] / 1e6:.0f} million" in finding
    assert f"with which the network needs {whole['sunn_matched'] / 1e6:.0f} million" in finding


def test_how_many_labels_of_gunn_are_the_first_column() -> None:
    folder = SHARED / "datasets" / "cifar10"
    if not folder.is_dir():
        pytest.skip("CIFAR-10 is not here")
    lines = (line for part in range(1, 6) for line in (folder / f"data_batch_{part}.txt").read_text().splitlines())
    three = [label for label in (int(line.split()[0]) for line in lines) if label < 3][:5000]
    first = [sum(label < 2 for label in part) for part in (three[:100], three)]  # no column, or the first
    assert first == [71, 3299]
    assert "71 of the 100 test images" in said("gunn", "With the labels")
    assert "3,299 of the 5,000 training images" in said("gunn", "With the labels")


def test_efficiency_is_claimed_seven_times_and_can_be_counted() -> None:
    finding = said("cnn-gru", '"Computational efficiency"')
    names = {"cnn_gru": "an image takes", "cnn": "the CNN's", "rnn": "the RNN's"}
    for name, words in names.items():
        assert f"{words} {operations(name, 10) / 1e6:.0f} million" in finding
    video = [operations(name, 10) / 1e6 for name in ("lrcn", "tsn")]
    assert "{:.0f} and {:.0f} million".format(*video) in finding
    assert f"{operations('cnn_pool', 10) / 1e6:.0f} million" in finding
    with torch.device("meta"):
        for name in names:
            assert f"({count(build(name, 3, 10, {}), statistics=False):,})" in finding
    assert text("cnn-gru").count("computational efficiency") == 7


def test_irms_gain_over_images() -> None:
    finding = said("mnist-rnn", "The gain of IRM")
    values = published("mnist-rnn")
    right = [
        round(10_000 * values["TV-lstm-generalized-test_accuracy"]),
        round(10_000 * values["TIV-lstm-unbalanced-test_accuracy"]),
    ]
    gain = right[0] - right[1]
    assert f"{gain} of 10,000" in finding
    fewest, most = gain, sum(10_000 - each for each in right)
    for images in (fewest, most):
        error = math.sqrt(images - gain**2 / 10_000) / 10_000  # of b - c over n, where b + c images differ
        assert f"{100 * error:.2f}" in finding
        assert f"({images}" in finding


def test_what_the_log_says_of_the_elman_network() -> None:
    log = load_author_log(PAPERS / "mnist-rnn")
    elman = log[log["run"] == "elman"].reset_index(drop=True)
    best = elman["test_loss_sum"].idxmin()
    reached = elman.index[elman["train_accuracy"] >= 0.99][0]
    finding = said("mnist-rnn", '"Elman network converges')
    assert f"first reached at epoch {reached + 1}" in finding
    assert f"lowest at epoch {best + 1} ({elman['test_loss_sum'][best]:.4f})" in finding


def test_the_largest_difference_on_the_labels_that_were_kept() -> None:
    values = published("mnist-rnn")
    runs = ("unbalanced", "augmented", "generalized", "combined")
    spread = {
        label: max(row) - min(row)
        for label in range(5, 10)
        for row in [[values[f"TVI-lstm-{run}-test_recall_{label}"] for run in runs]]
    }
    label = max(spread, key=spread.__getitem__)
    images = int(values[f"TIII-lstm-unbalanced-test_images_{label}"])
    whole = (
        f"{100 * spread[label]:.2f} points per class (label {label}, {spread[label] * images:.0f} of {images} images)"
    )
    assert whole in said("mnist-rnn", "On labels 5 to 9")


def test_the_reduced_run_of_recnet_is_in_scores_csv() -> None:
    with (ROOT / "scores.csv").open(newline="") as stream:
        scores = {row["key"]: row for row in csv.DictReader(stream)}
    shared, own = ([float(scores[key][part]) for part in ("train_accuracy", "test_accuracy")]
                   for key in ("recnet", "recnet-own-norms"))  # fmt: skip
    finding = said("recnet", "A batch normalisation")
    assert "more than 97 % of the training and fewer than 25 % of the test images" in finding
    assert shared[0] > 0.97 and shared[1] < 0.25
    assert "with one per iteration on more than 90 % of both" in finding
    assert min(own) > 0.9
