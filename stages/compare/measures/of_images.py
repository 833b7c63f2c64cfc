"""Measures of which test images are right: a difference in accuracy, a trend, a spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stages.compare.grounds import Ground, Span, weighted
from stages.compare.intervals import DECIMALS, Estimate, PerSeed, accuracy_of, contrast, estimate
from stages.compare.margins import a_pair_beyond, all_within
from stages.compare.measures.measure import IMAGES, ONE_SEED, SEEDS, Difference, Measure, Runs, mean_difference
from stages.results.cell_result import CellResult


class _OnImages(Measure):
    """Measures of the accuracy on the images of some labels, or of how much higher it is on them than on others."""

    def value(self, ground: Ground, run: str) -> Span | None:
        """The accuracy, or the difference of the two."""
        found = ground.accuracy(run, self.statement.labels)
        if self.statement.other_labels is None or found is None:
            return found
        other = ground.accuracy(run, self.statement.other_labels)
        return None if other is None else weighted([(1.0, found), (-1.0, other)])

    def images(self, runs: Runs) -> list[PerSeed]:
        """Per run and seed, what each image adds to the accuracy: of the seeds that all have, nothing without any."""
        sides = [self._right(run) for run in runs]
        seeds = [seed for seed in sides[0] if all(seed in side for side in sides)]
        return [{seed: side[seed] for seed in seeds} for side in sides] if seeds else []

    def _right(self, run: CellResult) -> PerSeed:
        """Whether each image is right; of two sets of labels, values whose mean is the difference of accuracies.

        Their spread counts the number of images of either set as chance, which widens the interval a little.
        """
        labels, others = self.statement.labels, self.statement.other_labels
        if labels is None or others is None:
            return run.correct(labels)
        true = run.predicted["true"]
        here = true[true.isin([*labels, *others])].isin(labels).to_numpy()
        weights = np.where(here, len(here) / here.sum(), -len(here) / (~here).sum())
        return {seed: weights * images for seed, images in run.correct([*labels, *others]).items()}

    def of_images(self, per_image: Mapping[int, NDArray[np.float64]], *compared: float) -> Difference:
        """The difference from its value at every image under each seed; ``compared``: the two that it is of."""
        if len(per_image) > 1:
            step = 1 / len(next(iter(per_image.values())))
            return self.over([float(images.mean()) for images in per_image.values()], step, *compared)
        found = replace(estimate(per_image), p=None)  # McNemar's is of the images, and knows of no other seed
        return Difference(found, IMAGES, self.says(found.mean), *compared)


class Accuracy(_OnImages):
    """Mean accuracy of the first runs minus that of the second, or minus a level."""

    beside_level = True

    def of_values(self, sides: Sequence[Sequence[Span]]) -> Span:
        """The difference of means."""
        return mean_difference(sides)

    def of_runs(self, first: Runs, second: Runs) -> Difference | None:
        """Paired by image."""
        if not (sides := self.images([*first, *second])):
            return None
        ours, theirs = sides[: len(first)], sides[len(first) :]
        terms: list[tuple[float, PerSeed]] = [(1 / len(ours), side) for side in ours]
        if self.statement.level is None:
            other = _mean_accuracy(theirs)
            terms += [(-1 / len(theirs), side) for side in theirs]
        else:
            other = self.statement.level
            terms.append((-other, {seed: np.ones(len(images)) for seed, images in ours[0].items()}))
        return self.of_images(contrast(terms), _mean_accuracy(ours), other)


class Trend(_OnImages):
    """The least-squares slope of the accuracy on the runs' places 0, 1, 2, ..."""

    def of_values(self, sides: Sequence[Sequence[Span]]) -> Span:
        """The slope."""
        (side,) = sides
        return weighted(zip(_slope(len(side)), side, strict=True))

    def of_runs(self, first: Runs, second: Runs) -> Difference | None:
        """Of two runs at least; a contrast of the images' values."""
        sides = self.images([*first, *second])
        if len(sides) < 2:
            return None
        return self.of_images(contrast(list(zip(_slope(len(sides)), sides, strict=True))))


class Spread(_OnImages):
    """The highest accuracy minus the lowest: claimed equal up to a margin, or compared with that of the second runs.

    Equal: of several seeds, within the margin if every pair of runs is, beyond it if a pair is, corrected for the
    number of pairs (:mod:`stages.compare.margins`); a range of measured accuracies is wider than that of the true ones.
    Compared: the range as it shows in one training of each run, seed by seed.
    """

    def of_values(self, sides: Sequence[Sequence[Span]]) -> Span:
        """The range, or the difference of the two."""
        return weighted(zip((1.0, -1.0), map(_range, sides), strict=False))

    def of_runs(self, first: Runs, second: Runs) -> Difference | None:
        """Of two runs at least on each side."""
        if len(first) < 2 or len(second) == 1:
            return None
        sides = self.images([*first, *second])
        if not sides:
            return None
        values = np.array([[side[seed].mean() for side in sides] for seed in sides[0]])
        step = 1 / min(len(images) for side in sides for images in side.values())
        if not second:
            return self.apart(values, step)
        ranges = [np.ptp(values[:, : len(first)], axis=1), np.ptp(values[:, len(first) :], axis=1)]
        return self.over((ranges[0] - ranges[1]).tolist(), step, *(float(each.mean()) for each in ranges))

    def apart(self, values: NDArray[np.float64], step: float) -> Difference:
        """What the accuracies of runs, (seeds, runs), say of their being equal; ``step``: that of one image."""
        means = np.round(values.mean(axis=0), DECIMALS)
        highest, lowest, seeds = float(means.max()), float(means.min()), len(values)
        said = self.says(highest - lowest)
        test = all_within if said else a_pair_beyond
        p = test(values, self.margin, step) if seeds > 1 else None
        found = Estimate(highest - lowest, None, None, seeds, p)
        return Difference(found, SEEDS if seeds > 1 else ONE_SEED, said, highest, lowest)


def _mean_accuracy(sides: Sequence[PerSeed]) -> float:
    return sum(accuracy_of(side) for side in sides) / len(sides)


def _slope(runs: int) -> list[float]:
    """The weights of the least-squares slope over places 0, 1, 2, ..."""
    places = np.arange(runs) - (runs - 1) / 2
    weights: list[float] = (places / (places**2).sum()).tolist()
    return weights


def _range(spans: Sequence[Span]) -> Span:
    """The highest minus the lowest; its ends are the narrowest and the widest that the spans allow."""
    values = [span.value for span in spans]
    narrowest = max(span.low for span in spans) - min(span.high for span in spans)
    widest = max(span.high for span in spans) - min(span.low for span in spans)
    return Span(max(0.0, narrowest), max(values) - min(values), widest)
