"""Fixtures of the download tests: a home, a mirror and a web server, all on this machine.."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from stages.core.layout import Layout
from stages.core.torchvision_import import load_torchvision
from stages.download import dataset as download

ROOT = Path(__file__).parents[1]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every published place is a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{probe.getsockname()[1]}/"
    known = load_torchvision().datasets
    monkeypatch.setattr(known.MNIST, "mirrors", [nowhere])
    monkeypatch.setattr(known.CIFAR10, "url", nowhere + "cifar-10-python.tar.gz")
    for part in ("train", "test"):
        _, name, md5 = known.SVHN.split_list[part]
        monkeypatch.setitem(known.SVHN.split_list, part, [nowhere + name, name, md5])
    monkeypatch.setattr(download, "MORE_MNIST", (nowhere + "other/",))
    monkeypatch.setattr(download, "MORE_CIFAR10", ())
    monkeypatch.delenv("RECURNETS_MIRROR", raising=False)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    home = tmp_path / "home"
    home.mkdir()
    (home / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    return Layout(home)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv("RECURNETS_MIRROR", str(folder))
    return folder


class Quiet(SimpleHTTPRequestHandler):
    asked: list[str]

    def log_message(self, *arguments: object) -> None:
        type(self).asked.append(self.path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """A loopback web server: its URL, its folder, and the paths that it was asked for."""
    folder = tmp_path / "www"
    folder.mkdir()
    Quiet.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as http:
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", folder, Quiet.asked
        http.shutdown()
        thread.join(5)
