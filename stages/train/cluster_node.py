"""The part of a remote training that runs on the cluster's node.

A node needs the packages of requirements.lock and the same Python; code, parameters and data come with the first task
that needs them. The task is :func:`train`, which arrives by value: it imports nothing of the project. It starts
`python -m stages.train.cluster_node HOME` in a folder that it makes, which trains one task after another, so that only
the first waits for torch to be read.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

POLL_SECONDS = 1.0  # how often checkpoints are looked for
GRACE_SECONDS = 10.0  # until a training that does not heed its interruption is ended
HOME = "home"
SEEDS = ".dvc/cache/seeds"  # where stages.train.seeds keeps them, from the folder of the process
FOLDER = "RECURNETS_TASK_FOLDER"  # in the environment: what goes when the process that runs tasks is killed
ENDED = "(the seeds that were asked for are kept)"  # what the process prints then, and the node does not send on


def train(
    files: Sequence[Any], version: str, saved: Mapping[str, bytes], key: str, seeds: Sequence[int], gpu: bool
) -> Iterator[tuple[Any, ...]]:
    """Train ``seeds`` of the cell ``key``, from the checkpoints in ``saved`` if there are any.

    ``files``: references to mappings, whose contents by name are what the training's process needs; it is that of an
    earlier task if their ``version`` is the same. Yields ``("node", name)``, then ``("line", text)`` for what the
    training prints, ``("checkpoint", name, bytes)`` for every new one and ``("seed", name, files)`` for every seed that
    is finished, and in the end ``("ended", status)``. Names of checkpoints are relative to the home, those of seeds to
    where they are kept.
    """
    import ray

    yield "node", f"{socket.gethostname()} (node {ray.get_runtime_context().get_node_id()})"
    trainer = _ready(version) or Trainer(ray.get(list(files)), gpu)
    try:
        trainer.ask(saved, key, seeds)
        for line in trainer.lines():
            if line:
                yield "line", line
            for name, content in new_checkpoints(trainer.home, trainer.seen):
                yield "checkpoint", name, content
            for name, contents in new_seeds(trainer.kept, trainer.known):
                yield "seed", name, contents
        status = trainer.status()
        if status == 0:
            trainer.tidy()
            _READY[version] = trainer
        yield "ended", status
    finally:  # whatever happens to the task: a failure there, or a driver that is interrupted and cancels it
        if _READY.get(version) is not trainer:
            trainer.end()


class Trainer:
    """A process that trains in a folder made of ``contents``, files by their names."""

    def __init__(self, contents: Sequence[Mapping[str, bytes]], gpu: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cell-"))
        self.home, self.kept = self.folder / HOME, self.folder / SEEDS
        self.seen: dict[Path, tuple[int, int]] = {}
        self.known: set[Path] = set()
        for each in contents:
            self._write(each)
        self.process = _start(self.folder, gpu)
        self.whole = False  # whether the last task was done
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        Thread(target=_read, args=(self.process, self._lines), daemon=True).start()

    def _write(self, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def ask(self, saved: Mapping[str, bytes], key: str, seeds: Sequence[int]) -> None:
        """Have seeds of a cell trained."""
        self._write(saved)
        self.kept.mkdir(parents=True, exist_ok=True)
        deque(new_checkpoints(self.home, self.seen), maxlen=0)  # those are known where they came from
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended, and lines() will tell
            self.process.stdin.write(f"{key} {' '.join(map(str, seeds))}\n")
            self.process.stdin.flush()

    def lines(self) -> Iterator[str]:
        """What it prints; an empty line where it prints nothing for a while, and at the end of the task."""
        while True:
            try:
                line = self._lines.get(timeout=POLL_SECONDS)
            except Empty:
                line = ""
            if line is None or line == ENDED:
                self.whole = line == ENDED
                yield ""
                return
            yield line

    def status(self) -> int:
        """How the task ended: 0, or the exit status of the process, negative if a signal killed it."""
        return 0 if self.whole else self.process.wait()

    def tidy(self) -> None:
        """Nothing of a task is left for the next one."""
        shutil.rmtree(self.home / ".checkpoints", ignore_errors=True)
        shutil.rmtree(self.kept, ignore_errors=True)
        self.seen.clear()
        self.known.clear()

    def end(self) -> None:
        """End it, and leave nothing."""
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


_READY: dict[str, Trainer] = {}  # one at most, by its version


def _ready(version: str) -> Trainer | None:
    """The process of an earlier task, if it lives and has the same files; else it is ended."""
    for known in list(_READY):
        trainer = _READY.pop(known)
        if known == version and trainer.process.poll() is None:
            return trainer
        trainer.end()
    return None


def _start(folder: Path, gpu: bool) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("RAY_ADDRESS", "PYTHONPATH")}
    environment[FOLDER] = str(folder)
    if not gpu:
        environment["CUDA_VISIBLE_DEVICES"] = ""
    command = [sys.executable, "-m", "stages.train.cluster_node", HOME]
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


def _listen(asked: SimpleQueue[str]) -> None:
    """Hand on what is asked for; at the end of our input, which the node holds open as long as it lives, end."""
    for line in sys.stdin:
        asked.put(line)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def main() -> None:
    """The training's process: per line of its input, a key and seeds of it, which it trains and keeps."""
    from stages.core.layout import Layout
    from stages.params import load_params
    from stages.train.local import CellTraining, train_and_keep
    from stages.train.plan import Planner
    from stages.train.seeds import kept_seeds

    signal.signal(signal.SIGINT, signal.default_int_handler)
    asked: SimpleQueue[str] = SimpleQueue()
    Thread(target=_listen, args=(asked,), daemon=True).start()
    layout = Layout(Path(sys.argv[1]))
    params, kept = load_params(layout.params), kept_seeds(layout.home)
    planner = Planner(params.compute, layout)
    try:
        while True:
            key, *seeds = asked.get().split()
            train_and_keep(CellTraining(planner.plan(params.cell(key)), layout), tuple(map(int, seeds)), kept)
            print(ENDED, flush=True)
    except (KeyboardInterrupt, BrokenPipeError):  # nobody is left to tidy up
        if folder := os.environ.get(FOLDER):
            shutil.rmtree(folder, ignore_errors=True)
        raise


if __name__ == "__main__":
    from stages.core.errors import run_stage

    run_stage(main)
