"""Measures that have one number per run and seed: epochs until a level, training minus test accuracy."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from stages.compare.grounds import Ground, Span, weighted
from stages.compare.measures.measure import Difference, Measure, Runs, mean_difference
from stages.results.cell_result import CellResult
from stages.results.metric import Metric

TRAIN_ACCURACY = Metric("accuracy", "train")


class _BySeed(Measure):
    """The mean of the number over the first runs, minus that over the second where there are."""

    step: float  # how far apart two numbers are at least that differ

    @abstractmethod
    def of_seeds(self, run: CellResult) -> Mapping[int, float | None]:
        """The number of each seed; None where it does not exist."""

    def of_values(self, sides: Sequence[Sequence[Span]]) -> Span:
        """The difference of means."""
        return mean_difference(sides)

    def of_runs(self, first: Runs, second: Runs) -> Difference | None:
        """None also if a seed has no number."""
        numbers = [[self.of_seeds(run) for run in side] for side in (first, second) if side]
        every = [run for side in numbers for run in side]
        seeds = [seed for seed in every[0] if all(seed in run for run in every)]
        if not seeds or any(run[seed] is None for run in every for seed in seeds):
            return None
        tables = [np.array([[run[seed] for run in side] for seed in seeds], dtype=float) for side in numbers]
        means = [table.mean(axis=1) for table in tables]
        values = means[0] - means[1] if second else means[0]
        return self.over(values.tolist(), self.step, *(float(each.mean()) for each in means))


class Epochs(_BySeed):
    """Epochs until a column of the curves first reaches the level."""

    step = 1.0

    def value(self, ground: Ground, run: str) -> Span | None:
        """Of one training."""
        assert self.statement.column is not None
        assert self.statement.level is not None
        return ground.epochs(run, self.statement.column, self.statement.level)

    def of_seeds(self, run: CellResult) -> Mapping[int, float | None]:
        """None for a seed that never reaches the level."""
        assert self.statement.column is not None
        assert self.statement.level is not None
        return run.first_epoch(self.statement.column, self.statement.level)


class Gap(_BySeed):
    """The training accuracy, as it ran over the last epoch, minus the test accuracy after it."""

    step = 0.0

    def value(self, ground: Ground, run: str) -> Span | None:
        """Of one training."""
        train, test = ground.number(run, TRAIN_ACCURACY), ground.accuracy(run, None)
        return None if train is None or test is None else weighted([(1.0, train), (-1.0, test)])

    def of_seeds(self, run: CellResult) -> Mapping[int, float | None]:
        """Of every seed."""
        train = dict(zip(run.cell.recipe.seeds, run.values(TRAIN_ACCURACY), strict=True))
        return {seed: train[seed] - float(images.mean()) for seed, images in run.correct().items()}
