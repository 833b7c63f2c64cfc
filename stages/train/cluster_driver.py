"""Training on a Ray cluster: what a cell needs goes to a node, what training leaves comes back to where DVC expects it.

    RAY_ADDRESS=auto dvc repro        (or make reproduce JOBS=16, or python -m stages.train HOME KEY)

on a machine of the cluster. Nodes share no files with it. A node's checkpoints come back as they are made, to the same
place as those of a local run; when the node dies, another one goes on from the last of them. Ctrl-C ends the training
there, too, and the next run goes on from the last checkpoint that came back.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.cell import Cell, Compute
from stages.core.dependencies import ROOT
from stages.core.errors import StageError
from stages.core.files import atomic_folder, atomic_path
from stages.core.layout import Layout
from stages.params import load_params
from stages.train import cluster_node
from stages.train.outputs import write_outputs
from stages.train.plan import Plan, plan, trained_before
from stages.train.seeds import KeptSeeds, kept_seeds

ATTEMPTS = 3  # in a row without a new checkpoint
PATIENCE_SECONDS = 10.0
GRACE_SECONDS = 5.0  # for a task that is cancelled


def train_on_ray(cells: Sequence[Cell], compute: Compute, layout: Layout) -> None:
    """Train ``cells`` (a cell, or those of one study) on the cluster at RAY_ADDRESS, and put their outputs in place.

    A :class:`StageError` says why there is no cluster, that the training failed, or that nodes keep dying.
    """
    plans, kept = [plan(cell, compute, layout) for cell in cells], kept_seeds(layout.home)
    before = [trained_before(each, kept, layout) for each in plans]
    if all(len(seeds) == len(each.fingerprints) for each, seeds in zip(plans, before, strict=True)):
        for each, seeds in zip(plans, before, strict=True):
            write_outputs(layout, each, seeds)
        return None
    finished = {each.fingerprints[seed] for each, seeds in zip(plans, before, strict=True) for seed in seeds}
    ray = connect()
    share = load_params(layout.params).ray
    gpus = share.gpus if compute.device == "cuda" or _offers_gpus(ray, compute) else 0.0
    key = cells[0].group
    ray.cloudpickle.register_pickle_by_value(cluster_node)
    task = ray.remote(cluster_node.train).options(
        num_cpus=share.cpus, num_gpus=gpus, max_retries=0, num_returns="streaming"
    )
    files = ray.put(bundle(cells, layout))
    in_vain = 0
    while in_vain < ATTEMPTS:
        attempt = Attempt(key, layout, kept)
        lost = attempt.run(ray, task.remote(files, saved(plans, layout, kept, finished), key, gpus > 0))
        if attempt.status == 0:
            return put_in_place(attempt.outputs, cells, layout)
        finished |= attempt.finished
        in_vain = 0 if attempt.news else in_vain + 1
        then = continuation(saved(plans, layout, kept, finished), in_vain)
        print(f"{key}: {attempt.node}: {lost}; {then}", flush=True)
    raise StageError(
        f"{key}: {ATTEMPTS} nodes in a row were lost before a new checkpoint; see why, then run the same command again."
    )


def connect() -> Any:
    """Ray, connected to RAY_ADDRESS; a :class:`StageError` says why not."""
    address = os.environ["RAY_ADDRESS"]
    if address.startswith("ray://"):
        raise StageError(f"RAY_ADDRESS is {address}; run on a machine of the cluster, with RAY_ADDRESS=auto.")
    try:
        import ray
    except ImportError:
        raise StageError("RAY_ADDRESS is set, but Ray is not installed; install 'ray' or unset RAY_ADDRESS.") from None
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise StageError(f"no Ray cluster at RAY_ADDRESS={address} ({reason}); start one or unset it.") from None
    return ray


def _offers_gpus(ray: Any, compute: Compute) -> bool:
    return compute.device == "auto" and ray.cluster_resources().get("GPU", 0) > 0


def bundle(cells: Sequence[Cell], layout: Layout) -> dict[str, bytes]:
    """What a node needs: the code, the parameters, and the splits of ``cells``, by their names in its folder."""
    code = [path for folder in ("stages", "models") for path in (ROOT / folder).rglob("*.py")]
    files = {path.relative_to(ROOT).as_posix(): path for path in (*code, ROOT / "dvc.yaml")}
    used = [layout.params, *(path for cell in cells for path in layout.data(cell.dataset).iterdir())]
    files |= {f"{cluster_node.HOME}/{path.relative_to(layout.home).as_posix()}": path for path in used}
    return {name: path.read_bytes() for name, path in files.items()}


def saved(plans: Sequence[Plan], layout: Layout, kept: KeptSeeds, finished: Collection[str]) -> dict[str, bytes]:
    """The checkpoints of ``plans`` that are here, and the ``finished`` seeds, by their places in a node's folder."""
    paths = [path for each in plans for path in (layout.checkpoints / each.cell.key).glob("*/seed-*.pt")]
    files = {f"{cluster_node.HOME}/{path.relative_to(layout.home).as_posix()}": path for path in paths}
    seeds = [path for name in finished for path in kept.path(name).glob("*")]
    files |= {f"{cluster_node.SEEDS}/{path.relative_to(kept.folder).as_posix()}": path for path in seeds}
    return {name: path.read_bytes() for name, path in files.items()}


