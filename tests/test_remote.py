"""Training on a Ray cluster of two nodes on this machine: killed nodes, Ctrl-C, failures, a seed more."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from stages.params import load_params
from tests.cluster import EPOCHS, KEY, make_home, outputs, set_recipe, start, train_here, train_on, until
from tests.dvc_here import dvc
from tests.small import REPOSITORY

SIZE = {"object_store_memory": 100 * 2**20, "include_log_monitor": False}

pytestmark = pytest.mark.slow


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


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The outputs of the same training here, without a cluster and uninterrupted."""
    return train_here(make_home(tmp_path_factory.mktemp("alone")))


def words_of(process: psutil.Process) -> list[str]:
    """Its command line; none of one that has ended."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # zombies are a kind of it
        return []


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
    with contextlib.chdir(tmp_path):
        dvc("init", "--no-scm")
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
    assert not [process for process in descendants if "stages.train.cluster_node" in words_of(process)]
    assert list((layout.checkpoints / KEY).glob("*/seed-0.pt"))

    second = start(nodes.address, "dvc", "repro", cwd=tmp_path)
    said, _ = second.communicate()
    assert second.returncode == 0, said
    assert "continues after epoch" in said
    assert outputs(layout) == alone


def test_a_training_that_fails_there_fails_here_with_its_own_words(nodes: Any, tmp_path: Path) -> None:
    layout = make_home(tmp_path, optimizer={"name": "sgd", "lr": 1e30})
    driver = train_on(nodes.address, layout)
    said, _ = driver.communicate()
    assert driver.returncode == 1
    assert "the training loss of seed 0 is " in said
    assert "error: training on " in said
    assert " failed: the training loss of seed 0 is " in said
    assert not layout.training(load_params(layout.params).cell(KEY)).exists()


def test_of_two_seeds_the_cluster_trains_the_one_that_is_missing(nodes: Any, tmp_path: Path) -> None:
    layout, whole = (make_home(tmp_path / name, epochs=3) for name in ("cluster", "alone"))
    driver = train_on(nodes.address, layout)
    said, _ = driver.communicate()
    assert driver.returncode == 0, said
    assert "seed 0: epoch 3/3" in said
    first = outputs(layout)
    for home in (layout, whole):
        set_recipe(home, epochs=3, seeds=[0, 1])
    driver = train_on(nodes.address, layout)
    said, _ = driver.communicate()
    assert driver.returncode == 0, said
    assert "seed 0: trained before, taken over" in said
    assert "seed 0: epoch" not in said
    assert "trains on" in said
    assert "seed 1: epoch 3/3" in said
    both = outputs(layout)
    assert both["seed-0.safetensors"] == first["seed-0.safetensors"]
    assert both["curves.csv"].startswith(first["curves.csv"])
    assert both == train_here(whole)
