"""What runs on a cluster's node, without the cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from stages.train import cluster_node as worker
from tests.small import REPOSITORY
from tests.test_remote import KEY, make_home, until


def test_a_training_ends_when_ray_kills_its_task_and_leaves_nothing(tmp_path: Path) -> None:
    layout = make_home(tmp_path / "task" / "home", epochs=10_000)
    training = subprocess.Popen(
        [sys.executable, "-m", "stages.train.cluster_node", str(layout.home), KEY],
        cwd=REPOSITORY,
        env={**os.environ, worker.FOLDER: str(tmp_path / "task")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert training.stdin is not None
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
