"""Training on a Ray cluster: what a cell needs goes to a node, what training leaves comes back to where DVC expects it.

    RAY_ADDRESS=auto dvc repro        (or make reproduce JOBS=16, or python -m stages.train HOME KEY)

on a machine of the cluster. Nodes share no files with it. A node's checkpoints come back as they are made, to the same
place as those of a local run; when the node dies, another one goes on from the last of them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages import worker
from stages.errors import StageError
from stages.files import atomic_folder, atomic_path
from stages.layout import Layout
from stages.params import Cell, Compute, load_params

ATTEMPTS = 3  # in a row without a new checkpoint
PATIENCE_SECONDS = 10.0
REPOSITORY = Path(__file__).parent.parent


def train_on_ray(cells: Sequence[Cell], compute: Compute, layout: Layout) -> None:
    """Train ``cells`` (a cell, or those of one study) on the cluster at RAY_ADDRESS, and put their outputs in place.

    A :class:`StageError` says why there is no cluster, that the training failed, or that nodes keep dying.
    """
    ray = connect()
    share = load_params(layout.params).ray
    gpus = share.gpus if compute.device == "cuda" or _offers_gpus(ray, compute) else 0.0
    key = cells[0].study or cells[0].key
    ray.cloudpickle.register_pickle_by_value(worker)
    task = ray.remote(worker.train).options(num_cpus=share.cpus, num_gpus=gpus, max_retries=0, num_returns="streaming")
    files = ray.put(bundle(cells, layout))
    remaining = ATTEMPTS
    while remaining:
        attempt = Attempt(key, layout)
        generator = task.remote(files, saved(cells, layout), key, gpus > 0)
        try:
            if not ray.wait([generator], timeout=PATIENCE_SECONDS)[0]:
                print(f"{key}: waits for a node with {share.cpus:g} CPU and {gpus:g} GPU to spare", flush=True)
            for reference in generator:
                attempt.take(*ray.get(reference))
            status, lost = attempt.status, f"its process was killed by signal {-attempt.status}"
        except ray.exceptions.RayTaskError as error:
            raise StageError(f"{key}: on {attempt.node}: {error.cause}.") from None
        except ray.exceptions.RayError as error:
            status, lost = -1, f"lost ({type(error).__name__})"
        if status == 0:
            return put_in_place(attempt.outputs, cells, layout)
        if status > 0:
            raise StageError(f"{key}: training on {attempt.node} failed with exit status {status}; see above.")
        remaining = ATTEMPTS if attempt.checkpoints else remaining - 1
        print(f"{key}: {attempt.node}: {lost}; {continuation(cells, layout)}", flush=True)
    raise StageError(f"{key}: {ATTEMPTS} nodes in a row were lost before a checkpoint; see why, then run it again.")


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
    code = [path for folder in ("stages", "models") for path in (REPOSITORY / folder).rglob("*.py")]
    files = {path.relative_to(REPOSITORY).as_posix(): path for path in code}
    used = [layout.params, *(path for cell in cells for path in layout.data(cell.dataset).iterdir())]
    files |= {f"{worker.HOME}/{path.relative_to(layout.home).as_posix()}": path for path in used}
    return {name: path.read_bytes() for name, path in files.items()}


def saved(cells: Sequence[Cell], layout: Layout) -> dict[str, bytes]:
    """The checkpoints of ``cells`` that are here."""
    paths = [path for cell in cells for path in (layout.checkpoints / cell.key).glob("*/seed-*.pt")]
    return {path.relative_to(layout.home).as_posix(): path.read_bytes() for path in paths}


def continuation(cells: Sequence[Cell], layout: Layout) -> str:
    """What another node can do."""
    return "another node goes on from the last checkpoint" if saved(cells, layout) else "another node starts anew"


class Attempt:
    """What has come back from a node so far."""

    def __init__(self, key: str, layout: Layout) -> None:
        self.key, self.layout = key, layout
        self.node, self.checkpoints, self.status = "a node", 0, -1
        self.outputs: Mapping[str, bytes] = {}

    def take(self, kind: str, *values: Any) -> None:
        """One of the items that :func:`stages.worker.train` yields."""
        if kind == "node":
            (self.node,) = values
            print(f"{self.key}: trains on {self.node}", flush=True)
        elif kind == "line":
            print(values[0], flush=True)
        elif kind == "checkpoint":
            name, content = values
            write(self.layout.home / name, content)
            self.checkpoints += 1
        else:
            self.status, self.outputs = values


def put_in_place(outputs: Mapping[str, bytes], cells: Sequence[Cell], layout: Layout) -> None:
    """Write the outputs of ``cells``; their checkpoints are no longer needed.

    A :class:`StageError` names weights that are not those that the node wrote.
    """
    for cell in cells:
        weights = within(layout.weights(cell), outputs, layout)
        for name, expected in json.loads(weights["weights.json"])["sha256"].items():
            if hashlib.sha256(weights[name]).hexdigest() != expected:
                raise StageError(
                    f"{cell.key}: {name} was damaged on its way from the node; run the same command again."
                )
        with atomic_folder(layout.weights(cell)) as folder:
            for name, content in weights.items():
                (folder / name).write_bytes(content)
        for name, content in within(layout.training(cell), outputs, layout).items():
            write(layout.training(cell) / name, content)
    for cell in cells:
        shutil.rmtree(layout.checkpoints / cell.key, ignore_errors=True)


def within(folder: Path, outputs: Mapping[str, bytes], layout: Layout) -> dict[str, bytes]:
    """The outputs that belong into ``folder``, by their names in it."""
    prefix = f"{folder.relative_to(layout.home).as_posix()}/"
    return {name.removeprefix(prefix): content for name, content in outputs.items() if name.startswith(prefix)}


def write(target: Path, content: bytes) -> None:
    """Write a file, atomically."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)
