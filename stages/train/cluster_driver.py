"""Training on a Ray cluster: one Ray task for every task, whose seeds come back to where they are kept.

    RAY_ADDRESS=auto dvc repro        (or make reproduce JOBS=16, or python -m stages.train HOME KEY)

on a machine of the cluster. Nodes share no files with it; code, parameters and each split are put into the cluster
once. A node's checkpoints come back as they are made, to the same place as those of a local run; when the node dies,
another one goes on from the last of them. Ctrl-C ends the trainings there, too, and the next run goes on from the last
checkpoints that came back.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from stages.cell import Cell, Compute
from stages.core.dependencies import ROOT
from stages.core.errors import StageError
from stages.core.files import atomic_folder, atomic_path
from stages.core.layout import Layout
from stages.params import load_params
from stages.train import cluster_node
from stages.train.checkpoint import Checkpoint, seeds_name
from stages.train.outstanding import Outstanding
from stages.train.tasks import Task

ATTEMPTS = 3  # in a row without a new checkpoint
PATIENCE_SECONDS = 10.0
LOOK_SECONDS = 1.0  # how often the cluster is asked for its size
GRACE_SECONDS = 5.0  # for tasks that are cancelled
NO_FINGERPRINT = "of any kind of node"


def train_on_ray(cells: Sequence[Cell], compute: Compute, layout: Layout) -> None:
    """Train ``cells`` (a cell, or those of one study) on the cluster at RAY_ADDRESS, and put their outputs in place.

    A task that fails does not stop the others. A :class:`StageError` says why there is no cluster, or in the end which
    tasks failed, or lost node after node.
    """
    outstanding = Outstanding(cells, compute, layout)
    if outstanding.tasks:
        Dispatch(connect(), outstanding, compute).run()
    outstanding.check()


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


def code_and_parameters(layout: Layout) -> dict[str, bytes]:
    """What every node needs, by the names in its folder."""
    code = [path for folder in ("stages", "models") for path in (ROOT / folder).rglob("*.py")]
    files = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in (*code, ROOT / "dvc.yaml")}
    return files | at_home([layout.params], layout)


def at_home(paths: Sequence[Path], layout: Layout) -> dict[str, bytes]:
    """The contents of files of this home, by the names that they have in a node's folder."""
    return {f"{cluster_node.HOME}/{path.relative_to(layout.home).as_posix()}": path.read_bytes() for path in paths}


def saved(task: Task, layout: Layout) -> dict[str, bytes]:
    """The checkpoints of ``task`` that are here, by the names in a node's folder."""
    return at_home(list((layout.checkpoints / task.key).glob(f"*/{seeds_name(task.seeds)}")), layout)


def continuation(files: Mapping[str, bytes], in_vain: int) -> str:
    """What follows after ``in_vain`` nodes in a row were lost without news; ``files``: what has come back."""
    if in_vain == ATTEMPTS:
        return "no other node is tried"
    start = "goes on from the last checkpoint" if files else "starts anew"
    return f"another node {start}" + (f" ({in_vain} of {ATTEMPTS} lost without a new checkpoint)" if in_vain else "")


