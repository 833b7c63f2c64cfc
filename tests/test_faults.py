"""What machines lack, and how they fail: every fault ends in one clear sentence, and the next try succeeds."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.cell import Compute, Split
from stages.core.errors import run_stage
from stages.core.layout import Layout
from stages.split.write import write_split as write_arrays
from stages.splits.format import Part, SplitData
from stages.train import local as train
from tests.clone import BIN, Clone
from tests.small import REPOSITORY, small_cell, write_split

COMPUTE = Compute(device="cpu", threads=1)
CELL = small_cell(epochs=2)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    write_split(made)
    return made


@contextmanager
def limited(kind: int, value: int) -> Iterator[None]:
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (value, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


def used_memory() -> int:
    """Bytes of address space."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def train_cell(layout: Layout) -> None:
    run_stage(lambda: train.run([CELL], COMPUTE, layout))


def nothing_is_half_written(layout: Layout) -> bool:
    return not list(layout.home.rglob("*.part")) and not layout.training(CELL).exists()


@pytest.mark.parametrize("bytes_", [1000, 30_000])
def test_files_that_cannot_grow_end_training_in_one_sentence(bytes_: int, layout: Layout) -> None:
    with (
        limited(resource.RLIMIT_FSIZE, bytes_),
        pytest.raises(SystemExit, match=r"^error: cannot write .*half-written\. "),
    ):
        train_cell(layout)
    assert nothing_is_half_written(layout)
    train_cell(layout)
    assert (layout.training(CELL) / "run.json").is_file()


def test_arrays_that_cannot_be_written_whole_are_said_to_be(tmp_path: Path) -> None:
    """NumPy's own error has no errno."""
    part = Part(np.zeros((500, 8, 8, 1), np.uint8), np.zeros(500, np.int64))
    content = SplitData("x", ("0",), part, part, {}, "")
    with (
        limited(resource.RLIMIT_FSIZE, 5000),
        pytest.raises(SystemExit, match=r"error: cannot write an array: .* requested"),
    ):
        run_stage(lambda: write_arrays(tmp_path / "x", Split(), content))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("blocker", ["runs", "results", ".checkpoints"])
def test_a_file_in_the_way_of_a_folder_is_named(blocker: str, layout: Layout) -> None:
    (layout.home / blocker).write_text("")
    with pytest.raises(SystemExit, match=rf"error: cannot write .*{blocker}.*; nothing .* Move away the file"):
        train_cell(layout)
    (layout.home / blocker).unlink()
    train_cell(layout)


NO_MEMORY: list[Callable[[], object]] = [
    lambda: torch.zeros(2**32),
    lambda: np.zeros(2**32),
    lambda: bytearray(2**34),
]


@pytest.mark.skipif(sys.platform != "linux", reason="memory cannot be limited")
@pytest.mark.parametrize("take", NO_MEMORY, ids=["torch", "numpy", "python"])
def test_too_little_memory_is_one_sentence(take: Callable[[], object]) -> None:
    with (
        limited(resource.RLIMIT_AS, used_memory() + 2**30),
        pytest.raises(SystemExit, match=r"error: out of memory.*lower batch_size and test_batch_size of the recipe"),
    ):
        run_stage(take)  # type: ignore[arg-type]


def test_too_little_memory_of_a_gpu_is_one_sentence() -> None:
    def take() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has ...")

    with pytest.raises(
        SystemExit, match=r"out of memory \(CUDA out of memory\. Tried to allocate 2\.00 GiB\.\); nothing"
    ):
        run_stage(take)


def test_a_worker_that_dies_is_one_sentence() -> None:
    def work() -> None:
        with ProcessPoolExecutor(1) as pool:
            pool.submit(os._exit, 1).result()

    with pytest.raises(SystemExit, match=r"error: a worker process died, .* then run the same command again"):
        run_stage(work)


# Run with the rights of a user who may mount, in a small file system: what is said is printed.
ON_A_SMALL_DISK = """
import os, sys
from pathlib import Path
from stages.layout import Layout
from tests.test_faults import CELL, train_cell
from tests.small import write_split

home = Path(sys.argv[1])
def attempt():
    try:
        train_cell(Layout(home))
    except SystemExit as error:
        print(error)
    print(sorted(path.name for path in home.rglob("*.part")))

write_split(Layout(home))
for left in (4096, 90_000):  # not even a checkpoint, a checkpoint but no second one
    with (home / "filler").open("wb") as stream:
        stream.write(b"x" * (os.statvfs(home).f_bavail * os.statvfs(home).f_bsize - left))
    attempt()
    (home / "filler").unlink()
os.system(f"mount -o remount,ro {home}")
attempt()
os.system(f"mount -o remount,rw {home}")
train_cell(Layout(home))
print("trained:", (Layout(home).training(CELL) / "run.json").is_file())
"""


