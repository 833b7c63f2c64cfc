"""A folder of photographs of all sizes: asked for, recorded, split, trained and evaluated; a broken one is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image

from commands.add_imagenet import add
from stages.cell import Compute, Transform
from stages.compare.scale import differences
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.documents.paper import PAPERS, load_paper
from stages.download.dataset import download
from stages.evaluate.cell import evaluate_cell
from stages.learning.batches import load_images, ordered_batches, training_batches
from stages.params import Params, load_params
from stages.split.__main__ import main as split
from stages.splits.format import read_split
from stages.splits.streams import numpy_stream
from stages.train import local as train
from tests.small import REPOSITORY

CLASSES = ("n01440764", "n01443537", "n01484850")

pytestmark = pytest.mark.slow


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Three classes of four training and two validation images with odd sizes; one of them is greyscale."""
    draws = numpy_stream("photographs")
    for part, count in (("train", 4), ("val", 2)):
        for name in CLASSES:
            folder = tmp_path / "ILSVRC2012" / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                height, width = draws.integers(40, 90, 2)
                coarse = Image.fromarray(draws.integers(0, 256, (6, 6, 3), np.uint8))
                picture = coarse.resize((int(width), int(height)))
                grey = (part, name, number) == ("train", CLASSES[1], 2)
                (picture.convert("L") if grey else picture).save(folder / f"{name}_{number}.JPEG", quality=95)
    return tmp_path / "ILSVRC2012"


@pytest.fixture
def home(tmp_path: Path) -> Layout:
    folder = tmp_path / "full"
    folder.mkdir()
    for name in ("params.yaml", "imagenet.yaml"):
        (folder / name).write_bytes((REPOSITORY / "full" / name).read_bytes())
    return Layout(folder)


def made(home: Layout, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Record and split the photographs as the pipeline does."""
    download(home, "imagenet")
    monkeypatch.setattr("sys.argv", ["split", str(home.home), "imagenet"])
    split()
    return load_params(home.params)


def small(home: Layout) -> None:
    """Networks and images that train in a second."""
    params = yaml.safe_load(home.params.read_text())
    params["recipes"]["cnn-gru"] |= {"epochs": 1, "batch_size": 4, "test_batch_size": 3}
    params["transforms"]["imagenet"] |= {"resize": 40, "crop": 32}
    for key in ("imagenet-lrcn", "imagenet-cnn-gru"):
        params["runs"][key]["model"]["options"] |= {"width": 0.05, "hidden": 8, "layers": 3, "stages": 3}
    home.params.write_text(yaml.safe_dump(params, sort_keys=False))


def test_asking_for_imagenet_adds_its_runs_at_full_scale_and_nothing_else(home: Layout, photographs: Path) -> None:
    before = home.params.read_text()
    assert add(home, photographs) == 18
    params = load_params(home.params)
    paper = load_paper(PAPERS / "cnn-gru")
    wanted = [run for run in paper.runs if run.startswith("imagenet-")]
    assert all(differences(paper, params.cell(run)) == {} for run in wanted)
    added = home.params.read_text()
    kept = [line for line in before.splitlines() if not line.startswith("folders:")]
    lines = iter(added.splitlines())
    assert all(any(line == candidate for candidate in lines) for line in kept)  # in their order, comments included
    add(home, photographs)
    assert home.params.read_text() == added


def test_photographs_are_trained_on_and_evaluated(home: Layout, photographs: Path, monkeypatch) -> None:
    add(home, photographs)
    small(home)
    params = made(home, monkeypatch)
    composition = pd.read_csv(home.composition("imagenet") / "composition.csv")
    assert composition.groupby("part")["images"].sum().to_dict() == {"train": 12, "test": 6}
    for key in ("imagenet-cnn-gru", "imagenet-lrcn"):
        cell = params.cell(key)
        train.train_cell(cell, Compute(device="cpu", threads=1), home)
        evaluate_cell(cell, Compute(device="cpu", threads=1), home)
        metrics = json.loads((home.evaluation(cell) / "metrics.json").read_text())
        assert metrics["test_images"] == 6
        assert metrics["classes"] == 3


def test_images_are_those_of_a_plain_loop(home: Layout, photographs: Path, monkeypatch) -> None:
    add(home, photographs)
    params = made(home, monkeypatch)
    cell = params.cell("imagenet-cnn-gru")
    transform = Transform(resize=40, crop=32, flip=True, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    part = read_split(home.data("imagenet")).test
    images = load_images(part, transform, torch.device("cpu"), training=False, noise_seed=0)
    ours = torch.cat([batch.pixels for batch in ordered_batches(images, 4)])
    files = sorted((photographs / "val").glob("*/*"))
    for path, pixels in zip(files, ours, strict=True):
        small_one = Image.open(path).convert("RGB").resize((40, 40), Image.Resampling.BILINEAR)
        values = np.asarray(small_one)[4:36, 4:36] / 255
        expected = (values - np.array(transform.mean)) / np.array(transform.std)
        np.testing.assert_allclose(pixels.permute(1, 2, 0).numpy(), expected, rtol=0, atol=1e-5)
    images = load_images(part, transform, torch.device("cpu"), training=True, noise_seed=0)
    again = [torch.cat([b.pixels for b in training_batches(images, cell.recipe, 0, 0)]) for _ in range(2)]
    assert again[0].shape == (6, 3, 32, 32)
    assert torch.equal(*again)


def test_a_broken_photograph_is_named(home: Layout, photographs: Path, monkeypatch) -> None:
    add(home, photographs)
    broken = photographs / "train" / CLASSES[0] / f"{CLASSES[0]}_1.JPEG"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(StageError, match=rf"{broken.name} cannot be read as an image .*; replace or remove it"):
        made(home, monkeypatch)
    assert not home.data("imagenet").exists()


def test_a_photograph_that_changed_since_it_was_recorded_is_named(home: Layout, photographs: Path, monkeypatch) -> None:
    add(home, photographs)
    download(home, "imagenet")
    changed = photographs / "val" / CLASSES[2] / f"{CLASSES[2]}_0.JPEG"
    Image.new("RGB", (50, 50)).save(changed)
    monkeypatch.setattr("sys.argv", ["split", str(home.home), "imagenet"])
    with pytest.raises(StageError, match=f"{changed.name} was changed since"):
        split()


def test_a_folder_that_is_not_imagenet_changes_nothing(home: Layout, tmp_path: Path) -> None:
    before = home.params.read_bytes()
    with pytest.raises(StageError, match="train is not there"):
        add(home, tmp_path / "nowhere")
    assert home.params.read_bytes() == before
