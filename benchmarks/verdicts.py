"""How often a verdict is wrong: accuracies of simulated runs, judged like measured ones.

    python -m benchmarks.verdicts

The published number is one training of its own process, drawn anew in every trial, ``shift`` margins below ours in
truth. Both sides are tested on the same 10,000 images: 8,000 that every seed has right, 2,000 that it has right at even
odds. Seeds so differ by sqrt(e / 2N), which is what a single seed is assumed to do; beyond that some vary by more, 0.3
points in all. Their spread is that of the seeds alone, or pooled with nine similar runs of as many seeds; in the last
rows these vary less than the run that is judged, which a test of so few seeds seldom shows. At a shift of 1 or more a
*match* is false, at 1 or less *better* and *worse* are; both may happen in 5 % of all cases. At a shift of 0 the
published number should be *plausible* in 95 %. Prints the table, and writes benchmarks/results/verdicts.csv, which the
report shows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from stages.compare.pooled import pooled
from stages.compare.verdicts import (
    BETTER,
    INCONCLUSIVE,
    MATCH,
    WORSE,
    Interval,
    Target,
    binomial,
    drawn,
    judge,
    plausible,
)
from stages.core.tables import write_csv
from stages.report.benchmark_tables import ERROR_COLUMNS, RESULTS
from stages.splits.streams import numpy_stream

IMAGES, EVEN = 10_000, 2_000  # test images, and those among them that a seed has right at even odds
OURS = 1 - EVEN / 2 / IMAGES
COINS = math.sqrt(EVEN) / 2 / IMAGES  # standard deviation from seed to seed by these alone
SPREAD = 0.003  # ... and in all, where seeds vary by more
MARGIN = 0.013
SHIFTS = (-1.0, 0.0, 0.5, 1.0, 1.5, 2.0)
TRIALS = 4000


@dataclass(frozen=True)
class Design:
    """What is run: seeds, similar runs of as many, and the standard deviations from seed to seed of it and of them."""

    seeds: int
    similar: int = 0
    spread: float = SPREAD
    theirs: float = SPREAD


DESIGNS = (
    Design(1), *(Design(seeds, similar) for similar in (0, 9) for seeds in (2, 3, 5, 10)),
    Design(1, spread=COINS), *(Design(seeds, 9, COINS, COINS) for seeds in (2, 3)),
    *(Design(seeds, 9, theirs=COINS) for seeds in (2, 3)),
)  # fmt: skip


def accuracies(draws: np.random.Generator, shape: tuple[int, ...], true: float, spread: float) -> NDArray[np.float64]:
    """Accuracies of seeds whose process has a ``true`` one, on the images that all seeds share."""
    beyond = math.sqrt(max(spread**2 - COINS**2, 0.0)) * draws.standard_normal(shape)
    odds = 0.5 + (true - OURS + beyond) * IMAGES / EVEN
    return (IMAGES - EVEN + draws.binomial(EVEN, odds)) / IMAGES


def rates(design: Design, shift: float, trials: int = TRIALS) -> dict[str, float]:
    """The share of each verdict, and of plausible ones, in ``trials`` of a published number ``shift`` margins below."""
    draws = numpy_stream("simulated verdicts", *map(str, astuple(design)), f"{shift:+.1f}")
    published = accuracies(draws, (trials,), OURS - shift * MARGIN, design.spread)
    ours = accuracies(draws, (trials, design.seeds), OURS, design.spread)
    similar = accuracies(draws, (trials, design.similar, design.seeds), OURS, design.theirs)
    counted, drawn_so = Counter[str](), 0
    for number, own, others in zip(published.tolist(), ours.tolist(), similar.tolist(), strict=True):
        found, aim = _interval(own, others), Target(number, number, "log")
        counted[judge(found, aim, MARGIN, "higher")] += 1
        drawn_so += plausible(found, aim) is True
    shares = {verdict: counted[verdict] / trials for verdict in (MATCH, BETTER, WORSE, INCONCLUSIVE)}
    return shares if design.seeds == 1 else shares | {"plausible": drawn_so / trials}


def _interval(own: Sequence[float], others: Sequence[Sequence[float]]) -> Interval:
    spread = pooled(own, others, step=1 / IMAGES) or pooled(own, step=1 / IMAGES)
    return _binomial(round(own[0] * IMAGES)) if spread is None else drawn(own, spread)


@cache
def _binomial(right: int) -> Interval:
    return binomial(right, IMAGES)


def main() -> None:
    """Print the table, and write it."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{TRIALS} simulated runs each, {IMAGES} images, accuracy {OURS}, margin {MARGIN}")
    for column in ERROR_COLUMNS:
        table.add_column(column, justify="right")
    rows: list[dict[str, object]] = []
    for design in DESIGNS:
        for shift in SHIFTS:
            row: dict[str, object] = {
                "seeds": design.seeds, "similar": design.similar, "spread": round(design.spread, 5),
                "similar_spread": round(design.theirs, 5) if design.similar else None, "shift": shift,
                **rates(design, shift),
            }  # fmt: skip
            rows.append({column: row.get(column) for column in ERROR_COLUMNS})
            shares = [row.get(column) for column in ERROR_COLUMNS[5:]]
            told = ["" if value is None else f"{value}" for value in list(row.values())[:5]]
            table.add_row(*told, *("" if value is None else f"{value:.1%}" for value in shares))
        table.add_section()
    Console(width=130).print(table)
    write_csv(RESULTS / "verdicts.csv", rows, ERROR_COLUMNS)


if __name__ == "__main__":
    np.seterr(all="raise")
    main()
