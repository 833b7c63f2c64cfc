"""A pipeline that is killed, and a cache that is lost or damaged: what makes it good again."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from stages.core.errors import StageError
from stages.splits.format import read_split
from tests.clone import BIN, Clone
from tests.small import REPOSITORY

pytestmark = pytest.mark.pipeline


class Waiting:
    """A repository of whose image folder one file is a pipe, so that downloading waits until it is fed."""

    TARGET = "split-folder@mine"

    def __init__(self, folder: Path) -> None:
        self.clone = Clone.made(folder)
        self.clone.shorten()
        self.clone.change(lambda params: params.update(folders={"mine": {"folder": "images"}}))
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


def damage(stored: Path) -> None:
    """As a bad disk does: it remains the read-only file that DVC takes for what its name says."""
    whole = stored.read_bytes()
    stored.chmod(0o644)
    stored.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    stored.chmod(0o444)


def test_a_missing_or_damaged_cache_is_made_good(waiting: Waiting) -> None:
    """Data are made again, and their bytes are the same."""
    folder, cache = waiting.clone.folder, waiting.clone.folder / ".dvc" / "cache"
    data = folder / "data" / "mine"
    whole = (data / "train_images.npy").read_bytes()
    shutil.rmtree(cache)
    shutil.rmtree(data)
    assert waiting.repro().returncode == 0
    assert (data / "train_images.npy").read_bytes() == whole

    stored = next(path for path in (cache / "files").rglob("*") if path.is_file() and path.read_bytes() == whole)
    damage(stored)
    shutil.rmtree(data)
    assert waiting.repro().returncode == 0
    with pytest.raises(StageError, match=r"images\.npy is damaged"):  # DVC does not see it, but whoever reads it
        read_split(data)
    shutil.rmtree(data)
    said = waiting.clone.run("python", "-m", "commands", "audit", ".", ok=False).stdout
    told = re.search(rf"{stored.relative_to(folder)} is damaged: .* `(rm [^`]+)`; then .*`dvc repro` makes it", said)
    assert told
    waiting.clone.run(*told[1].split())
    assert waiting.repro().returncode == 0
    assert (data / "train_images.npy").read_bytes() == whole
