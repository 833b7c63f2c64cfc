"""Stages side by side, on a made-up repository whose commands are lines of shell."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from commands.dvc_inside.repository import stale_stages
from commands.reproduce.__main__ import main
from commands.reproduce.driver import reproduce
from stages.core.errors import StageError
from tests.dvc_here import dvc
from tests.small import REPOSITORY

# Tells of a Ctrl-C and goes on. A shell's trap would not do: between its fork and exec a command hears no signal.
HEEDS = """\
from pathlib import Path
from signal import SIG_BLOCK, SIGINT, pthread_sigmask, sigwait
pthread_sigmask(SIG_BLOCK, [SIGINT])
print("here")
sigwait([SIGINT])
Path("told").write_text("")
Path("pipe").read_text()
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    subprocess.run(["git", "init", "-q"], check=True)
    dvc("init")
    os.mkfifo("pipe")
    return tmp_path


def pipeline(cells: Mapping[str, str]) -> None:
    """A source, cells made of it by the given commands, and their total."""
    outs = {key: f"cells/{key}" for key in cells}
    stages = {
        "source": {"cmd": "echo source > source", "outs": ["source"]},
        "cell": {
            "foreach": dict(cells),
            "do": {"cmd": "echo ${key} >> log; ${item}", "deps": ["source"], "outs": ["cells/${key}"]},
        },
        "total": {"cmd": "cat cells/* > total", "deps": list(outs.values()), "outs": ["total"]},
    }
    Path("cells").mkdir(exist_ok=True)
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))


def executed() -> list[str]:
    """The cells whose commands have been executed since the last call."""
    log = Path("log").read_text().split()
    Path("log").unlink()
    return sorted(log)


