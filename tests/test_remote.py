"""Training on a Ray cluster of two nodes on this machine: killed nodes, Ctrl-C, failures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import yaml
from dvc.repo import Repo

from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.params import load_params
from stages.train import cluster_driver as remote
from stages.train.cluster_driver import connect
from stages.train.local import run
from tests.small import REPOSITORY, write_split

KEY = "digits-recurnet1-4"
SIZE = {"object_store_memory": 100 * 2**20, "include_log_monitor": False}
EPOCHS = 30  # many more than pass before what follows from a line about the second one


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head that trains nothing, and two nodes with a core each."""
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="Ray is an optional extra")
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("RECURNETS_CHECKPOINT_SECONDS", "0")  # the nodes inherit it
    quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 2}
    config = {**quick, "worker_niceness": 0}  # else whatever else runs on this machine comes first
    made = cluster_utils.Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "_system_config": config, **SIZE},
    )
    yield made
    made.shutdown()
    monkeypatch.undo()


@pytest.fixture
def nodes(cluster: Any) -> Any:
    """The cluster with two nodes that live."""
    while len(cluster.worker_nodes) < 2:
        cluster.add_node(num_cpus=1, wait=False, **SIZE)
    cluster.wait_for_nodes(timeout=120)
    return cluster


def make_home(folder: Path, **recipe: Any) -> Layout:
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["recurnets"]["recipe"] |= {"epochs": EPOCHS, "batch_size": 16, "test_batch_size": 10, **recipe}
    layout = Layout(folder)
    write_split(layout, images=200)
    layout.params.write_text(yaml.safe_dump(params))
    return layout


def start(address: str, *command: str, cwd: Path = REPOSITORY) -> subprocess.Popen[str]:
    environment = {**os.environ, "RAY_ADDRESS": address, "DVC_NO_ANALYTICS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def train_on(address: str, layout: Layout) -> subprocess.Popen[str]:
    return start(address, "stages.train", str(layout.home), KEY)


def until(words: str, driver: subprocess.Popen[str]) -> str:
    """What ``driver`` prints, up to the line with ``words``."""
    assert driver.stdout is not None
    said = ""
    for line in driver.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"{words!r} was expected in:\n{said}")


def outputs(layout: Layout) -> dict[str, bytes]:
    """What training writes, byte by byte, but for the seconds that it took."""
    cell = load_params(layout.params).cell(KEY)
    return {path.name: path.read_bytes() for path in layout.training(cell).iterdir()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The outputs of the same training here, without a cluster and uninterrupted."""
    layout = make_home(tmp_path_factory.mktemp("alone"))
    params = load_params(layout.params)
    run(params.cells(KEY), params.compute, layout)
    return outputs(layout)


def test_a_killed_nodes_cell_goes_on_elsewhere_and_ends_as_if_it_had_run_here(
    nodes: Any, alone: dict[str, bytes], tmp_path: Path
) -> None:
    layout = make_home(tmp_path)
    of_another_kind_of_node = layout.checkpoints / KEY / ("0" * 16) / "seed-0.pt"
    of_another_kind_of_node.parent.mkdir(parents=True)
    of_another_kind_of_node.write_bytes(b"not to be read")
    driver = train_on(nodes.address, layout)
    first = until("epoch 2/", driver)  # by now there are checkpoints of the first epoch here
    (node,) = [node for node in nodes.worker_nodes if node.node_id in first]
    nodes.remove_node(node, allow_graceful=False)
    rest, _ = driver.communicate()
    assert driver.returncode == 0, rest
    assert "hardware is not used" in first
    assert "another node goes on from the last checkpoint" in rest
    assert "continues after epoch" in rest
    assert f"epoch {EPOCHS}/{EPOCHS}" in rest
    assert not (layout.checkpoints / KEY).exists()
    assert outputs(layout) == alone


def test_ctrl_c_ends_the_training_there_and_the_next_dvc_repro_goes_on(
    nodes: Any, alone: dict[str, bytes], tmp_path: Path
) -> None:
    layout = make_home(tmp_path)
    Repo.init(str(tmp_path), no_scm=True).close()
    command = f"cd {REPOSITORY} && {sys.executable} -m stages.train {tmp_path} {KEY}"
    stage = {"cmd": command, "outs": [f"results/training/{KEY}", f"results/clocks/training/{KEY}"]}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"train": stage}}))
    first = start(nodes.address, "dvc", "repro", cwd=tmp_path)
    until("epoch 2/", first)
    os.killpg(first.pid, signal.SIGINT)  # as a terminal does
    said, _ = first.communicate()
    assert first.returncode != 0
    assert "error: interrupted; run the same command again to continue." in said
    descendants = psutil.Process().children(recursive=True)
    assert any("raylet" in process.name() for process in descendants)
    assert not [process for process in descendants if "stages.train.cluster_node" in process.cmdline()]
    assert list((layout.checkpoints / KEY).glob("*/seed-0.pt"))

    second = start(nodes.address, "dvc", "repro", cwd=tmp_path)
    said, _ = second.communicate()
    assert second.returncode == 0, said
    assert "continues after epoch" in said
    assert outputs(layout) == alone


def test_a_training_that_fails_there_fails_here_with_its_own_words(nodes: Any, tmp_path: Path) -> None:
    layout = make_home(tmp_path)
    with (layout.data("digits") / "train_images.npy").open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"\xff")
    driver = train_on(nodes.address, layout)
    said, _ = driver.communicate()
    assert driver.returncode == 1
    assert "train_images.npy is damaged" in said
    assert f"error: {KEY}: training on " in said
    assert "failed with exit status 1; see above." in said
    assert not layout.training(load_params(layout.params).cell(KEY)).exists()


def test_without_ray_or_its_cluster_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    with pytest.raises(StageError, match="run on a machine of the cluster, with RAY_ADDRESS=auto"):
        connect()
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(StageError, match="Ray is not installed; install 'ray' or unset RAY_ADDRESS"):
        connect()


class Cluster:
    """Stands in for Ray: each of its nodes yields what is given, then dies."""

    class exceptions:  # noqa: N801
        class RayError(Exception): ...

        class RayTaskError(RayError): ...

    cloudpickle = SimpleNamespace(register_pickle_by_value=lambda _: None)

    def __init__(self, *nodes: Sequence[tuple[Any, ...]]) -> None:
        self.left = list(nodes)

    def remote(self, _: Any) -> Any:
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda *_: self.node(self.left.pop(0))))

    def node(self, items: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        yield from items
        raise self.exceptions.RayError

    def wait(self, tasks: Any, timeout: float) -> Any:
        return tasks, []

    def put(self, value: Any) -> Any:
        return value

    get = put

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}


def test_after_three_nodes_in_a_row_without_a_new_checkpoint_it_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = make_home(tmp_path)
    params = load_params(layout.params)
    saved = ("checkpoint", f".checkpoints/{KEY}/0/seed-0.pt", b"state")
    cluster = Cluster([], [("node", "a"), saved], [], [("node", "c")], [], [("node", "never asked")])
    monkeypatch.setattr(remote, "connect", lambda: cluster)
    with pytest.raises(StageError, match="3 nodes in a row were lost before a new checkpoint; see why, then run"):
        remote.train_on_ray(params.cells(KEY), params.compute, layout)
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
