"""The part of a remote training that runs on the cluster's node.

A node needs the packages of requirements.lock and the same Python; code, parameters and data come with the task. The
task is :func:`train`, which arrives by value: it imports nothing of the project. In the folder that it makes it starts
`python -m stages.train.cluster_node HOME KEY`, which does the work.
"""

from __future__ import annotations

import _thread
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

POLL_SECONDS = 1.0  # how often checkpoints are looked for
GRACE_SECONDS = 10.0  # until a training that does not heed its interruption is ended
HOME = "home"
SEEDS = ".dvc/cache/seeds"  # where stages.train.seeds keeps them, from the folder of the task
FOLDER = "RECURNETS_TASK_FOLDER"  # in the environment: what goes when the task is killed


def train(files: Mapping[str, bytes], saved: Mapping[str, bytes], key: str, gpu: bool) -> Iterator[tuple[Any, ...]]:
    """Train ``key`` in a temporary folder made of ``files`` and what was ``saved`` of earlier attempts.

    Yields ``("node", name)``, then ``("line", text)`` for what the training prints, ``("checkpoint", name, bytes)`` for
    every new one and ``("seed", name, files)`` for every seed that is finished, and in the end ``("ended", status,
    outputs)``. Names of checkpoints and outputs are relative to the home, those of seeds to where they are kept.
    """
    import ray

    yield "node", f"{socket.gethostname()} (node {ray.get_runtime_context().get_node_id()})"
    with tempfile.TemporaryDirectory(prefix="cell-") as folder:
        home = Path(folder) / HOME
        for name, content in {**files, **saved}.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        kept = Path(folder) / SEEDS
        kept.mkdir(parents=True, exist_ok=True)
        seen: dict[Path, tuple[int, int]] = {}
        deque(new_checkpoints(home, seen), maxlen=0)  # those are known where they came from
        known = set(kept.glob("*/*"))
        process = _start(folder, key, gpu)
        try:
            for line in _lines(process):
                if line:
                    yield "line", line
                for name, content in new_checkpoints(home, seen):
                    yield "checkpoint", name, content
                for name, contents in new_seeds(kept, known):
                    yield "seed", name, contents
            yield "ended", process.wait(), _outputs(home)
        finally:  # the driver was interrupted and cancels the task
            process.kill()
            process.wait()


def _start(folder: str, key: str, gpu: bool) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("RAY_ADDRESS", "PYTHONPATH")}
    environment[FOLDER] = folder
    if not gpu:
        environment["CUDA_VISIBLE_DEVICES"] = ""
    command = [sys.executable, "-m", "stages.train.cluster_node", HOME, key]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    """What it prints; an empty line where it prints nothing for a while, and at its end."""
    lines: SimpleQueue[str | None] = SimpleQueue()
    Thread(target=_read, args=(process, lines), daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=POLL_SECONDS)
        except Empty:
            line = ""
        yield line or ""
        if line is None:
            return


def _read(process: subprocess.Popen[str], lines: SimpleQueue[str | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line.rstrip())
    lines.put(None)


def new_checkpoints(home: Path, seen: dict[Path, tuple[int, int]]) -> Iterator[tuple[str, bytes]]:
    """The name and content of each checkpoint that was replaced since it was ``seen``.

    It is whole; and none is left as soon as all is done, perhaps while this looks for them.
    """
    with suppress(FileNotFoundError):
        for path in home.glob(".checkpoints/*/*/seed-*.pt"):
            status = path.stat()
            version = (status.st_ino, status.st_mtime_ns)
            if seen.get(path) != version:
                content = path.read_bytes()
                seen[path] = version
                yield path.relative_to(home).as_posix(), content


def new_seeds(kept: Path, known: set[Path]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The folder of each finished seed that is not ``known``, by its name in ``kept``, and its files."""
    for folder in set(kept.glob("*/*")) - known:
        if not folder.name.startswith("."):  # it appears as a whole
            known.add(folder)
            yield folder.relative_to(kept).as_posix(), {path.name: path.read_bytes() for path in folder.iterdir()}


def _outputs(home: Path) -> dict[str, bytes]:
    paths = [path for path in (home / "results").rglob("*") if path.is_file()]
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in paths}


def _end_with_the_task() -> None:
    """Wait for the end of our input, which the task's process holds open as long as it lives; then interrupt us."""
    os.read(sys.stdin.fileno(), 1)
    _thread.interrupt_main()
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def main() -> None:
    """The training's process: that of :mod:`stages.train`, but for its end when Ray kills the task."""
    from stages.params import load_params
    from stages.params.command import home_and_key
    from stages.train.local import run

    layout, key = home_and_key(__doc__)
    params = load_params(layout.params)
    Thread(target=_end_with_the_task, daemon=True).start()
    try:
        run(params.cells(key), params.compute, layout)
    except (KeyboardInterrupt, BrokenPipeError):  # nobody is left to tidy up
        if folder := os.environ.get(FOLDER):
            shutil.rmtree(folder, ignore_errors=True)
        raise


if __name__ == "__main__":
    from stages.core.errors import run_stage

    run_stage(main)
