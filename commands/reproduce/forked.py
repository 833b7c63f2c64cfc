"""Stages started as copies of a process that has read the libraries already, which spares each of them two seconds.

Only other people's code is read in advance (:mod:`commands.reproduce.libraries`): a stage reads its own as it is then.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.forkserver
import os
import runpy
import shlex
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import TextIOWrapper
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Stage:
    """What `python -m MODULE ARGUMENTS` says, run in the repository."""

    module: str
    arguments: Sequence[str]


def stage_of(command: str, folder: str) -> Stage | None:
    """The stage that ``command`` runs in ``folder``, of the form `cd FOLDER && python -m stages.NAME ...`.

    None where it is anything else, of another repository or for another interpreter than this one, and where the
    system cannot fork.
    """
    try:
        words = shlex.split(command)
    except ValueError:  # a here-document, say, whose quotes the shell alone can tell
        return None
    match words:
        case ["cd", where, "&&", "python", "-m", module, *arguments]:
            here = Path(folder, where).resolve() == ROOT and _python_is_ours()
            plain = module.startswith("stages.") and not set(command) & set("|;<>$`*?#")
            able = "forkserver" in multiprocessing.get_all_start_methods()
            return Stage(module, arguments) if here and plain and able else None
    return None


def _python_is_ours() -> bool:
    found = shutil.which("python")
    return found is not None and Path(found).parent == Path(sys.executable).parent


@dataclass(frozen=True)
class Forked:
    """A running stage: as much of `subprocess.Popen` as is needed of it."""

    process: multiprocessing.context.ForkServerProcess
    stdout: TextIOWrapper

    @property
    def pid(self) -> int:
        """Its number, which is also that of its session."""
        assert self.process.pid is not None
        return self.process.pid

    def wait(self) -> int:
        """Its exit status once it has ended, negative if a signal killed it."""
        self.process.join()
        assert self.process.exitcode is not None
        return self.process.exitcode


def fork(stage: Stage, environment: Mapping[str, str]) -> Forked:
    """Start ``stage`` with this environment, as a session of its own."""
    context = _server(environment.get("OMP_NUM_THREADS", ""))
    read, write = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(stage, dict(environment), write))
    process.start()
    write.close()
    return Forked(process, os.fdopen(os.dup(read.fileno()), encoding="utf-8", errors="replace"))


@cache
def _server(threads: str) -> ForkServerContext:
    """Starts processes from one that has read the libraries; these see for themselves how many threads there are."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["commands.reproduce.libraries"])
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = threads
    try:
        multiprocessing.forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before
    return context


def _run(stage: Stage, environment: Mapping[str, str], output: Connection) -> None:
    """Be `python -m` with the stage's module, in a process of its own."""
    os.setsid()
    multiprocessing.set_start_method(None, force=True)  # not ours, but the usual one for the processes of a stage
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    output.close()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    sys.path[0] = str(ROOT)
    from stages.core.cores import as_nice  # as it is now

    as_nice(os.getpid())
    sys.argv = [stage.module, *stage.arguments]
    runpy.run_module(stage.module, run_name="__main__", alter_sys=True)
