"""What runs on a cluster's node, without the cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from stages.params import load_params
from stages.train import cluster_node as worker
from stages.train.cluster_driver import at_home, code_and_parameters
from stages.train.plan import plan
from tests.cluster import KEY, make_home, train_here, until
from tests.preloaded import preloaded
from tests.small import REPOSITORY

pytestmark = pytest.mark.slow


def test_a_training_ends_when_the_node_is_gone_and_leaves_nothing(tmp_path: Path) -> None:
    layout = make_home(tmp_path / "task" / "home", epochs=10_000)
    training = subprocess.Popen(
        ["python", "-m", "stages.train.cluster_node", str(layout.home)],
        cwd=REPOSITORY,
        env=preloaded({**os.environ, worker.FOLDER: str(tmp_path / "task")}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert training.stdin is not None
    training.stdin.write(f"{KEY} 0\n")
    training.stdin.flush()
    until("epoch 1/", training)
    training.stdin.close()
    assert training.wait(timeout=60) == 1
    assert not (tmp_path / "task").exists()


def test_checkpoints_may_go_while_they_are_looked_for(tmp_path: Path) -> None:
    for name in ("first", "second"):
        path = tmp_path / ".checkpoints" / KEY / name / "seed-0.pt"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"state")
    looking = worker.new_checkpoints(tmp_path, {})
    assert next(looking)[1] == b"state"
    shutil.rmtree(tmp_path / ".checkpoints")  # what a training does when it is done
    assert list(looking) == []


def test_a_node_trains_one_task_after_another_in_one_process_and_sends_each_seed_as_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, whole = (make_home(tmp_path / name, epochs=1, seeds=[0, 1, 2]) for name in ("here", "whole"))
    expected, params = train_here(whole), load_params(here.params)
    names = {
        f"{name[:2]}/{name}": f"seed-{seed}.safetensors"
        for seed, name in plan(params.cell(KEY), params.compute, here).fingerprints.items()
    }
    files = [code_and_parameters(here), at_home(sorted(here.data("digits").iterdir()), here)]
    context = SimpleNamespace(get_node_id=lambda: "this")
    ray = SimpleNamespace(get_runtime_context=lambda: context, get=lambda references: references)
    monkeypatch.setitem(sys.modules, "ray", ray)
    processes, arrived = set(), {}
    for seeds in ((0,), (1,), (2,)):
        (kind, node), *items, ended = worker.train(files, "first", {}, KEY, seeds, gpu=False)
        assert (kind, ended) == ("node", ("ended", 0))
        assert node.endswith(" (node this)")
        assert any(": epoch 1/1" in values[0] for kind, *values in items if kind == "line")
        assert not any(worker.ENDED in values for kind, *values in items if kind == "line")
        arrived |= {values[0]: values[1] for kind, *values in items if kind == "seed"}
        (trainer,) = worker._READY.values()
        processes.add(trainer.process.pid)
        assert not trainer.kept.exists()
    assert len(processes) == 1
    assert {name: arrived[name][file] for name, file in names.items()} == {n: expected[f] for n, f in names.items()}

    *_, (kind, said), ended = worker.train(files, "second", {}, "no-such-cell", (0,), gpu=False)
    assert said.startswith("error: unknown cell 'no-such-cell'")
    assert ended == ("ended", 1)
    assert not worker._READY
    assert not trainer.folder.exists(), "that of other files is gone, too"