def test_cells_run_side_by_side_and_dvc_finds_nothing_left_to_do(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pipeline({"a": "cat pipe > cells/a", "b": "echo b > pipe; cp log cells/b"})  # neither opens the pipe alone
    reproduce(Path(), 2)
    assert "`dvc repro` finds nothing to do." in capfd.readouterr().out
    assert Path("total").read_text().startswith("b\n")


def test_the_lock_is_that_of_a_sequential_run_byte_for_byte_whatever_ends_first(home: Path) -> None:
    a, b = (f"[ ! -e pipe ] || {command}" for command in ("cat pipe", "exec 3> pipe"))  # with a pipe, b ends first
    pipeline({"a": f"{a}; echo a > cells/a", "b": f"{b}; echo b > cells/b", "c": "echo c > cells/c"})
    reproduce(Path(), 2)
    side_by_side = Path("dvc.lock").read_bytes()
    for path in ("dvc.lock", "pipe"):
        Path(path).unlink()
    shutil.rmtree(".dvc/cache")
    dvc("repro")
    assert Path("dvc.lock").read_bytes() == side_by_side


def test_what_the_cache_has_is_not_executed_again(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pipeline({"a": "echo a > cells/a", "b": "echo b > cells/b"})
    reproduce(Path(), 2)
    assert executed() == ["a", "b"]
    for path in ("dvc.lock", "cells/a", "cells/b", "total"):
        Path(path).unlink()
    reproduce(Path(), 2)
    assert not Path("log").exists()
    assert "cell@a: taken from the cache" in capfd.readouterr().out
    assert Path("total").read_text() == "a\nb\n"


def test_a_failed_cell_stops_only_what_needs_it(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pipeline({"a": "echo no such weather; false", "b": "echo b > cells/b", "c": "echo c > cells/c"})
    with pytest.raises(StageError, match="1 of 5 stages failed; what is done is recorded"):
        reproduce(Path(), 2)
    said = capfd.readouterr().out
    assert "failed: cell@a: exit status 1: no such weather\n" in said
    assert "skipped, since they need what failed: total\n" in said
    assert executed() == ["a", "b", "c"]

    pipeline({"a": "echo a > cells/a", "b": "echo b > cells/b", "c": "echo c > cells/c"})
    capfd.readouterr()
    reproduce(Path(), 2)
    assert executed() == ["a"]
    assert "cell@b: unchanged" in capfd.readouterr().out


def test_an_output_that_does_not_appear_is_a_failure_by_name(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pipeline({"a": "true", "b": "echo b > cells/b"})
    with pytest.raises(StageError, match="stages failed"):
        reproduce(Path(), 2)
    assert "failed: cell@a: output 'cells/a' does not exist" in capfd.readouterr().out


def test_a_target_brings_what_it_needs_and_nothing_else(home: Path) -> None:
    pipeline({"a": "echo a > cells/a", "b": "echo b > cells/b", "c": "echo c > cells/c"})
    reproduce(Path(), 2, ["cell@[ab]"])
    assert executed() == ["a", "b"]
    assert Path("source").exists()
    assert not Path("total").exists()


def test_the_pipeline_of_another_home_is_left_alone(home: Path) -> None:
    pipeline({"a": "echo a > cells/a"})
    Path("full").mkdir()
    shutil.copy("dvc.yaml", "full/dvc.yaml")
    reproduce(Path(), 2)
    assert Path("total").exists()
    assert not Path("full/source").exists()
    reproduce(Path("full"), 2, ["source"])
    assert Path("full/source").exists()


@pytest.mark.parametrize("targets", [["nothing"], ["source", "cell@[x-z]"]])
def test_a_target_that_is_no_stage_is_named_and_nothing_is_run(home: Path, targets: list[str]) -> None:
    pipeline({"a": "echo a > cells/a"})
    with pytest.raises(StageError, match=r"^dvc.yaml has no stage '(nothing|cell@\[x-z\])'; `dvc stage list dvc.yaml`"):
        reproduce(Path(), 2, targets)
    assert not Path("source").exists()


def test_a_stage_that_is_refused_counts_as_failed_and_the_others_run(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pipeline({"a": "echo a > cells/a", "b": "echo b > cells/b"})
    with pytest.raises(StageError, match="1 of 4 stages failed"):
        reproduce(Path(), 2, [], {"cell@a": "no node was free"})
    assert "failed: cell@a: no node was free\n" in capfd.readouterr().out
    assert executed() == ["b"]


@pytest.mark.parametrize(
    ("setting", "share"), [({}, "2 8"), ({"OMP_NUM_THREADS": "3"}, "3 8"), ({"RECURNETS_CORES": "5"}, "2 5")]
)
def test_a_process_gets_its_share_of_the_cores_unless_told_otherwise(
    home: Path, monkeypatch: pytest.MonkeyPatch, setting: dict[str, str], share: str
) -> None:
    monkeypatch.delenv("RECURNETS_CORES")
    for name, value in {"LOKY_MAX_CPU_COUNT": "8", **setting}.items():  # joblib then takes the machine for a larger one
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(8))
    pipeline({"a": "echo $OMP_NUM_THREADS $RECURNETS_CORES > cells/a"})
    reproduce(Path(), 4)
    assert Path("cells/a").read_text().strip() == share


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="sessions are no groups here")
def test_the_sessions_of_its_processes_are_as_nice_as_it_is(home: Path) -> None:
    niceness = min(os.nice(0) + 7, 19)
    pipeline({"a": f"until grep 'nice {niceness}' /proc/self/autogroup > cells/a; do :; done"})
    words = ["nice", "-n", "7", sys.executable, "-m", "commands", "reproduce", "."]
    subprocess.run(words, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, check=True)


@pytest.mark.parametrize(("asked", "jobs"), [([], 8), (["--jobs", "3"], 3)])
def test_as_many_stages_run_as_there_are_cores_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, asked: list[str], jobs: int
) -> None:
    called: list[tuple[object, ...]] = []
    monkeypatch.setattr("commands.reproduce.__main__.reproduce", lambda *given: called.append(given))
    monkeypatch.setattr("commands.reproduce.__main__.machine_cores", lambda: 8)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["reproduce", "full", *asked, "check"])
    main()
    assert called == [(Path("full"), jobs, ["check"], {})]


REPRO = (sys.executable, "-m", "dvc", "repro")


@pytest.mark.parametrize("first", [REPRO, (sys.executable, "-m", "commands", "reproduce", ".", "--jobs", "2")])
def test_of_two_at_once_the_second_is_told_who_is_at_work_and_succeeds_later(
    home: Path, monkeypatch: pytest.MonkeyPatch, first: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    pipeline({"a": "cat pipe > cells/a"})
    running = subprocess.Popen(first)
    with Path("pipe").open("w") as pipe:  # opens when the stage does
        refused = subprocess.run(REPRO, capture_output=True, text=True)
        assert refused.returncode != 0
        assert f"is busy, it is being blocked by:\n  (PID {running.pid}): " in refused.stderr
        pipe.write("a\n")
    assert running.wait() == 0
    again = subprocess.run(REPRO, capture_output=True, text=True)
    assert again.returncode == 0
    assert "Stage 'cell@a' didn't change, skipping" in again.stdout
    assert Path("total").read_text() == "a\n"


@pytest.mark.parametrize("content", ["{", '{"a": 1}'])
def test_a_damaged_lock_on_the_outputs_is_named_with_what_to_do(
    content: str, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pipeline({"a": "echo a > cells/a"})
    Path(".dvc/tmp").mkdir(exist_ok=True)
    Path(".dvc/tmp/rwlock").write_text(content)
    with pytest.raises(StageError, match="stages failed"):
        reproduce(Path(), 2)
    assert "delete .dvc/tmp/rwlock once no other DVC is at work here" in capfd.readouterr().out
    with pytest.raises(StageError, match=r"delete \.dvc/tmp/rwlock once no other DVC is at work here\.$"):
        stale_stages(Path())
    Path(".dvc/tmp/rwlock").unlink()
    reproduce(Path(), 2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_commands_leaves_no_lock_and_says_how_to_continue(home: Path, number: signal.Signals) -> None:
    pipeline({"a": "echo a > cells/a", "b": "if [ -e go ]; then echo b; else echo here >&2; cat pipe; fi > cells/b"})
    command = [sys.executable, "-m", "commands", "reproduce", ".", "--jobs", "2", "cell@*"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    driver = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    awaited = {"cell@a: done in 0 s", "cell@b: here"}
    for line in driver.stdout:
        awaited.discard(line.rstrip().partition(" (")[0])
        if not awaited:
            break
    try:
        refused = subprocess.run([*REPRO, "--single-item", "cell@b"], capture_output=True, text=True)
        assert "is busy, it is being blocked by:" in refused.stderr
    finally:
        driver.send_signal(number)
    _, errors = driver.communicate(timeout=30)
    assert driver.returncode == 1
    assert errors == "error: interrupted; run the same command again to continue.\n"
    with pytest.raises(OSError) as gone:
        os.open("pipe", os.O_WRONLY | os.O_NONBLOCK)  # nobody reads
    assert gone.value.errno == errno.ENXIO
    held = json.loads(Path(".dvc/tmp/rwlock").read_text())
    assert not any(held.values())

    Path("go").touch()
    executed()
    reproduce(Path(), 2)
    assert executed() == ["b"]


def test_what_is_done_is_recorded_whatever_follows_the_first_ctrl_c(home: Path) -> None:
    os.mkfifo("told")
    Path("heeds.py").write_text(HEEDS)
    pipeline({"a": "echo a > cells/a", "b": f"{sys.executable} -u heeds.py"})
    command = [sys.executable, "-m", "commands", "reproduce", ".", "--jobs", "1", "cell@*"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    driver = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    next(line for line in driver.stdout if line == "cell@b: here\n")
    driver.send_signal(signal.SIGINT)
    Path("told").read_text()  # the first Ctrl-C has reached the command, which goes on
    driver.send_signal(signal.SIGINT)
    _, errors = driver.communicate(timeout=30)
    assert errors == "error: interrupted; run the same command again to continue.\n"
    recorded = yaml.safe_load(Path("dvc.lock").read_text())["stages"]
    assert set(recorded) == {"source", "cell@a"}
