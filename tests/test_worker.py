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
from stages.train.cluster_driver import bundle, saved, within
from stages.train.plan import plan
from stages.train.seeds import kept_seeds
from tests.cluster import KEY, make_home, set_recipe, train_here, until
from tests.small import REPOSITORY

pytestmark = pytest.mark.slow


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


def test_a_node_trains_the_seeds_that_did_not_come_with_the_task_and_sends_each_as_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, whole = (make_home(tmp_path / name, epochs=1) for name in ("here", "whole"))
    train_here(here)
    for home in (here, whole):
        set_recipe(home, epochs=1, seeds=[0, 1, 2])
    expected, params = train_here(whole), load_params(here.params)
    cell = params.cell(KEY)
    wanted = plan(cell, params.compute, here)
    context = SimpleNamespace(get_node_id=lambda: "this")
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(get_runtime_context=lambda: context))
    before = saved([wanted], here, kept_seeds(here.home), [wanted.fingerprints[0]])
    task = worker.train(bundle([cell], here), before, KEY, gpu=False)
    (kind, node), *items, (last, status, made) = task
    assert (kind, last, status) == ("node", "ended", 0)
    assert node.endswith(" (node this)")
    lines = [values[0] for kind, *values in items if kind == "line"]
    assert any("seed 0: trained before, taken over" in line for line in lines)
    assert [line.partition(": epoch")[0] for line in lines if ": epoch" in line] == [f"{KEY} seed {n}" for n in (1, 2)]
    seeds = {values[0]: values[1] for kind, *values in items if kind == "seed"}
    names = {f"{wanted.fingerprints[n][:2]}/{wanted.fingerprints[n]}": f"seed-{n}.safetensors" for n in (1, 2)}
    assert within(here.training(cell), made, here) == expected
    assert {name: files[names[name]] for name, files in seeds.items()} == {n: expected[f] for n, f in names.items()}
