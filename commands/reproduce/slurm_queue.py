"""Slurm's queue: giving it jobs, and asking how they are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.core.errors import StageError
from stages.params import Slurm
from stages.train.slurm_job import WARNING_SECONDS, Job

ARRAY = 1000  # jobs of an array: Slurm's own limit, unless a cluster has raised it
OVER = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "REVOKED", "TIMEOUT",
}  # fmt: skip
RUNNING = {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED"}
OFTEN = 1_000_000  # a job may run out of its time as often as it makes a new checkpoint
ANSWER_SECONDS = 60


def check_slurm() -> None:
    """A :class:`StageError` says what is missing."""
    if not shutil.which("sbatch"):
        raise StageError(
            "--slurm: there is no `sbatch` on the PATH; run this on a machine from which jobs are submitted."
        )
    try:
        import submitit  # noqa: F401
    except ImportError:
        raise StageError("--slurm needs submitit; install it with `python -m pip install 'submitit>=1.5'`.") from None


class Queue:
    """Slurm, for jobs that write their logs into ``folder`` and are called in the folder ``code``."""

    def __init__(self, folder: Path, asks: Slurm) -> None:
        self.folder, self.asks = folder, asks

    def submit(self, jobs: Sequence[Job], code: Path, at_once: int) -> list[str]:
        """Submit an array of which ``at_once`` may run side by side; gives the numbers of its jobs, in the same order.

        A :class:`StageError` has Slurm's words if it refuses.
        """
        from submitit import SlurmExecutor
        from submitit.core.utils import FailedJobError
        from submitit.helpers import clean_env, environment_variables

        executor = SlurmExecutor(self.folder, max_num_timeout=OFTEN)
        executor.update_parameters(**self._parameters(code, at_once))
        where = {name: os.environ[name] for name in ("SLURM_CONF",) if name in os.environ}
        try:
            # Without the variables of an allocation that this runs in.
            with clean_env(), environment_variables(**where), executor.batch():
                submitted = [executor.submit(job) for job in jobs]
        except FailedJobError as error:
            words = " ".join(re.sub("sbatch: (error|fatal): ", "", str(error)).split())
            raise StageError(f"Slurm refuses the jobs: {words}; correct `slurm` in params.yaml.") from None
        return [job.job_id for job in submitted]

    def _parameters(self, code: Path, at_once: int) -> dict[str, Any]:
        """What submitit is told, in Slurm's words where it has no own."""
        asks = self.asks
        return {
            "job_name": "does-it-hold",
            "time": asks.minutes,
            "mem": None if asks.memory_gb is None else f"{round(1024 * asks.memory_gb)}M",
            "cpus_per_task": asks.cpus,
            "srun_args": [f"--cpus-per-task={asks.cpus}"],  # which srun no longer takes over from sbatch
            "gpus_per_node": asks.gpus or None,
            "partition": asks.partition,
            "array_parallelism": at_once,
            "signal_delay_s": min(WARNING_SECONDS, 30 * asks.minutes),
            "stderr_to_stdout": True,
            "additional_parameters": {"requeue": True, "chdir": str(code.resolve()), **asks.options},
        }

    def states(self) -> dict[str, str] | None:
        """The state of every job of ours that Slurm has not forgotten, by its number; None if it does not answer."""
        command = ["squeue", "--noheader", "--array", "--me", "--states=all", "--format=%i %T"]
        try:
            said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=ANSWER_SECONDS).stdout
        except (OSError, subprocess.SubprocessError):
            return None
        return dict(line.split(maxsplit=1) for line in said.splitlines() if " " in line)

    def log(self, number: str) -> Path:
        """What a job prints, in all of its attempts."""
        return self.folder / f"{number}_0_log.out"
