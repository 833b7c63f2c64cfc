"""What the split stage writes: the arrays that were asked for, tables and sheets, the same bytes every time."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from stages.core.errors import run_stage
from stages.core.layout import Layout
from stages.download.dataset import download
from stages.split import write as stage
from stages.split.__main__ import main
from stages.split.official import read_official
from stages.splits.format import noise, read_split

ROOT = Path(__file__).parents[1]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A home with the digits downloaded, and splits of them."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    copies = {"labels": [0, 1], "sigmas": [0.1, 0.2, 0.3]}
    params["subsets"]["few"] = {"source": "digits", "fractions": {0: 0.1, 1: 0.1}}
    params["subsets"]["copied"] = {**params["subsets"]["few"], "noisy_copies": copies}
    params["data"]["lost"] = {"source": "nothing"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    download(Layout(tmp_path), "digits")
    return Layout(tmp_path)


def run(layout: Layout, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["split", str(layout.home), name])
    run_stage(main)


def every_byte(*folders: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for folder in folders for path in folder.iterdir()}


def test_a_split_on_disk_is_what_was_asked_for(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    run(layout, "digits", monkeypatch)
    official = read_official("digits", layout.raw("digits"))
    written = read_split(layout.data("digits"))
    assert written.name == "digits"
    assert written.classes == tuple("0123456789")
    np.testing.assert_array_equal(written.train(0).images, official.train.images)
    np.testing.assert_array_equal(written.test.labels, official.test.labels)
    assert written.train(0).sigma is None
    about = json.loads((layout.data("digits") / "dataset.json").read_text())
    assert about["counts"] == {"train": 1437, "test": 360}
    assert about["draws"] == []
    for name, digest in about["sha256"].items():
        assert hashlib.sha256((layout.data("digits") / name).read_bytes()).hexdigest() == digest
    assert len(about["sha256"]) == 4
    assert written.digest == about["digest"]
    assert not (layout.composition("digits") / "noise.png").exists()


def test_the_same_split_has_the_same_bytes_in_another_process(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    run(layout, "copied", monkeypatch)
    folders = (layout.data("copied"), layout.composition("copied"))
    first = every_byte(*folders)
    command = [sys.executable, "-m", "stages.split", str(layout.home), "copied"]
    subprocess.run(command, check=True, timeout=60, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "7"})
    assert every_byte(*folders) == first
    assert {"draw-0_index.npy", "draw-0_sigma.npy", "composition.csv", "samples.png", "noise.png"} <= set(first)


def test_the_composition_table_counts_clean_noisy_and_official_images(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(layout, "copied", monkeypatch)
    with (layout.composition("copied") / "composition.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    official = np.bincount(read_official("digits", layout.raw("digits")).train.labels)
    assert list(rows[0]) == ["part", "label", "class", "images", "clean", "noisy", "official"]
    assert [row["part"] for row in rows] == ["train"] * 10 + ["test"] * 10
    for label, row in enumerate(rows[:10]):
        clean = official[label] // 10 if label < 2 else official[label]
        noisy = 3 * clean if label < 2 else 0
        counts = [int(row[key]) for key in ("label", "images", "clean", "noisy", "official")]
        assert counts == [label, clean + noisy, clean, noisy, official[label]]


def test_the_sheets_show_first_images_and_noise(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    run(layout, "copied", monkeypatch)
    written = read_split(layout.data("copied")).train(0)
    assert written.sigma is not None
    sheet = np.asarray(Image.open(layout.composition("copied") / "samples.png"))
    noisy = np.asarray(Image.open(layout.composition("copied") / "noise.png"))
    left = sheet.shape[1] - 10 * 66
    first = written.images[np.flatnonzero(written.labels == 3)[0], :, :, 0]
    np.testing.assert_array_equal(sheet[3 * 66 : 3 * 66 + 64, left : left + 64], np.kron(first, np.ones((8, 8))))
    # Row 1 of the noise sheet is label 1: its first clean image, then that image at 0.1, 0.2, 0.3.
    ones = np.flatnonzero(written.labels == 1)
    last = next(index for index in ones if written.sigma[index] == np.float32(0.3))
    drawn = noise(written.sigma, (8, 8, 1), 0)[last, :, :, 0]
    expected = np.clip(written.images[ones[0], :, :, 0] / 255 + drawn, 0, 1) * 255
    np.testing.assert_allclose(noisy[66:130:8, -66:-2:8], expected, atol=0.51)


def test_unknown_names_are_refused(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"unknown split 'other': params.yaml has .*digits, .*few"):
        run(layout, "other", monkeypatch)
    with pytest.raises(SystemExit, match=r"data\.lost: 'nothing' is none of mnist, svhn, cifar10, digits"):
        run(layout, "lost", monkeypatch)


def test_a_full_disk_leaves_the_split_of_before(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    run(layout, "few", monkeypatch)
    before = every_byte(layout.data("few"))

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(stage, "write_json", full)
    with pytest.raises(SystemExit, match="No space left on device; nothing was left half-written"):
        run(layout, "few", monkeypatch)
    assert every_byte(layout.data("few")) == before
    assert sorted(path.name for path in layout.data("few").parent.iterdir()) == ["few", "raw"]
