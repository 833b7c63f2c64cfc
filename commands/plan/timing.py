"""A training step of each network, timed on this machine on made-up images, with as many beside it as will train."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from itertools import islice
from multiprocessing import get_context
from statistics import median, quantiles

import numpy as np
import torch

from models.registry import build
from stages.cell import Cell, Compute
from stages.learning.batches import load_images, training_batches
from stages.learning.device import choose_device, describe, keep_freed_memory
from stages.learning.engine import Training
from stages.learning.inference import measure
from stages.results.timed import Machine, Timed, work_of
from stages.splits.facts import OFFICIAL
from stages.splits.format import Part
from stages.splits.streams import numpy_stream
from stages.train.code_digest import code_digest

WARM_UP = 1  # the first step asks for memory
SECONDS, FEWEST, MOST = 2.0, 4, 50  # of training steps
BATCHES = 3  # of made-up images


def this_machine(compute: Compute) -> tuple[Machine, str]:
    """The machine that ``compute`` chooses here, and its torch; a :class:`StageError` if it has no such device."""
    about = describe(choose_device(compute))
    machine = Machine(str(about["device"]), str(about["device_name"]), int(about["threads"]), compute.precision)
    return machine, str(about["torch"])


def unknown(cells: Iterable[Cell], timed: Iterable[Timed], machine: Machine) -> list[Cell]:
    """A cell for every kind of step that was not timed on ``machine`` with today's code, and can be."""
    known = {(each.work, each.code_sha256) for each in timed if each.machine == machine}
    by_work = {work_of(cell): cell for cell in reversed(list(cells)) if (cell.split.source or cell.dataset) in OFFICIAL}
    return [cell for work, cell in by_work.items() if (work, code_digest(cell.architecture)) not in known]


def time_steps(
    cells: Sequence[Cell], compute: Compute, jobs: int, limit: float | None, told: Callable[[Timed], None]
) -> None:
    """Time a step of each of ``cells``, ``jobs`` side by side; ``told`` is given each as it comes.

    After ``limit`` seconds no further one is begun.
    """
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(time_step, cell, compute) for cell in cells}
        end = None if limit is None else time.monotonic() + limit
        while waiting:
            left = None if end is None else max(0.0, end - time.monotonic())
            done, waiting = wait(waiting, timeout=left, return_when=FIRST_COMPLETED)
            for each in done:
                told(each.result())
            if end is not None and time.monotonic() >= end:
                waiting = {each for each in waiting if not each.cancel()}
                end = None


def time_step(cell: Cell, compute: Compute) -> Timed:
    """Time a training step of ``cell``, and a batch in testing, in this process.

    One thread of a processor is timed by its own clock, so that what else runs there does not count; the rest by the
    clock on the wall.
    """
    device, (machine, version) = choose_device(compute), this_machine(compute)
    keep_freed_memory()
    own_clock = machine.device == "cpu" and machine.threads == 1

    def now() -> float:
        if machine.device == "cuda":
            torch.cuda.synchronize()
        return time.process_time() if own_clock else time.perf_counter()

    recipe, (training, testing), classes = cell.recipe, _images(cell), _classes(cell)
    channels = training.channels
    images = load_images(training, cell.transform, device, training=True, noise_seed=0)
    state = Training(
        lambda: build(cell.architecture, channels, classes, cell.options), {0: images}, recipe, classes, compute
    )
    state.learner.train_mode()
    seconds: list[float] = []
    while len(seconds) < WARM_UP + FEWEST or (sum(seconds) < SECONDS and len(seconds) < MOST):
        state.step, last = 0, now()
        for batch in islice(training_batches(images, recipe, 0, len(seconds)), BATCHES):
            state.train_step([batch])
            last, before = now(), last
            seconds.append(last - before)
    low, middle, high = quantiles(seconds[WARM_UP:], n=4)
    tests = load_images(testing, cell.transform, device, training=False, noise_seed=0)
    tested = []
    for _ in range(3):
        before = now()
        measure(state.learner.models[0], tests, recipe.test_batch_size)
        tested.append((now() - before) / BATCHES)
    code, steps = code_digest(cell.architecture), len(seconds) - WARM_UP
    return Timed(cell.key, work_of(cell), machine, version, code, steps, middle, low, high, median(tested[1:]))


def _images(cell: Cell) -> tuple[Part, Part]:
    """Noise in place of training and test images, a few batches each, of the right shape."""
    facts, labels = OFFICIAL[cell.split.source or cell.dataset], cell.split.classes
    parts = []
    for name, size in (("train", cell.recipe.batch_size), ("test", cell.recipe.test_batch_size)):
        stream, count = numpy_stream("timed step", name), BATCHES * size
        pixels = stream.integers(0, 256, (count, facts.side, facts.side, facts.channels)).astype(np.uint8)
        chosen = stream.choice(labels or len(facts.classes), count).astype(np.int64)
        noisy = cell.split.noisy_copies is not None and name == "train"
        sigma = np.where(np.arange(count) % 2, 0.1, 0).astype(np.float32) if noisy else None
        parts.append(Part(pixels, chosen, sigma))
    return parts[0], parts[1]


def _classes(cell: Cell) -> int:
    labels = cell.split.classes
    return 1 + max(labels) if labels else len(OFFICIAL[cell.split.source or cell.dataset].classes)
