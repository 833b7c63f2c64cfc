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
    """Stands in for Ray: each task gets a node, which yields what is given, then dies, if that was not all."""

    class exceptions:  # noqa: N801
        class RayError(Exception): ...

        class RayTaskError(RayError): ...

    cloudpickle = SimpleNamespace(register_pickle_by_value=lambda _: None)

    def __init__(self, *nodes: Sequence[tuple[Any, ...]]) -> None:
        self.left = list(nodes)
        self.asked: list[tuple[str, Sequence[int]]] = []  # of every task
        self.sent: list[Mapping[str, bytes]] = []  # of earlier attempts, to each of them
        self.put_there: list[Mapping[str, bytes]] = []

    def remote(self, _: Any) -> Any:
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self.begin))

    def begin(self, _f: Any, _v: str, saved: Mapping[str, bytes], key: str, seeds: Sequence[int], _g: bool) -> Any:
        self.sent.append(saved)
        self.asked.append((key, seeds))
        return self.node(self.left.pop(0))

    def node(self, items: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        yield from items
        if not any(kind == "ended" for kind, *_ in items):
            raise self.exceptions.RayError

    def wait(self, tasks: Any, timeout: float) -> Any:
        return tasks[:1], tasks[1:]

    def put(self, value: Mapping[str, bytes]) -> Any:
        self.put_there.append(value)
        return value

    def get(self, value: Any) -> Any:
        return value

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}


def train(cluster: Cluster, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a stand-in."""
    params = load_params(layout.params)
    monkeypatch.setattr(cluster_driver, "connect", lambda: cluster)
    cluster_driver.train_on_ray(params.cells(KEY), params.compute, layout)


def seed_sent(layout: Layout, seed: int) -> tuple[Any, ...]:
    """A seed that was trained here, as a node sends it."""
    params = load_params(layout.params)
    folder = kept_seeds(layout.home).path(plan(params.cell(KEY), params.compute, layout).fingerprints[seed])
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    return "seed", f"{folder.parent.name}/{folder.name}", files


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
    name = f"{KEY} seed 0"
    assert capsys.readouterr().out.splitlines() == [
        f"{name}: no node yet: lost (RayError); another node starts anew (1 {barren})",
        f"{name}: trains on a",
        f"{name}: a: lost (RayError); {onwards}",
        f"{name}: no node yet: lost (RayError); {onwards} (1 {barren})",
        f"{name}: trains on c",
        f"{name}: c: lost (RayError); {onwards} (2 {barren})",
        f"{name}: no node yet: lost (RayError); no other node is tried",
    ]
    assert (layout.checkpoints / KEY / "0" / "seed-0.pt").read_bytes() == b"state"
    assert cluster.sent[-1] == {f"home/.checkpoints/{KEY}/0/seed-0.pt": b"state"}


def test_every_seed_is_a_task_of_its_own_and_what_fails_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there, here = (make_home(tmp_path / name, epochs=1, seeds=[0, 1, 2]) for name in ("there", "here"))
    expected = train_here(there)
    first, second, third = (seed_sent(there, seed) for seed in (0, 1, 2))
    broken = [("node", "b"), ("line", "error: no luck."), ("ended", 1)]
    cluster = Cluster([("node", "a"), first, ("ended", 0)], broken, [("node", "c"), third, ("ended", 0)])
    with pytest.raises(StageError, match=r"1 of 3 .* failed: .* seed 1 \(training on b failed: no luck\.\)\. What is"):
        train(cluster, here, monkeypatch)
    assert cluster.asked == [(KEY, (0,)), (KEY, (1,)), (KEY, (2,))]
    assert len(cluster.put_there) == 2, "code with parameters, and the split"
    assert f"{KEY} seed 1: FAILED: training on b failed: no luck." in capsys.readouterr().out
    assert not here.results.exists()

    again = Cluster([("node", "d"), second, ("ended", 0)])
    train(again, here, monkeypatch)
    assert again.asked == [(KEY, (1,))]
    assert outputs(here) == expected


def test_weights_that_are_not_those_that_the_node_wrote_are_not_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, here = (make_home(tmp_path / name, epochs=1) for name in ("there", "here"))
    train_here(there)
    kind, name, files = seed_sent(there, 0)
    weights = files["seed-0.safetensors"]
    files["seed-0.safetensors"] = weights[:-1] + bytes([weights[-1] ^ 1])
    with pytest.raises(StageError, match=r"seed-0\.safetensors is damaged"):
        train(Cluster([("node", "a"), (kind, name, files), ("ended", 0)]), here, monkeypatch)
    assert not here.results.exists()


def test_where_all_seeds_are_known_no_node_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = make_home(tmp_path, epochs=1)
    expected = train_here(layout)
    monkeypatch.setattr(cluster_driver, "connect", lambda: pytest.fail("the cluster was asked"))
    params = load_params(layout.params)
    shutil.rmtree(layout.results)
    cluster_driver.train_on_ray(params.cells(KEY), params.compute, layout)
    assert outputs(layout) == expected


def test_seeds_that_are_to_be_trained_anew_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = make_home(tmp_path, epochs=1)
    train_here(layout)
    cluster = Cluster([("node", "a"), seed_sent(layout, 0), ("ended", 0)])
    monkeypatch.setenv(ANEW, "1")
    train(cluster, layout, monkeypatch)
    assert cluster.asked == [(KEY, (0,))]


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