def continuation(files: Mapping[str, bytes], in_vain: int) -> str:
    """What follows after ``in_vain`` nodes in a row were lost without news; ``files``: what has come back."""
    if in_vain == ATTEMPTS:
        return "no other node is tried"
    start = "goes on from the last checkpoint" if files else "starts anew"
    return f"another node {start}" + (f" ({in_vain} of {ATTEMPTS} lost without a new checkpoint)" if in_vain else "")


class Attempt:
    """What has come back from a node so far."""

    def __init__(self, key: str, layout: Layout, kept: KeptSeeds) -> None:
        self.key, self.layout, self.kept = key, layout, kept
        self.node, self.news, self.status = "no node yet", 0, -1
        self.outputs: Mapping[str, bytes] = {}
        self.finished: set[str] = set()

    def run(self, ray: Any, task: Any) -> str:
        """Take what ``task`` yields, to its end; says how it was lost, if it was.

        A :class:`StageError` says that the training failed by itself. Whatever ends this ends the task.
        """
        try:
            if not ray.wait([task], timeout=PATIENCE_SECONDS)[0]:
                print(f"{self.key}: no node of the cluster has begun with it yet", flush=True)
            for reference in task:
                self.take(*ray.get(reference))
        except ray.exceptions.RayTaskError as error:
            raise StageError(f"{self.key}: on {self.node}: {error.cause}.") from None
        except ray.exceptions.RayError as error:
            return f"lost ({type(error).__name__})"
        except BaseException:  # Ctrl-C, or a full disk here
            ray.cancel(task)
            ray.wait([task.completed()], timeout=GRACE_SECONDS)
            raise
        if self.status > 0:
            raise StageError(f"{self.key}: training on {self.node} failed with exit status {self.status}; see above.")
        return f"its process was killed by signal {-self.status}"

    def take(self, kind: str, *values: Any) -> None:
        """One of the items that :func:`stages.train.cluster_node.train` yields."""
        if kind == "node":
            (self.node,) = values
            print(f"{self.key}: trains on {self.node}", flush=True)
        elif kind == "line":
            print(values[0], flush=True)
        elif kind == "checkpoint":
            name, content = values
            with atomic_path(self.layout.home / name) as temporary:
                temporary.write_bytes(content)
            self.news += 1
        elif kind == "seed":
            name, files = values
            write_folder(self.kept.folder / name, files)
            self.finished.add(Path(name).name)
            self.news += 1
        else:
            self.status, self.outputs = values


def put_in_place(outputs: Mapping[str, bytes], cells: Sequence[Cell], layout: Layout) -> None:
    """Write the outputs of ``cells``; their checkpoints are no longer needed.

    A :class:`StageError` names weights that are not those that the node wrote.
    """
    for cell in cells:
        training = within(layout.training(cell), outputs, layout)
        for name, expected in json.loads(training["weights.json"])["sha256"].items():
            if hashlib.sha256(training[name]).hexdigest() != expected:
                raise StageError(
                    f"{cell.key}: {name} was damaged on its way from the node; run the same command again."
                )
        write_folder(layout.training(cell), training)
        clock = layout.training_clock(cell)
        write_folder(clock, within(clock, outputs, layout))
    for cell in cells:
        shutil.rmtree(layout.checkpoints / cell.key, ignore_errors=True)


def within(folder: Path, outputs: Mapping[str, bytes], layout: Layout) -> dict[str, bytes]:
    """The outputs that belong into ``folder``, by their names in it."""
    prefix = f"{folder.relative_to(layout.home).as_posix()}/"
    return {name.removeprefix(prefix): content for name, content in outputs.items() if name.startswith(prefix)}


def write_folder(target: Path, files: Mapping[str, bytes]) -> None:
    """Write files by their names in a folder, which appears whole or not at all."""
    with atomic_folder(target) as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)
