"""About how long an epoch of a run takes on the machine of the results, whether or not the run was made."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from statistics import median

from stages.cell import Cell, Option
from stages.results.cell_result import CellResult
from stages.results.timed import Machine, Timed, work_of
from stages.splits.facts import OFFICIAL

FORWARD_AND_BACKWARD = 3  # a training step takes about three forward passes
TIMED, THIS_RUN, SAME_NETWORK, BY_MACS = "a timed step", "this run", "the same network and data", "multiply-accumulates"


@dataclass(frozen=True)
class Epoch:
    """Seconds of one epoch of one seed, training and testing: about, at least, at most; ``basis``: measured on what.

    Of a timed step the quartiles stand for the least and the most.
    """

    seconds: float
    low: float
    high: float
    basis: str


@dataclass(frozen=True)
class Pace:
    """How fast a machine is: what an epoch of any run is reckoned from.

    ``results``: the runs of a home. ``timed``: steps that were timed, on any machine. ``wanted``: the machine that is
    asked about; by default that of most results. What was made or timed on another machine tells nothing.
    ``tabulated``: training and test images of splits, by their names.
    """

    results: tuple[CellResult, ...]
    timed: tuple[Timed, ...] = ()
    wanted: Machine | None = None
    tabulated: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    _known: dict[str, Epoch | None] = field(default_factory=dict, repr=False)  # by key

    @cached_property
    def machine(self) -> Machine | None:
        """The machine that the figures are of; None where there are none."""
        if self.wanted is not None:
            return self.wanted
        places = Counter(map(_machine, self.results)).most_common(1)
        return places[0][0] if places else next((each.machine for each in self.timed), None)

    @cached_property
    def _made(self) -> list[CellResult]:
        return [result for result in self.results if _machine(result) == self.machine]

    @cached_property
    def _steps(self) -> dict[str, Timed]:
        return {each.work: each for each in self.timed if each.machine == self.machine}

    @cached_property
    def rates(self) -> list[float]:
        """Multiply-accumulates per second of every run of the machine whose images are known."""
        return [
            work(result.images, result.metrics.training_macs, result.metrics.macs) / seconds_per_epoch(result)
            for result in self._made
            if result.images is not None
        ]

    def epoch(self, cell: Cell) -> Epoch | None:
        """An epoch of ``cell``: by a timed step, as measured, as of the same network and data, or by the rate of all.

        None where there is nothing to reckon from: no results, or a split of which the number of images is not known.
        """
        if cell.key not in self._known:
            self._known[cell.key] = self._epoch(cell)
        return self._known[cell.key]

    def _epoch(self, cell: Cell) -> Epoch | None:
        images, step = self.images(cell), self._steps.get(work_of(cell))
        if step is not None and images is not None:
            return by_steps(step, cell, images)
        own = [result for result in self._made if result.cell.key == cell.key]
        alike = [result for result in self._made if _work(result.cell) == _work(cell)]
        for found, basis in ((own, THIS_RUN), (alike, SAME_NETWORK)):
            if found:
                return _measured(map(seconds_per_epoch, found), basis)
        if images is None or not self.rates or cell.split.folder is not None:
            return None
        wanted = work(images, macs(cell, training=True), macs(cell, training=False))
        return _measured((wanted / rate for rate in self.rates), BY_MACS)

    def images(self, cell: Cell) -> tuple[int, int] | None:
        """Training and test images of its split: as tabulated for another run, or as follows from the parameters."""
        if cell.dataset in self.tabulated:
            return self.tabulated[cell.dataset]
        tabulated = (r.images for r in self.results if r.cell.dataset == cell.dataset and r.images is not None)
        split, facts = cell.split, OFFICIAL.get(cell.split.source or cell.dataset)
        first = split.train_first, split.test_first
        if (known := next(tabulated, None)) is not None or facts is None or split.random:
            return known
        if split.classes is not None and None in first:
            return None  # how many of these classes there are is not among the facts
        return min(first[0] or facts.counts[0], facts.counts[0]), min(first[1] or facts.counts[1], facts.counts[1])


def _machine(result: CellResult) -> Machine:
    used = result.environment
    return Machine(used.device, used.device_name, used.threads, used.precision)


def by_steps(step: Timed, cell: Cell, images: tuple[int, int]) -> Epoch:
    """An epoch of so many training and test ``images``, by the seconds of a step."""
    recipe, (training, testing) = cell.recipe, images
    steps = training // recipe.batch_size if recipe.drop_last else math.ceil(training / recipe.batch_size)
    test = math.ceil(testing / recipe.test_batch_size) * step.test_seconds
    low, about, high = (steps * each + test for each in (step.step_low, step.step_seconds, step.step_high))
    return Epoch(about, low, high, TIMED)


def _measured(seconds: Iterable[float], basis: str) -> Epoch:
    every = list(seconds)
    return Epoch(median(every), min(every), max(every), basis)


def _work(cell: Cell) -> tuple[object, ...]:
    """What decides how long an epoch takes, beside the machine."""
    recipe = cell.recipe
    return cell.architecture, cell.options, cell.dataset, cell.transform, recipe.batch_size, recipe.objective


def seconds_per_epoch(result: CellResult) -> float:
    """Seconds of training and testing: of the median epoch, mean over seeds."""
    return result.seconds() / len(result.timing)


def work(images: tuple[int, int], training_macs: int, test_macs: int) -> float:
    """Multiply-accumulates of one epoch: every training image forward and backward, every test image forward."""
    return FORWARD_AND_BACKWARD * images[0] * training_macs + images[1] * test_macs


def macs(cell: Cell, *, training: bool) -> int:
    """Multiply-accumulates of one image's forward pass, counted as :mod:`stages.evaluate.size` does.

    On a network that holds shapes but no values: nothing is trained, and no image is read.
    """
    facts, transform = OFFICIAL[cell.split.source or cell.dataset], cell.transform
    classes = 1 + max(cell.split.classes) if cell.split.classes else len(facts.classes)
    side = transform.crop or transform.resize or facts.side
    return _macs(cell.architecture, tuple(cell.options.items()), facts.channels, classes, side, training)


@cache
def _macs(
    architecture: str, options: tuple[tuple[str, Option], ...], channels: int, classes: int, side: int, training: bool
) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from stages.compare.shapes import of_shapes

    model = of_shapes(architecture, channels, classes, dict(options)).train(training)
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.empty(2, channels, side, side))  # two: one cannot be normalised over the batch
    return int(counter.get_total_flops()) // 4
