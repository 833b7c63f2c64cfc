"""Run the pipeline of a home with several stages side by side.

    python -m commands reproduce HOME [--jobs N] [--slurm] [TARGET ...]

does what `dvc repro` does, N commands at a time, one per core unless you say otherwise: what is up to date stays, what
the cache has is taken from there, the rest runs in the order of its dependencies and is recorded in dvc.lock. A TARGET
is a stage of HOME/dvc.yaml, wildcards allowed, and brings what it depends on. A stage that fails does not stop those
that do not need it; it is reported at the end, and the exit status is 1. A process gets the cores divided by N as
OMP_NUM_THREADS, unless you have set that; it is what `compute.threads: 0` uses. Cells of a study, and several
seeds, are trained side by side on the cores that the stages beside it leave, as RECURNETS_CORES, unless you have set
that. At the end `dvc repro` is asked, and must find nothing to do.

With --slurm, what has to be trained is trained by jobs of Slurm, whose wishes are in the section `slurm` of
HOME/params.yaml; all else runs here. Ctrl-C leaves them in the queue, and the same command waits for them again.
"""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from commands.reproduce.driver import reproduce
from stages.core.cores import machine_cores
from stages.core.errors import run_stage


def positive(text: str) -> int:
    """A number from 1."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got '{text}'")
    return int(text)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="folder with dvc.yaml: . or full")
    parser.add_argument("--jobs", type=positive, help="how many stages run side by side (default: one per core)")
    parser.add_argument("--slurm", action="store_true", help="train in jobs of Slurm, on a machine that submits them")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="a stage, say 'train@mnist-*' (default: all)")
    arguments = parser.parse_intermixed_args()  # targets may follow --jobs
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also behind a shell's &, for the commands inherit it
    for number in (signal.SIGTERM, signal.SIGHUP):  # end as tidily; nohup's wish is respected
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    jobs, refused = arguments.jobs or machine_cores(), {}
    if arguments.slurm:
        from commands.reproduce.slurm import train_on_slurm  # which takes seconds to import

        refused = train_on_slurm(arguments.home, jobs, arguments.targets)
    reproduce(arguments.home, jobs, arguments.targets, refused)


if __name__ == "__main__":
    run_stage(main)
