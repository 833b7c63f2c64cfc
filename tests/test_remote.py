"""Training on a Ray cluster of two nodes on this machine; one of them is killed in the middle."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.errors import StageError
from stages.layout import Layout
from stages.params import load_params
from stages.remote import connect
from stages.train import run
from tests.small import REPOSITORY, write_split

KEY = "digits-recurnet1-4"
EPOCHS = 8


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head that trains nothing, and two nodes with a core each."""
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="Ray is an optional extra")
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("RECURNETS_CHECKPOINT_SECONDS", "0")  # the nodes inherit it
    quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 2}
    size = {"object_store_memory": 100 * 2**20}
    made = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "_system_config": quick, **size})
    for _ in range(2):
        made.add_node(num_cpus=1, wait=False, **size)
    made.wait_for_nodes()
    yield made
    made.shutdown()
    monkeypatch.undo()


def make_home(folder: Path, **recipe: Any) -> Layout:
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["recurnets"]["recipe"] |= {"epochs": EPOCHS, "batch_size": 16, "test_batch_size": 10, **recipe}
    layout = Layout(folder)
    write_split(layout, images=200)
    layout.params.write_text(yaml.safe_dump(params))
    return layout


def train_on(address: str, layout: Layout) -> subprocess.Popen[str]:
    environment = {**os.environ, "RAY_ADDRESS": address}
    command = [sys.executable, "-m", "stages.train", str(layout.home), KEY]
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def outputs(layout: Layout) -> dict[str, bytes]:
    """What training writes, byte by byte, but for the seconds that it took."""
    cell = load_params(layout.params).cell(KEY)
    paths = [*layout.weights(cell).iterdir(), *layout.training(cell).iterdir()]
    return {path.name: path.read_bytes() for path in paths if path.name != "timing.csv"}


def test_a_killed_nodes_cell_goes_on_elsewhere_and_ends_as_if_it_had_run_here(cluster: Any, tmp_path: Path) -> None:
    here, remote = (make_home(tmp_path / name) for name in ("here", "remote"))
    of_another_kind_of_node = remote.checkpoints / KEY / ("0" * 16) / "seed-0.pt"
    of_another_kind_of_node.parent.mkdir(parents=True)
    of_another_kind_of_node.write_bytes(b"not to be read")
    driver = train_on(cluster.address, remote)
    assert driver.stdout is not None
    first, rest = [], []
    for line in driver.stdout:
        (rest if rest else first).append(line)
        if "epoch 2/" in line and not rest:  # by now there are checkpoints of the first epoch here
            (node,) = [node for node in cluster.worker_nodes if node.node_id in first[0]]
            cluster.remove_node(node, allow_graceful=False)
            rest.append("the node is dead\n")
    assert driver.wait() == 0, "".join(rest)
    assert "hardware is not used" in "".join(first)
    assert "another node goes on from the last checkpoint" in "".join(rest)
    assert "continues after epoch" in "".join(rest)
    assert f"epoch {EPOCHS}/{EPOCHS}" in "".join(rest)
    assert not (remote.checkpoints / KEY).exists()

    params = load_params(here.params)
    run(params.cells(KEY), params.compute, here)
    assert outputs(remote) == outputs(here)


def test_a_training_that_fails_there_fails_here_with_its_own_words(cluster: Any, tmp_path: Path) -> None:
    layout = make_home(tmp_path)
    with (layout.data("digits") / "train_images.npy").open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"\xff")
    driver = train_on(cluster.address, layout)
    said, _ = driver.communicate()
    assert driver.returncode == 1
    assert "train_images.npy is damaged" in said
    assert f"error: {KEY}: training on " in said
    assert "failed with exit status 1; see above." in said
    assert not layout.weights(load_params(layout.params).cell(KEY)).exists()


def test_without_ray_or_its_cluster_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    with pytest.raises(StageError, match="run on a machine of the cluster, with RAY_ADDRESS=auto"):
        connect()
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(StageError, match="Ray is not installed; install 'ray' or unset RAY_ADDRESS"):
        connect()
