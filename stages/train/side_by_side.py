"""Training what is left of some cells on this machine: as many tasks side by side as the cores allow.

The processes are started once and train one task after another, each as if it were alone: with `compute.threads`
threads, so that a seed ends bit for bit the same. On a GPU, and where a training takes all cores (`threads: 0`), this
process trains one task after another.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import Connection, wait
from threading import Thread

from stages.cell import Cell, Compute
from stages.core.cores import cores
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.core.progress import Progress
from stages.learning.device import choose_device
from stages.train.local import CellTraining, train_and_keep
from stages.train.outstanding import Outstanding
from stages.train.pause import pause_when_asked, paused_at_once
from stages.train.plan import Planner
from stages.train.seeds import KeptSeeds, kept_seeds
from stages.train.tasks import Task

GRACE_SECONDS = 10.0  # for a process to save a checkpoint


def run(cells: Sequence[Cell], compute: Compute, layout: Layout) -> None:
    """Train every seed of ``cells`` that was not trained before, and write the outputs of all of them.

    A task that fails does not stop the others; a :class:`StageError` says in the end what failed.
    """
    outstanding = Outstanding(cells, compute, layout)
    count = min(len(outstanding.tasks), processes(compute))
    if count > 1:
        _train_in_processes(outstanding, count, compute)
    else:
        _train_here(outstanding)
    outstanding.check()


def processes(compute: Compute) -> int:
    """How many trainings this stage may have side by side."""
    on_processor = choose_device(compute).type == "cpu"
    return max(1, cores() // compute.threads) if on_processor and compute.threads else 1


def _train_here(outstanding: Outstanding) -> None:
    """One task after another in this process."""
    total = len(outstanding.tasks)
    for number, task in enumerate(outstanding.tasks, start=1):
        plan = outstanding.plans[task.key]
        try:
            train_and_keep(CellTraining(plan, outstanding.layout), task.seeds, outstanding.kept)
        except StageError as error:
            outstanding.fail(task, str(error))
            continue
        outstanding.done(task)
        if total > 1:
            print(f"{outstanding.group}: {task.name} is trained ({number} of {total})", flush=True)


def _train_in_processes(outstanding: Outstanding, count: int, compute: Compute) -> None:
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    told, tell = context.Pipe(duplex=False)
    total = len(outstanding.tasks)
    with Progress(outstanding.group, total) as progress, _lines(told, tell, progress.line), paused_at_once():
        pool = ProcessPoolExecutor(count, context, _begin, (tell, compute, outstanding.layout))
        with _ended(pool):
            futures = {_submit(pool, outstanding, task): task for task in outstanding.tasks}
            for future in as_completed(futures):
                task = futures.pop(future)
                progress.advance()
                try:
                    future.result()
                except StageError as error:
                    outstanding.fail(task, str(error))
                    continue
                outstanding.done(task)
                progress.say(f"{task.name} is trained ({progress.count} of {total})")


def _submit(pool: ProcessPoolExecutor, outstanding: Outstanding, task: Task) -> Future[None]:
    return pool.submit(_train, outstanding.plans[task.key].cell, task.seeds)


@contextmanager
def _ended(pool: ProcessPoolExecutor) -> Iterator[None]:
    """Whatever ends the block, the processes end with it, and pause their trainings if there is time."""
    try:
        yield
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        deadline = time.monotonic() + GRACE_SECONDS
        for process in active_children():
            process.terminate()
        for process in active_children():
            process.join(max(0.0, deadline - time.monotonic()))
        for process in active_children():
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _lines(told: Connection, tell: Connection, say: Callable[[str], None]) -> Iterator[None]:
    """Have what the processes print said here, line by line, so that it does not run into a bar on a terminal."""

    def read() -> None:
        with os.fdopen(os.dup(told.fileno()), encoding="utf-8", errors="replace") as lines:
            for line in lines:
                say(line.rstrip())

    reader = Thread(target=read, daemon=True)
    reader.start()
    try:
        yield
    finally:
        tell.close()
        reader.join()
        told.close()


# What follows is run in the processes.

_train_task: Callable[[Cell, Sequence[int]], None]


def _begin(tell: Connection, compute: Compute, layout: Layout) -> None:
    """Get ready: a terminal's Ctrl-C is for the stage, which passes it on, and nobody trains on when that is gone."""
    global _train_task
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pause_when_asked()
    Thread(target=_end_with_the_stage, daemon=True).start()
    os.dup2(tell.fileno(), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    tell.close()
    _train_task = partial(_plan_and_train, Planner(compute, layout), layout, kept_seeds(layout.home))


def _end_with_the_stage() -> None:
    stage = parent_process()
    assert stage is not None
    wait([stage.sentinel])
    os._exit(1)


def _train(cell: Cell, seeds: Sequence[int]) -> None:
    _train_task(cell, seeds)


def _plan_and_train(planner: Planner, layout: Layout, kept: KeptSeeds, cell: Cell, seeds: Sequence[int]) -> None:
    train_and_keep(CellTraining(planner.plan(cell), layout), seeds, kept)
