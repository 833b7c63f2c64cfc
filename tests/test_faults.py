"""What machines lack, and how they fail: every fault ends in one clear sentence, and the next try succeeds."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
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
from stages.train import side_by_side as train
from tests.small import REPOSITORY, small_cell, write_split

COMPUTE = Compute(device="cpu", threads=1)
CELL = small_cell(epochs=2)

pytestmark = pytest.mark.slow


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


@pytest.mark.parametrize("blocker", ["results", ".checkpoints", ".seeds"])
def test_a_file_in_the_way_of_a_folder_is_named(blocker: str, layout: Layout) -> None:
    (layout.home / blocker).write_text("")
    with pytest.raises(SystemExit, match=rf"error: cannot write .*{blocker}.*; nothing .* Move away the file"):
        train_cell(layout)
    (layout.home / blocker).unlink()
    train_cell(layout)
    assert (layout.training(CELL) / "run.json").is_file()


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
import os, shutil, sys
from pathlib import Path
from stages.cell import Compute
from stages.core.errors import run_stage
from stages.core.layout import Layout
from stages.train import side_by_side as train
from tests.small import small_cell, write_split

home = Path(sys.argv[1])
layout, cell = Layout(home), small_cell(epochs=2)

def attempt():
    try:
        run_stage(lambda: train.run([cell], Compute(device="cpu", threads=1), layout))
    except SystemExit as error:
        print(error)
    print(sorted(path.name for path in home.rglob("*.part")), (layout.training(cell) / "run.json").is_file())

def attempt_with(bytes_left):
    with (home / "filler").open("wb") as stream:
        stream.write(b"x" * (os.statvfs(home).f_bavail * os.statvfs(home).f_bsize - bytes_left))
    attempt()
    (home / "filler").unlink()

write_split(layout)
attempt_with(4096)  # not even a checkpoint
attempt_with(110_000)  # a checkpoint, but no finished seed beside it
os.system(f"mount -o remount,ro {home}")
attempt()
os.system(f"mount -o remount,rw {home}")
attempt()
shutil.rmtree(layout.results)
attempt_with(4096)  # a finished seed, but no outputs beside it
attempt()
"""
FULL = r"error: cannot write .*; nothing was left half-written\. Free space, then run the same command again\."
READ_ONLY = r"error: cannot write .*: Read-only file system; .* Make the folder writable, then run the same .*"
CONTINUES, TAKEN_OVER = r".* seed 0: continues after epoch 2/2", r".* seed 0: trained before, taken over .*"
NOTHING, TRAINED = r"\[\] False", r"\[\] True"


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
    expected = [
        *(FULL, NOTHING),
        *(FULL, NOTHING),
        *(CONTINUES, READ_ONLY, NOTHING),
        *(CONTINUES, TRAINED),
        *(TAKEN_OVER, FULL, NOTHING),
        *(TAKEN_OVER, TRAINED),
    ]
    said = [line for line in ended.stdout.splitlines() if ": epoch" not in line]
    assert len(said) == len(expected), said
    for line, pattern in zip(said, expected, strict=True):
        assert re.fullmatch(pattern, line)
