"""Training in jobs of a real Slurm on this machine: interrupted, killed, taken up again, and cancelled."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.clone import BIN, Clone
from tests.cluster import until as until_said
from tests.slurm import UnavailableError, said, slurm, until

KEYS = ("lstm", "lstm-unbalanced", "lstm-generalized")

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    """A clone whose trainings take as long as it takes to interfere with them, beside a Slurm."""
    pytest.importorskip("submitit")
    made = Clone.made(tmp_path)
    made.shorten()
    made.change(some_seconds)
    try:
        with slurm():
            yield made
    except UnavailableError as reason:
        pytest.skip(str(reason))


def some_seconds(params: dict[str, Any]) -> None:
    params["slurm"] = {"at_once": 2, "minutes": 5}
    params["recipes"]["mnist-rnn"] |= {"epochs": 60, "batch_size": 8}
    params["runs"]["lstm-generalized"]["changes"] = {"epochs": 61}  # without its own objective, which takes longer


def driver(clone: Clone) -> subprocess.Popen[str]:
    targets = [f"train-run@{key}" for key in KEYS]
    return subprocess.Popen(
        [sys.executable, "-m", "commands", "reproduce", ".", "--jobs", "2", "--slurm", *targets],
        cwd=clone.folder,
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "RECURNETS_CHECKPOINT_SECONDS": "0.2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def state(job: str) -> str:
    return said("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T").strip()


def processes(job: str) -> Iterator[int]:
    """Those of a task of a job array that are alive."""
    array, place = job.split("_")
    of_job = {f"SLURM_ARRAY_JOB_ID={array}", f"SLURM_ARRAY_TASK_ID={place}", f"SLURM_CONF={os.environ['SLURM_CONF']}"}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            if of_job <= set((folder / "environ").read_text(errors="replace").split("\0")):
                yield int(folder.name)


def test_what_is_warned_or_killed_goes_on_from_its_checkpoint_bit_for_bit_and_what_is_cancelled_is_named(
    clone: Clone,
) -> None:
    first = driver(clone)
    number = re.search(r"slurm: 3 jobs submitted: (\d+)", until_said("jobs submitted", first))
    assert number
    warned, killed, held = (f"{number[1]}_{place}" for place in range(3))
    said("scontrol", "hold", held)
    logs = {job: clone.folder / f".slurm/jobs/{job}_0_log.out" for job in (warned, killed, held)}

    def at_work(job: str) -> bool:
        return logs[job].is_file() and "epoch 8/" in logs[job].read_text()  # with a checkpoint

    def interfere(job: str) -> None:
        if job == warned:
            said("scancel", "--signal=USR2", job)  # as Slurm does before the end of a job's time
            return
        said("scontrol", "requeue", job)  # as for a more urgent job
        for process in processes(job):  # now: Slurm itself waits for some seconds, in which a short training ends
            os.kill(process, signal.SIGKILL)

    left = [warned, killed]

    def interfered() -> bool:
        for job in filter(at_work, list(left)):
            interfere(job)
            left.remove(job)
        return not left

    until(interfered, "both at work", 120)  # each as soon as it is: one may begin long before the other
    for job in (warned, killed):
        until(lambda job=job: state(job) == "PENDING", f"job {job} in the queue again")
    first.send_signal(signal.SIGINT)
    rest, _ = first.communicate(timeout=30)
    assert f"slurm: what is not over stays in the queue; `scancel {number[1]}` ends it" in rest
    assert first.returncode == 1

    second = driver(clone)
    assert f"slurm: 3 jobs submitted before: {number[1]}\n" in until_said("submitted before", second)
    said("scancel", held)
    for job in (warned, killed):  # Slurm itself lets a job wait for two minutes that was put back into the queue
        said("scontrol", "update", f"JobId={job}", "StartTime=now")
    rest, _ = second.communicate(timeout=480)
    assert second.returncode == 1
    sentence = (
        rf"^failed: train-run@(\S+): \1 seed 0: job {held} \(CANCELLED\): it printed nothing; its log is \S+\.out$"
    )
    (cancelled,) = re.findall(sentence, rest, re.MULTILINE)

    for job in (warned, killed):
        (key,) = re.findall(r"^(\S+) seed 0: continues after epoch", logs[job].read_text(), re.MULTILINE)
        assert key != cancelled
        files = sorted((clone.folder / "results" / "training" / key).iterdir())
        trained = [path.read_bytes() for path in files]
        clone.run("env", "RECURNETS_TRAIN_ANEW=1", sys.executable, "-m", "stages.train", ".", key)
        assert [path.read_bytes() for path in files] == trained
