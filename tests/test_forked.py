"""Stages that are copies of a process with the libraries: they are what `python -m` makes of the same command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from commands.reproduce.board import Board, roughly
from commands.reproduce.forked import Stage, fork, stage_of
from commands.reproduce.processes import Ended, Line, Processes
from tests.clone import BIN
from tests.small import REPOSITORY

pytestmark = pytest.mark.slow


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def as_a_copy(stage: Stage, environment: Mapping[str, str]) -> tuple[str, int]:
    started = fork(stage, environment)
    return started.stdout.read(), started.wait()


@pytest.mark.parametrize("arguments", [("--help",), ("nowhere", "elman"), ()], ids=["help", "error", "usage"])
def test_a_copy_says_and_returns_what_a_process_of_its_own_does(
    arguments: tuple[str, ...], environment: Mapping[str, str]
) -> None:
    alone = subprocess.run(
        [sys.executable, "-m", "stages.train", *arguments],
        cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    said, status = as_a_copy(Stage("stages.train", arguments), environment)
    assert status == alone.returncode
    assert said == alone.stdout


def test_the_processes_of_a_copy_start_as_those_of_a_process_of_its_own(environment: Mapping[str, str]) -> None:
    statement = "import multiprocessing; print(multiprocessing.get_start_method())"
    timed = ["-n", "1", "-r", "1", statement]  # prints the method, then seconds
    alone = subprocess.run([sys.executable, "-m", "timeit", *timed], capture_output=True, text=True, check=True)
    said, _ = as_a_copy(Stage("timeit", timed), environment)
    assert said.splitlines()[0] == alone.stdout.splitlines()[0]


def test_a_copy_leads_a_session_of_its_own_and_hears_of_ctrl_c(tmp_path: Path, environment: Mapping[str, str]) -> None:
    os.mkfifo(tmp_path / "params.yaml")
    processes = Processes()
    processes.start("check", f"cd {REPOSITORY} && python -m stages.check {tmp_path}", str(tmp_path), environment)
    with (tmp_path / "params.yaml").open("w"):  # opens as soon as the stage reads it
        (running,) = processes._running.values()
        assert os.getsid(running.process.pid) == running.process.pid
        processes.stop()
    assert processes.next() == Line("check", "error: interrupted; run the same command again to continue.")


def test_the_exit_status_of_a_copy_is_told(tmp_path: Path, environment: Mapping[str, str]) -> None:
    processes = Processes()
    processes.start("check", f"cd {REPOSITORY} && python -m stages.check {tmp_path}", str(tmp_path), environment)
    said = processes.next()
    assert isinstance(said, Line)
    assert said.text.startswith(f"error: {tmp_path / 'params.yaml'}")
    assert processes.next() == Ended("check", 1)


@pytest.mark.parametrize(
    ("command", "module"),
    [
        ("cd . && python -m stages.train . elman", "stages.train"),
        ("cd . && python -m stages.check .", "stages.check"),
        ("cd .. && python -m stages.train . elman", None),
        ("cd . && python -m commands.summary .", None),
        ("cd . && python3.12 -m stages.train . elman", None),
        ("cd . && python -m stages.train . elman > log", None),
        ("cd . && python -m stages.train . $KEY", None),
        ("python train.py", None),
        ("cat <<END > out\nit's\nEND", None),
    ],
)
def test_only_a_plain_stage_of_this_repository_is_copied(
    command: str, module: str | None, environment: Mapping[str, str]
) -> None:
    found = stage_of(command, str(REPOSITORY))
    assert (found and found.module) == module


def test_another_interpreter_on_the_path_is_left_to_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert stage_of("cd . && python -m stages.train . elman", str(REPOSITORY)) is None


def test_the_time_left_is_reckoned_by_kind_once_enough_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    board = Board([*(f"train@{number}" for number in range(4)), *(f"evaluate@{number}" for number in range(4))], jobs=2)
    board.begin("train@0")
    now = 20.0
    board.end("train@0", "done in 20 s")
    assert board.left() is None  # one of eight
    board.begin("evaluate@0")
    now = 24.0
    board.end("evaluate@0", "done in 4 s")
    assert board.left() == (3 * 20 + 3 * 4) / 2
    board.begin("train@1")
    now = 34.0
    assert board.left() == (10 + 2 * 20 + 3 * 4) / 2
    now = 99.0  # longer than its kind took: no less than nothing is left of it
    assert board.left() == (2 * 20 + 3 * 4) / 2


def test_what_is_unchanged_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    board = Board([f"train@{number}" for number in range(4)], jobs=1)
    board.end("train@0", "unchanged")
    assert board.left() == 0
    board.begin("train@1")
    now = 10.0
    board.end("train@1", "done in 10 s")
    assert board.left() == 2 * (0 + 10) / 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3, "about 10 s"), (47, "about 50 s"), (104, "about 100 s"), (110, "about 2 min"), (4000, "about 1 h 06 min")],
)
def test_a_guess_is_told_no_more_exactly_than_it_is_known(seconds: float, words: str) -> None:
    assert roughly(seconds) == words
