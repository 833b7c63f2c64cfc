"""The cluster's driver without a cluster: what it says, gives up, keeps and sends on."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.params import load_params
from stages.train import cluster_driver
from stages.train.cluster_node import SEEDS
from stages.train.plan import ANEW, plan
from stages.train.seeds import kept_seeds
from tests.cluster import KEY, make_home, outputs, train_here, train_on

pytestmark = pytest.mark.slow


def test_without_ray_or_its_cluster_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    with pytest.raises(StageError, match="run on a machine of the cluster, with RAY_ADDRESS=auto"):
        cluster_driver.connect()
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(StageError, match="Ray is not installed; install 'ray' or unset RAY_ADDRESS"):
        cluster_driver.connect()


class Cluster:
    """Stands in for Ray: each of its nodes yields what is given, then dies, if that was not all."""

    class exceptions:  # noqa: N801
        class RayError(Exception): ...

        class RayTaskError(RayError): ...

    cloudpickle = SimpleNamespace(register_pickle_by_value=lambda _: None)

    def __init__(self, *nodes: Sequence[tuple[Any, ...]]) -> None:
        self.left = list(nodes)
        self.sent: list[Mapping[str, bytes]] = []  # of earlier attempts, to each of them

    def remote(self, _: Any) -> Any:
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self.begin))

    def begin(self, files: Mapping[str, bytes], saved: Mapping[str, bytes], key: str, gpu: bool) -> Any:
        self.sent.append(saved)
        return self.node(self.left.pop(0))

    def node(self, items: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        yield from items
        if not any(kind == "ended" for kind, *_ in items):
            raise self.exceptions.RayError

    def wait(self, tasks: Any, timeout: float) -> Any:
        return tasks, []

    def put(self, value: Any) -> Any:
        return value

    get = put

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}


def train(cluster: Cluster, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a stand-in."""
    params = load_params(layout.params)
    monkeypatch.setattr(cluster_driver, "connect", lambda: cluster)
    cluster_driver.train_on_ray(params.cells(KEY), params.compute, layout)


def by_name(layout: Layout) -> dict[str, bytes]:
    """All results of a home, as a node sends them."""
    files = (path for path in layout.results.rglob("*") if path.is_file())
    return {path.relative_to(layout.home).as_posix(): path.read_bytes() for path in files}


def test_after_three_nodes_in_a_row_without_a_new_checkpoint_it_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = make_home(tmp_path)
    saved = ("checkpoint", f".checkpoints/{KEY}/0/seed-0.pt", b"state")
    cluster = Cluster([], [("node", "a"), saved], [], [("node", "c")], [], [("node", "never asked")])
    with pytest.raises(StageError, match="3 nodes in a row were lost before a new checkpoint; see why, then run"):
        train(cluster, layout, monkeypatch)
    assert len(cluster.left) == 1
    onwards, barren = "another node goes on from the last checkpoint", "of 3 lost without a new checkpoint"
    assert capsys.readouterr().out.splitlines() == [
        f"{KEY}: no node yet: lost (RayError); another node starts anew (1 {barren})",
        f"{KEY}: trains on a",
        f"{KEY}: a: lost (RayError); {onwards}",
        f"{KEY}: no node yet: lost (RayError); {onwards} (1 {barren})",
        f"{KEY}: trains on c",
        f"{KEY}: c: lost (RayError); {onwards} (2 {barren})",
        f"{KEY}: no node yet: lost (RayError); no other node is tried",
    ]
    assert (layout.checkpoints / KEY / "0" / "seed-0.pt").read_bytes() == b"state"


def test_a_seed_that_was_finished_before_its_node_died_is_kept_and_sent_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there, here = (make_home(tmp_path / name, epochs=1, seeds=[0, 1]) for name in ("there", "here"))
    expected, params = train_here(there), load_params(here.params)
    made = by_name(there)
    fingerprint = plan(params.cell(KEY), params.compute, here).fingerprints[0]
    folder = kept_seeds(there.home).path(fingerprint)
    name, files = f"{folder.parent.name}/{folder.name}", {path.name: path.read_bytes() for path in folder.iterdir()}
    cluster = Cluster([("node", "a"), ("seed", name, files)], [("node", "b"), ("ended", 0, made)])
    capsys.readouterr()
    train(cluster, here, monkeypatch)
    assert cluster.sent == [{}, {f"{SEEDS}/{name}/{file}": content for file, content in files.items()}]
    assert kept_seeds(here.home).find(fingerprint) is not None
    assert outputs(here) == expected
    assert capsys.readouterr().out.splitlines() == [
        f"{KEY}: trains on a",
        f"{KEY}: a: lost (RayError); another node goes on from the last checkpoint",
        f"{KEY}: trains on b",
    ]


def test_weights_that_are_not_those_that_the_node_wrote_are_not_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, here = (make_home(tmp_path / name, epochs=1) for name in ("there", "here"))
    train_here(there)
    made = by_name(there)
    name = f"results/training/{KEY}/seed-0.safetensors"
    made[name] = made[name][:-1] + bytes([made[name][-1] ^ 1])
    with pytest.raises(StageError, match=r"seed-0\.safetensors was damaged on its way from the node; run the same"):
        train(Cluster([("node", "a"), ("ended", 0, made)]), here, monkeypatch)
    assert not here.results.exists()


def test_where_all_seeds_are_known_no_node_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = make_home(tmp_path, epochs=1)
    expected = train_here(layout)
    monkeypatch.setattr(cluster_driver, "connect", lambda: pytest.fail("the cluster was asked"))
    params = load_params(layout.params)
    shutil.rmtree(layout.results)
    cluster_driver.train_on_ray(params.cells(KEY), params.compute, layout)
    assert outputs(layout) == expected


def test_seeds_that_are_to_be_trained_anew_are_not_sent_to_the_node_that_shall_train_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = make_home(tmp_path, epochs=1)
    train_here(layout)
    cluster = Cluster([("node", "a"), ("ended", 0, by_name(layout))])
    monkeypatch.setenv(ANEW, "1")
    train(cluster, layout, monkeypatch)
    assert cluster.sent == [{}]


def test_damaged_data_are_one_sentence_before_a_node_is_asked(tmp_path: Path) -> None:
    layout = make_home(tmp_path)
    with (layout.data("digits") / "train_images.npy").open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"\xff")
    driver = train_on("127.0.0.1:1", layout)  # nobody listens there
    said, _ = driver.communicate()
    assert driver.returncode == 1
    assert re.fullmatch(r"error: .*train_images\.npy is damaged: .*\.\n", said)
    assert not layout.results.exists()