class Dispatch:
    """Sends what is ``outstanding`` to the cluster, twice what it has room for, and takes what comes back."""

    def __init__(self, ray: Any, outstanding: Outstanding, compute: Compute) -> None:
        self.ray, self.outstanding, self.layout = ray, outstanding, outstanding.layout
        self.share = load_params(self.layout.params).ray
        wants_gpus = compute.device == "cuda" or _offers_gpus(ray, compute)
        self.gpus = self.share.gpus if wants_gpus else 0.0
        ray.cloudpickle.register_pickle_by_value(cluster_node)
        self.train = ray.remote(cluster_node.train).options(
            num_cpus=self.share.cpus, num_gpus=self.gpus, max_retries=0, num_returns="streaming"
        )
        self.waiting, self.running = deque(outstanding.tasks), dict[Any, Attempt]()
        self.in_vain: Counter[Task] = Counter()
        self.ended = 0
        self._given, self._asked = 0, -math.inf
        self._put: dict[str, tuple[Any, str]] = {}

    def run(self) -> None:
        """Until every task is done or has failed. Whatever ends this ends the tasks."""
        try:
            self._fill()
            while self.running:
                ready, _ = self.ray.wait(list(self.running), timeout=PATIENCE_SECONDS)
                if not ready and all(attempt.silent for attempt in self.running.values()):
                    print(f"{self.outstanding.group}: no node of the cluster has begun with it yet", flush=True)
                for returning in ready:
                    self._take(returning)
        except BaseException:  # Ctrl-C, or a full disk here
            for returning in self.running:
                self.ray.cancel(returning)
            self.ray.wait([each.completed() for each in self.running], num_returns=len(self.running),
                          timeout=GRACE_SECONDS)  # fmt: skip
            raise

    def _fill(self) -> None:
        while self.waiting and len(self.running) < self._room():
            task = self.waiting.popleft()
            dataset = self.outstanding.plans[task.key].cell.dataset
            common, split = self._files(""), self._files(dataset)
            version = f"{common[1]} {split[1]} {self.gpus > 0}"
            returning = self.train.remote(
                [common[0], split[0]], version, saved(task, self.layout), task.key, task.seeds, self.gpus > 0
            )
            self.running[returning] = Attempt(task, self.outstanding)

    def _room(self) -> int:
        """How many tasks the cluster has at a time. Nodes come and go, but asking for each task costs milliseconds."""
        if time.monotonic() - self._asked >= LOOK_SECONDS:
            cpus = self.ray.cluster_resources().get("CPU", 0)
            self._given, self._asked = 2 * max(1, int(cpus / self.share.cpus)), time.monotonic()
        return self._given

    def _files(self, dataset: str) -> tuple[Any, str]:
        """A reference to the files of a split in the cluster, or to what all need, and their digest; put there once."""
        if dataset not in self._put:
            layout = self.layout
            split = at_home(sorted(layout.data(dataset).iterdir()), layout) if dataset else code_and_parameters(layout)
            digest = sha256(b"".join(sha256(part).digest() for name in split for part in (name.encode(), split[name])))
            self._put[dataset] = self.ray.put(split), digest.hexdigest()
        return self._put[dataset]

    def _take(self, returning: Any) -> None:
        """The next that a task yields, or its end."""
        attempt, errors = self.running[returning], self.ray.exceptions
        try:
            attempt.take(*self.ray.get(next(returning)))
            return
        except StopIteration:
            lost = None if attempt.status >= 0 else f"its process was killed by signal {-attempt.status}"
        except errors.RayTaskError as error:
            attempt.status, lost, attempt.error = 1, None, f"{error.cause}"
        except errors.RayError as error:
            lost = f"lost ({type(error).__name__})"
        del self.running[returning]
        if lost is not None:
            self._lose(attempt, lost)
        else:
            self._end(attempt)
        self._fill()

    def _end(self, attempt: Attempt) -> None:
        task, self.ended = attempt.task, self.ended + 1
        if attempt.status:
            why = attempt.error or f"exit status {attempt.status}, see above"
            self.outstanding.fail(task, f"training on {attempt.node} failed: {why}")
            return
        Checkpoint(self.layout.checkpoints / task.key, NO_FINGERPRINT, task.seeds).remove()
        try:
            self.outstanding.done(task)
        except StageError as error:  # damaged on its way: it is not used, and trained again by the next run
            self.outstanding.fail(task, str(error))
            return
        if (total := len(self.outstanding.tasks)) > 1:
            print(f"{self.outstanding.group}: {task.name} is trained ({self.ended} of {total})", flush=True)

    def _lose(self, attempt: Attempt, how: str) -> None:
        task = attempt.task
        self.in_vain[task] = 0 if attempt.news else self.in_vain[task] + 1
        then = continuation(saved(task, self.layout), self.in_vain[task])
        print(f"{task.name}: {attempt.node}: {how}; {then}", flush=True)
        if self.in_vain[task] < ATTEMPTS:
            self.waiting.appendleft(task)
            return
        self.ended += 1
        self.outstanding.fail(
            task,
            f"{ATTEMPTS} nodes in a row were lost before a new checkpoint; see why, then run the same command again",
        )


class Attempt:
    """What has come back of a task from a node so far."""

    def __init__(self, task: Task, outstanding: Outstanding) -> None:
        self.task, self.outstanding = task, outstanding
        self.node, self.news, self.status, self.error = "no node yet", 0, -1, ""
        self.silent = True

    def take(self, kind: str, *values: Any) -> None:
        """One of the items that :func:`stages.train.cluster_node.train` yields."""
        self.silent = False
        if kind == "node":
            (self.node,) = values
            print(f"{self.task.name}: trains on {self.node}", flush=True)
        elif kind == "line":
            self.error = values[0].removeprefix("error: ") if values[0].startswith("error: ") else self.error
            print(values[0], flush=True)
        elif kind == "checkpoint":
            name, content = values
            with atomic_path(self.outstanding.layout.home / name) as temporary:
                temporary.write_bytes(content)
            self.news += 1
        elif kind == "seed":
            name, files = values
            with atomic_folder(self.outstanding.kept.folder / name) as folder:
                for file, content in files.items():
                    (folder / file).write_bytes(content)
            self.news += 1
        else:
            (self.status,) = values
