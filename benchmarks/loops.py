"""The engine and the naive loop on the same made-up images, each in a process of its own, an epoch at a time.

Processes apart, since the engine keeps the memory that it frees (`keep_freed_memory` of stages.learning.device), and
the naive loop is to have the C library's own way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np
import torch
from torch import nn

from benchmarks import naive
from benchmarks.memory import CLASSES, SIDES
from models.registry import build
from stages.cell import Cell, Compute
from stages.cell.recipe import Recipe
from stages.learning.batches import Images, load_images, training_batches
from stages.learning.device import choose_device, keep_freed_memory
from stages.learning.engine import Training, train_together
from stages.splits.format import Part
from stages.splits.streams import numpy_stream


@dataclass(frozen=True)
class Case:
    """A run of params.yaml, and what its images are like."""

    cell: Cell

    @property
    def channels(self) -> int:
        """Channels of its images."""
        return len(self.cell.transform.mean)

    @property
    def classes(self) -> int:
        """Outputs of its network."""
        source = self.cell.split.source or self.cell.dataset
        return CLASSES.get(source, 10) if self.cell.split.classes is None else max(self.cell.split.classes) + 1

    def images(self, count: int) -> Part:
        """Made-up images of its shape."""
        side = SIDES.get(self.cell.split.source or self.cell.dataset, 32)
        draws = numpy_stream("made-up images", self.cell.key)
        pixels = draws.integers(0, 256, (count, side, side, self.channels), np.uint8)
        return Part(pixels, draws.integers(0, self.classes, count))

    def recipe(self, batch_size: int) -> Recipe:
        """Its recipe for one epoch of whole batches."""
        return self.cell.recipe.model_copy(update={"epochs": 1, "batch_size": batch_size, "drop_last": True})

    def build(self) -> nn.Module:
        """A fresh network."""
        return build(self.cell.architecture, self.channels, self.classes, self.cell.options)


def now(device: torch.device) -> float:
    """The clock, when all that was asked of ``device`` is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


class Ours:
    """The engine. Methods return seconds; ``compute.seeds_together`` seeds see as many images each."""

    def __init__(self, case: Case, compute: Compute, batch_size: int, steps: int) -> None:
        self.case, self.compute, self.device = case, compute, choose_device(compute)
        keep_freed_memory()
        self.recipe, part = case.recipe(batch_size), case.images(steps * batch_size)
        images = self._load(part, training=True)
        self.images = dict.fromkeys(range(compute.seeds_together), images)
        self.one = self._load(Part(part.array[:1], part.labels[:1]), training=False)

    def _load(self, part: Part, *, training: bool) -> Images:
        return load_images(part, self.case.cell.transform, self.device, training=training, noise_seed=0)

    def epoch(self) -> float:
        """Training by its own clock, which it reads only before the first step and after the last is done."""
        trained = train_together(
            self.case.build, self.images, self.one, self.recipe, classes=self.case.classes, compute=self.compute
        )
        return sum(history.timing[0]["train_seconds"] for _, history in trained.values())

    def data(self) -> float:
        """The batches alone, made and thrown away."""
        return _exhausted(
            self.device,
            lambda: (
                batch for seed in self.images for batch in training_batches(self.images[seed], self.recipe, seed, 0)
            ),
        )

    def steps(self) -> float:
        """The networks' updates alone, on one batch again and again: neither data nor bookkeeping."""
        training = Training(self.case.build, self.images, self.recipe, self.case.classes, self.compute)
        batches = [next(training_batches(images, self.recipe, seed, 0)) for seed, images in self.images.items()]
        training.learner.train_mode()
        started = now(self.device)
        for step in range(training.steps):
            training.learner.step(batches, [step] * len(batches))
        return now(self.device) - started


class Naive:
    """The naive loop. Methods return seconds."""

    def __init__(self, case: Case, compute: Compute, batch_size: int, steps: int, workers: int) -> None:
        self.case, self.device = case, choose_device(compute)
        self.recipe, part = case.recipe(batch_size), case.images(steps * batch_size)
        self.loader = naive.load(naive.Pictures(part, case.cell.transform), self.recipe, workers=workers)
        if workers:
            next(iter(self.loader))  # starts the processes, which stay

    def epoch(self) -> float:
        """Training, without the time to build its network."""
        model = naive.plain(self.case.build()).to(self.device)
        optimizer, started = naive.optimizer(model, self.recipe), now(self.device)
        naive.train_epoch(model, self.loader, optimizer, self.device)
        return now(self.device) - started

    def data(self) -> float:
        """The batches alone, made and thrown away."""
        return _exhausted(self.device, lambda: self.loader)


def _exhausted(device: torch.device, batches: Callable[[], Iterable[object]]) -> float:
    started = now(device)
    for _ in batches():
        pass
    return now(device) - started


class Apart:
    """A loop in a process of its own."""

    def __init__(self, make: Callable[[], Ours | Naive]) -> None:
        context = get_context("forkserver")  # which reads torch once for all
        context.set_forkserver_preload([__name__])
        self.pool = ProcessPoolExecutor(1, context, initializer=_begin, initargs=(make,))

    def seconds(self, method: str) -> float:
        """What a method of the loop returns."""
        return self.pool.submit(_seconds, method).result()

    def close(self) -> None:
        """End the process."""
        self.pool.shutdown()


_loop: Ours | Naive


def _begin(make: Callable[[], Ours | Naive]) -> None:
    global _loop
    _loop = make()


def _seconds(method: str) -> float:
    seconds: float = getattr(_loop, method)()
    return seconds


def apart(case: Case, compute: Compute, batch_size: int, steps: int, workers: int) -> tuple[Apart, Apart]:
    """Both loops; the naive one trains one seed in float32 whatever ``compute`` says."""
    plain = Compute(device=compute.device, threads=compute.threads)
    return (
        Apart(partial(Ours, case, compute, batch_size, steps)),
        Apart(partial(Naive, case, plain, batch_size, steps, workers)),
    )
