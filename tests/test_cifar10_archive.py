"""CIFAR-10 comes as an archive or unpacked; either way only its official batches land, and nothing beside them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.download import dataset as download
from tests.official_files import contents, fill, pin, small

pytest_plugins = ("tests.loopback",)
pytestmark = pytest.mark.usefixtures("no_network")


def archive_of(files: dict[str, bytes], extra: dict[str, bytes] | None = None) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        named = {f"cifar-10-batches-py/{name}": content for name, content in files.items()}
        for name, content in {**(extra or {}), **named}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.mark.parametrize("place", [".", "cifar10", "cifar-10-batches-py", "cifar10/cifar-10-batches-py"])
def test_a_mirror_may_hold_the_unpacked_batches_in_any_usual_place(
    place: str, layout: Layout, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = small("cifar10")
    pin(monkeypatch, "cifar10", files)
    fill(mirror / place, files)
    download.download(layout, "cifar10")
    assert contents(layout.raw("cifar10")) == files


@pytest.mark.parametrize("place", [".", "cifar10"])
def test_only_the_batches_leave_the_archive(
    place: str, layout: Layout, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = small("cifar10")
    archive = archive_of(files, {"../../outside": b"x", "cifar-10-batches-py/readme.html": b"y", "/absolute": b"z"})
    pin(monkeypatch, "cifar10", files, archive)
    fill(mirror / place, {"cifar-10-python.tar.gz": archive})
    before = set(layout.home.parent.rglob("*"))
    download.download(layout, "cifar10")
    assert contents(layout.raw("cifar10")) == files
    made = {path.name for path in set(layout.home.parent.rglob("*")) - before}
    assert made == {"data", "raw", "cifar10", *files}


def test_an_archive_with_other_batches_is_refused(
    layout: Layout, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = small("cifar10")
    archive = archive_of({**files, "test_batch": b"?" * len(files["test_batch"])})
    pin(monkeypatch, "cifar10", files, archive)
    fill(mirror, {"cifar-10-python.tar.gz": archive})
    with pytest.raises(StageError, match=r"test_batch .* in cifar-10-python.tar.gz is not as published: MD5"):
        download.download(layout, "cifar10")
    assert "test_batch" not in contents(layout.raw("cifar10"))


def test_an_archive_without_a_batch_is_refused(layout: Layout, mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = small("cifar10")
    archive = archive_of({name: content for name, content in files.items() if name != "data_batch_3"})
    pin(monkeypatch, "cifar10", files, archive)
    fill(mirror, {"cifar-10-python.tar.gz": archive})
    with pytest.raises(StageError, match="does not hold cifar-10-batches-py/data_batch_3"):
        download.download(layout, "cifar10")
