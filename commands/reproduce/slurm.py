"""Training by jobs of Slurm: submitted once, waited for as often as one likes.

Nodes and this machine share the folder of the project. A job keeps the seeds that it trains where the stage `train`
looks for them (:mod:`stages.train.seeds`), so that the stages that run here afterwards only write their outputs.
HOME/.slurm/ has the jobs' numbers by what they train, the code that they run, and what they print.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from commands.reproduce.lock import undisturbed
from commands.reproduce.slurm_queue import ARRAY, OVER, Queue, check_slurm
from commands.reproduce.slurm_tasks import Wanted, wanted
from commands.reproduce.slurm_wait import Waiting
from stages.core.errors import StageError
from stages.core.files import atomic_folder, read_json, sha256, sha256_of, write_json
from stages.core.layout import Layout
from stages.params import load_params
from stages.train.plan import ANEW
from stages.train.seeds import kept_seeds
from stages.train.slurm_job import Job, carried, prepare


def train_on_slurm(home: Path, jobs: int, targets: Sequence[str]) -> dict[str, str]:
    """Train in jobs of Slurm whatever the stages ``targets`` of ``home`` need; what comes before it runs here.

    Gives the stages that cannot run since a task of theirs failed, each with a sentence that names the log. Ctrl-C
    leaves the jobs where they are. A :class:`StageError` says why nothing can be submitted.
    """
    check_slurm()
    if os.environ.get(ANEW):
        raise StageError(f"--slurm takes over what its jobs have trained, which {ANEW} forbids; unset it.")
    layout, needed = Layout(home), {one.digest: one for one in wanted(home, jobs, targets)}
    asks = load_params(layout.params).slurm
    queue, submitted = Queue(layout.slurm / "jobs", asks), Submitted(layout.slurm / "submitted.json")
    if not needed and not submitted.jobs:
        return {}
    submitted.forget_all_but(in_the_queue(queue))
    say([job for digest, job in submitted.jobs.items() if digest not in needed], "in the queue, not needed here")
    say([job for digest, job in submitted.jobs.items() if digest in needed], "submitted before")
    try:
        submit([one for digest, one in needed.items() if digest not in submitted.jobs], queue, submitted, layout)
    finally:
        if not submitted.jobs:  # refused
            shutil.rmtree(layout.slurm, ignore_errors=True)
    waited_for = {submitted.jobs[digest]: one for digest, one in needed.items()}
    try:
        failed = Waiting(waited_for, queue, kept_seeds(home), asks.at_once).to_the_end()
    except KeyboardInterrupt:
        print(f"slurm: what is not over stays in the queue; `scancel {numbers(waited_for)}` ends it", flush=True)
        raise
    if not failed and set(Submitted(submitted.path).jobs) <= set(needed):  # another command may have submitted more
        shutil.rmtree(layout.slurm)
    return failures(failed)


def submit(new: Sequence[Wanted], queue: Queue, submitted: Submitted, layout: Layout) -> None:
    """Submit what is ``new``, as arrays that share the number of jobs that may run at the same time."""
    arrays = [new[start : start + ARRAY] for start in range(0, len(new), ARRAY)]
    for array in arrays:
        jobs = [Job(one.task.key, one.task.seeds, queue.asks.minutes) for one in array]
        with undisturbed():  # a job whose number is not written down would be submitted again
            made = queue.submit(jobs, copied(layout), max(1, queue.asks.at_once // len(arrays)))
            submitted.add({one.digest: job for one, job in zip(array, made, strict=True)})
        say(made, "submitted")


def say(jobs: Sequence[str], what: str) -> None:
    """Tell how many ``jobs`` there are, if any, and their numbers."""
    if jobs:
        print(f"slurm: {len(jobs)} job{'s' if len(jobs) > 1 else ''} {what}: {numbers(jobs)}", flush=True)


def numbers(jobs: Iterable[str]) -> str:
    """As Slurm's commands take them, an array by one number."""
    return " ".join(dict.fromkeys(job.partition("_")[0] for job in jobs))


class Submitted:
    """The numbers of the jobs that train something, by its digest, kept in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.jobs: dict[str, str] = read_json(path) if path.is_file() else {}

    def add(self, jobs: Mapping[str, str]) -> None:
        """Have these kept, too."""
        self.jobs |= jobs
        write_json(self.path, self.jobs)

    def forget_all_but(self, numbers: set[str]) -> None:
        """Drop what is no longer in the queue."""
        self.jobs = {digest: job for digest, job in self.jobs.items() if job in numbers}


def in_the_queue(queue: Queue) -> set[str]:
    """The numbers of the jobs that wait or run; a :class:`StageError` if Slurm does not answer."""
    states = queue.states()
    if states is None:
        raise StageError("Slurm does not answer `squeue --me`; see why, then run the same command again.")
    return {number for number, state in states.items() if state not in OVER}


def copied(layout: Layout) -> Path:
    """A folder that jobs run in, whatever is edited here meanwhile; another one when code or parameters are others."""
    digest = sha256_of({name: sha256(path) for name, path in carried(layout).items()})
    folder = layout.slurm / f"code-{digest[:16]}"
    if not folder.is_dir():
        with atomic_folder(folder) as temporary:
            prepare(temporary, layout)
    return folder


def failures(failed: Mapping[str, tuple[Wanted, str]]) -> dict[str, str]:
    """By stage, what is said of its tasks that ``failed``."""
    said: dict[str, list[str]] = {}
    for one, reason in failed.values():
        for stage in one.stages:
            said.setdefault(stage, []).append(f"{one.task.name}: {reason}")
    return {stage: "; ".join(reasons) for stage, reasons in said.items()}
