"""What the download stage promises: the official bytes, or one sentence and nothing in place."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from stages.core.errors import StageError, run_stage
from stages.core.layout import Layout
from stages.download import dataset as download
from stages.download.__main__ import main
from stages.download.official_files import OFFICIAL_FILES
from tests.official_files import contents, fill, pin, small

pytest_plugins = ("tests.loopback",)
pytestmark = pytest.mark.usefixtures("no_network")


def exit_message(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """What the command line says when it fails; the exit status of a message is 1."""
    monkeypatch.setattr(sys, "argv", ["download", *arguments])
    with pytest.raises(SystemExit) as stopped:
        run_stage(main)
    assert isinstance(stopped.value.code, str)
    return stopped.value.code


@pytest.mark.parametrize("dataset", ["mnist", "svhn", "cifar10"])
@pytest.mark.parametrize("kind", ["folder", "file URL", "http URL"])
def test_a_mirror_may_be_a_folder_or_a_url(
    dataset: str, kind: str, layout: Layout, server: tuple[str, Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder, _ = server
    monkeypatch.setenv(
        "RECURNETS_MIRROR", {"folder": str(folder), "file URL": folder.as_uri() + "/", "http URL": url}[kind]
    )
    files = small(dataset)
    pin(monkeypatch, dataset, files)
    fill(folder / dataset, files)
    download.download(layout, dataset)
    assert contents(layout.raw(dataset)) == files


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "MD5 "),
        (lambda content: content[:-5], "only "),
        (lambda content: content + b"more", "more than "),
    ],
)
def test_a_file_with_other_bytes_is_named_and_not_put_in_place(
    damage: object, reason: str, layout: Layout, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = small("mnist")
    pin(monkeypatch, "mnist", files)
    first = next(iter(files))
    fill(mirror / "mnist", {**files, first: damage(files[first])})  # type: ignore[operator]
    with pytest.raises(StageError) as error:
        download.download(layout, "mnist")
    assert f"{first} ({len(files[first])} bytes, MD5 " in str(error.value)
    assert reason in str(error.value)
    assert contents(layout.raw("mnist")) == {}


def test_sha256_is_checked_beside_md5(layout: Layout, mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = small("mnist")
    pin(monkeypatch, "mnist", files)
    altered = tuple(replace(file, sha256="0" * 64) for file in OFFICIAL_FILES["mnist"])
    monkeypatch.setitem(OFFICIAL_FILES, "mnist", altered)
    fill(mirror / "mnist", files)
    with pytest.raises(StageError, match=hashlib.sha256(next(iter(files.values()))).hexdigest()):
        download.download(layout, "mnist")
    assert contents(layout.raw("mnist")) == {}


def test_the_next_place_is_tried_when_one_fails(
    layout: Layout, server: tuple[str, Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder, _ = server
    files = small("mnist")
    pin(monkeypatch, "mnist", files)
    fill(folder / "good", files)
    fill(folder / "bad", {name: content[:-1] for name, content in files.items()})
    monkeypatch.setattr(download, "MORE_MNIST", (f"{url}/absent/", f"{url}/bad/", f"{url}/good/"))
    download.download(layout, "mnist")
    assert contents(layout.raw("mnist")) == files


def test_nothing_but_the_mirror_is_used_when_there_is_one(
    layout: Layout, mirror: Path, server: tuple[str, Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder, asked = server
    files = small("mnist")
    pin(monkeypatch, "mnist", files)
    fill(folder, files)
    monkeypatch.setattr(download, "MORE_MNIST", (f"{url}/",))
    message = exit_message([str(layout.home), "mnist"], monkeypatch)
    assert asked == []
    assert f"put the official file into RECURNETS_MIRROR={mirror}" in message
    assert message.count("not found") == 2


@pytest.mark.parametrize("dataset", ["mnist", "svhn", "cifar10"])
def test_without_network_and_mirror_one_sentence_says_what_is_missing_and_what_to_do(
    dataset: str, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = exit_message([str(layout.home), dataset], monkeypatch)
    file = download.ARCHIVE if dataset == "cifar10" else OFFICIAL_FILES[dataset][0]
    assert message.startswith(f"error: {file.name} ({file.size} bytes, MD5 ")
    assert file.sha256 in message
    assert "no answer" in message
    assert "refused" in message
    assert "connect to the network, or set RECURNETS_MIRROR to a folder that holds it" in message
    assert len(message.splitlines()) == 1
    assert contents(layout.raw(dataset)) == {}


def test_a_mirror_that_does_not_exist_is_named(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURNETS_MIRROR", "/nowhere/at/all")
    with pytest.raises(StageError, match="RECURNETS_MIRROR=/nowhere/at/all is neither a folder nor a URL"):
        download.download(layout, "mnist")


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_leaves_nothing_half_written(
    call: str, layout: Layout, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = small("mnist")
    pin(monkeypatch, "mnist", files)
    fill(mirror / "mnist", files)
    first = next(iter(files))
    fill(layout.raw("mnist"), {first: b"an older version"})

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if call == "fsync":
        monkeypatch.setattr("stages.core.files.os.fsync", full)
    else:
        monkeypatch.setattr("stages.download.fetch.Progress.advance", full)
    message = exit_message([str(layout.home), "mnist"], monkeypatch)
    assert "No space left on device" in message
    assert contents(layout.raw("mnist")) == {first: b"an older version"}


def test_what_is_there_and_right_is_not_fetched_again(
    layout: Layout, mirror: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = small("svhn")
    pin(monkeypatch, "svhn", files)
    fill(mirror / "svhn", files)
    download.download(layout, "svhn")
    monkeypatch.delenv("RECURNETS_MIRROR")
    capsys.readouterr()
    download.download(layout, "svhn")
    assert "already, verified" in capsys.readouterr().out


def test_a_file_altered_after_the_download_is_replaced(
    layout: Layout, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = small("svhn")
    pin(monkeypatch, "svhn", files)
    fill(mirror / "svhn", files)
    download.download(layout, "svhn")
    altered = layout.raw("svhn") / "test_32x32.mat"
    altered.write_bytes(b"?" * altered.stat().st_size)
    download.download(layout, "svhn")
    assert contents(layout.raw("svhn")) == files


def test_digits_come_with_scikit_learn(layout: Layout) -> None:
    download.download(layout, "digits")
    raw = contents(layout.raw("digits"))
    assert raw["images-idx3-ubyte"][:16].hex() == "00000803" + "00000705" + "00000008" + "00000008"
    # The first image of the bundle, as scikit-learn's documentation prints it.
    assert list(raw["images-idx3-ubyte"][16:24]) == [0, 0, 5, 13, 9, 1, 0, 0]
    assert list(raw["labels-idx1-ubyte"][8:18]) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_other_digits_than_expected_are_refused(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    import sklearn.datasets

    bundle = sklearn.datasets.load_digits()
    bundle.images[0, 0, 2] += 1
    monkeypatch.setattr(sklearn.datasets, "load_digits", lambda: bundle)
    with pytest.raises(StageError, match="the digits of the installed scikit-learn are not those expected"):
        download.download(layout, "digits")
    assert "images-idx3-ubyte" not in contents(layout.raw("digits"))


def test_an_unknown_dataset_is_named_with_those_known(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    message = exit_message([str(layout.home), "cifar100"], monkeypatch)
    assert message.startswith("error: unknown dataset 'cifar100': known are mnist, svhn, cifar10, digits;")


def test_an_image_folder_is_recorded(layout: Layout) -> None:
    folder = layout.home / "pictures"
    for part in ("train", "test"):
        (folder / part / "cats").mkdir(parents=True)
        Image.new("L", (8, 8)).save(folder / part / "cats" / "1.png")
    text = layout.params.read_text().replace("  digits: {}\n", "  digits: {}\n  pets: {folder: pictures}\n")
    layout.params.write_text(text)
    download.download(layout, "pets")
    rows = (layout.raw("pets") / "manifest.csv").read_text().splitlines()
    assert rows[0] == "path,sha256"
    assert [row.split(",")[0] for row in rows[1:]] == ["train/cats/1.png", "test/cats/1.png"]


def test_every_official_file_has_an_md5_and_more_than_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    for dataset in ("mnist", "svhn", "cifar10"):
        places = download.published(dataset)
        assert {file.name for file in OFFICIAL_FILES[dataset]} <= set(places.md5)
        assert all(len(urls) > 1 for urls in places.urls.values())
        assert all(len(file.sha256) == 64 for file in OFFICIAL_FILES[dataset])