def test_a_full_and_a_read_only_disk_end_in_one_sentence(tmp_path: Path) -> None:
    words = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = f"mount -t tmpfs -o size=2m tmpfs {tmp_path}"
    if not shutil.which("unshare") or subprocess.run([*words, "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here")
    script = f'{mount} && exec "$0" -c "$1" {tmp_path}'
    ended = subprocess.run(
        [*words, "sh", "-c", script, sys.executable, ON_A_SMALL_DISK], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    said = [line for line in ended.stdout.splitlines() if "epoch" not in line and "continues" not in line]
    assert len(said) == 7, said
    for line in (said[0], said[2]):
        assert re.match(r"error: cannot write .*; nothing was left half-written\. Free space, then run the same", line)
    assert re.match(
        r"error: cannot write .*: Read-only file system; .* Make the folder writable, then run the", said[4]
    )
    assert said[1] == said[3] == said[5] == "[]"
    assert said[6] == "trained: True"


class Waiting:
    """A repository of whose image folder one file is a pipe, so that downloading waits until it is fed."""

    TARGET = "split-folder@mine"

    def __init__(self, folder: Path) -> None:
        self.clone = Clone(folder)
        self.clone.change(lambda params: params.update(data={**params["data"], "mine": {"folder": "images"}}))
        self.clone.change(lambda params: params.update(folders={"mine": None}))
        for name in ("train/a", "train/b", "test/a", "test/b"):
            (folder / "images" / name).mkdir(parents=True)
            shutil.copy(REPOSITORY / "docs" / "report.png", folder / "images" / name / "1.png")
        self.pipe = folder / "images" / "train" / "a" / "1.png"
        self.pipe.unlink()
        os.mkfifo(self.pipe)

    def start(self) -> tuple[subprocess.Popen[str], int]:
        """`dvc repro`, as soon as its stage reads the pipe; and the pipe's end to write to."""
        environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
        started = subprocess.Popen(
            ["dvc", "repro", self.TARGET],
            cwd=self.clone.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return started, os.open(self.pipe, os.O_WRONLY)

    def repro(self) -> subprocess.CompletedProcess[str]:
        return self.clone.dvc("repro", self.TARGET, ok=False)


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Waiting:
    return Waiting(tmp_path_factory.mktemp("waiting"))


def children(process: subprocess.Popen[str]) -> Sequence[int]:
    """The processes of its session but itself, the youngest last."""
    listed = subprocess.run(["ps", "-o", "pid=", "-s", str(process.pid)], capture_output=True, text=True).stdout
    return sorted(int(pid) for pid in listed.split() if int(pid) != process.pid)


def test_a_killed_stage_is_named(waiting: Waiting) -> None:
    first, pipe = waiting.start()
    os.kill(children(first)[-1], signal.SIGKILL)
    said, _ = first.communicate()
    os.close(pipe)
    assert first.returncode != 0
    assert "failed to reproduce 'download-folder@mine': failed to run: " in said
    assert re.search(r"exited with (-9|137)\b", said)  # bash becomes the stage, dash waits for it


def test_the_next_repro_succeeds_after_all_were_killed(waiting: Waiting) -> None:
    first, pipe = waiting.start()
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    os.close(pipe)
    left_behind = waiting.clone.folder / ".dvc" / "tmp" / "rwlock"
    assert str(first.pid) in left_behind.read_text()
    waiting.pipe.unlink()
    shutil.copy(REPOSITORY / "docs" / "report.png", waiting.pipe)
    ended = waiting.repro()
    assert ended.returncode == 0, ended.stderr
    assert f"(Pid {first.pid}), in RWLock-file 'data/raw/mine' had been killed. Auto removed it" in ended.stderr
    assert "didn't change, skipping" in waiting.repro().stdout


def test_a_missing_or_damaged_cache_is_made_good_by_the_next_repro(waiting: Waiting) -> None:
    """Data are made again, and their bytes are the same."""
    folder, cache = waiting.clone.folder, waiting.clone.folder / ".dvc" / "cache"
    array = folder / "data" / "mine" / "train_images.npy"
    whole = array.read_bytes()
    shutil.rmtree(cache)
    shutil.rmtree(folder / "data" / "mine")
    assert waiting.repro().returncode == 0
    assert array.read_bytes() == whole
    stored = next(path for path in (cache / "files").rglob("*") if path.is_file() and path.read_bytes() == whole)
    stored.chmod(0o644)
    stored.write_bytes(whole[:-1] + b"?")
    stored.chmod(0o444)
    shutil.rmtree(folder / "data" / "mine")
    audit = waiting.clone.run("python", "-m", "commands.audit", ".", ok=False)
    assert f"{stored.relative_to(folder)} is damaged" in audit.stdout
    assert waiting.repro().returncode == 0
    assert array.read_bytes() == whole
