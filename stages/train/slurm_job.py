"""The part of a training under Slurm that runs on the node.

A job's folder holds a copy of the code and the parameters as they were when it was submitted, and links to the data and
the checkpoints of its home (:func:`prepare`). There submitit calls :class:`Job`, in every attempt that Slurm makes: it
starts `python -m stages.train` as a process of its own, which goes on from the last checkpoint.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

    from stages.core.layout import Layout

WARNING = signal.SIGUSR2  # what submitit has Slurm send
WARNING_SECONDS = 120  # before the end of a job's time
PATIENCE_SECONDS = 60.0  # with a training that has been warned
HOME = "home"


@dataclass(frozen=True)
class Job:
    """The training of ``seeds`` of the cell called ``key``, in the folder that it is called in.

    ``minutes``: how long the job may take.
    """

    key: str
    seeds: tuple[int, ...]
    minutes: int

    def __call__(self) -> None:
        """Train to the end. If the job's time is over before, have Slurm put it into the queue again.

        A training that fails ends the process with its exit status; the last line that is printed says why.
        """
        requeue, before, start = signal.getsignal(WARNING), self._saved(), time.monotonic()
        status, warned = self._run()
        if status == 0:
            return
        if (warned or status == -WARNING) and callable(requeue):  # before it had learnt what the signal means
            if self._saved() == before and time.monotonic() - start > 60 * self.minutes / 2:
                sys.exit(
                    "error: no checkpoint was made in the time of a whole job; raise slurm.minutes in params.yaml."
                )
            requeue(WARNING, None)  # this ends the process
        if status < 0:
            sys.exit(f"error: its process was killed by {signal.Signals(-status).name}, for want of memory perhaps.")
        sys.exit(status)

    def checkpoint(self) -> DelayedSubmission:
        """What submitit runs in the next attempt: the same."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)

    def _saved(self) -> dict[Path, int]:
        """When each checkpoint of these seeds was saved; there is one for every kind of hardware."""
        name = f"seed-{'-'.join(map(str, self.seeds))}.pt"
        return {path: path.stat().st_mtime_ns for path in Path(HOME, ".checkpoints", self.key).glob(f"*/{name}")}

    def _run(self) -> tuple[int, bool]:
        """The exit status of the training, negative if a signal killed it; whether the job was warned of its end."""
        command = [sys.executable, "-m", "stages.train", HOME, self.key, "--seeds", *map(str, self.seeds)]
        process = subprocess.Popen(command, env=environment(os.environ), preexec_fn=_ignore_end)
        warned: list[float] = []

        def warn(*_: object) -> None:
            warned.append(time.monotonic())
            process.send_signal(WARNING)  # Slurm has told it, too, unless the cluster signals single processes

        signal.signal(WARNING, warn)
        while True:
            try:
                return process.wait(timeout=1.0), bool(warned)
            except subprocess.TimeoutExpired:
                if warned and time.monotonic() - warned[0] > PATIENCE_SECONDS:
                    process.kill()


def _ignore_end() -> None:
    """Slurm announces a preemption by SIGTERM to all processes of a job, and kills them later: it trains until then."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """That of a training, made of ``ours``: as many threads as the job has cores, unless the user said how many."""
    threads = {"OMP_NUM_THREADS": ours.get("SLURM_CPUS_PER_TASK", "1")}
    return {**threads, **{name: value for name, value in ours.items() if name != "RAY_ADDRESS"}}


def carried(layout: Layout) -> dict[str, Path]:
    """What a job needs a copy of, by its name in the job's folder: the code and the parameters."""
    from stages.core.dependencies import ROOT

    code = [path for folder in ("stages", "models") for path in (ROOT / folder).rglob("*.py")]
    files = {path.relative_to(ROOT).as_posix(): path for path in (*code, ROOT / "dvc.yaml")}
    return {**files, f"{HOME}/{layout.params.name}": layout.params}


def prepare(folder: Path, layout: Layout) -> None:
    """Make ``folder`` one in which a :class:`Job` of ``layout``'s home can be called."""
    for name, path in carried(layout).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)  # with its time: a stage refuses code that is younger than itself
    layout.checkpoints.mkdir(exist_ok=True)
    for linked in (layout.checkpoints, layout.home / "data"):
        (folder / HOME / linked.name).symlink_to(linked.resolve(), target_is_directory=True)
