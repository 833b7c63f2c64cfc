"""How often a verdict is wrong: accuracies of simulated runs, judged like measured ones.

    python -m benchmarks.verdicts

A network's true accuracy lies ``shift`` margins above or below the published one; each seed's accuracy is that of a
test set of 10,000 images, with a normal spread from seed to seed. At a shift of 1 or more a *match* is false, at 1 or
less *better* and *worse* are; both may happen in 5 % of all cases. The interval of a single seed covers the choice of
test images only: it keeps to 5 % where all seeds are alike, and exceeds it where they are not. Prints the table,
and writes benchmarks/results/verdicts.csv, which the report shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache

import numpy as np

from stages.compare.verdicts import BETTER, INCONCLUSIVE, MATCH, WORSE, Interval, Target, binomial, judge, student
from stages.core.tables import write_csv
from stages.report.benchmark_tables import ERROR_COLUMNS, RESULTS
from stages.splits.streams import numpy_stream

IMAGES = 10_000
PUBLISHED = 0.9
MARGIN = 0.013  # three standard deviations of the difference of two such test sets, as the margins in papers/
SEED_SPREAD = 0.003  # standard deviation of the accuracy from seed to seed
SEEDS = (1, 2, 3, 5, 10)
SHIFTS = (0.0, 0.5, 1.0, 1.5, 2.0)
TRIALS = 4000


def rates(seeds: int, shift: float, trials: int = TRIALS, *, vary: bool = True) -> dict[str, float]:
    """The share of each verdict among ``trials`` runs of ``seeds`` seeds, ``shift`` margins above the published one.

    ``vary``: accuracies differ from seed to seed.
    """
    draws = numpy_stream("simulated verdicts", seeds, f"{shift:+.1f}")
    spread = SEED_SPREAD if vary else 0.0
    accuracies = PUBLISHED + shift * MARGIN + spread * draws.standard_normal((trials, seeds))
    right = draws.binomial(IMAGES, accuracies)
    counted = Counter(_verdict(row) for row in right)
    return {verdict: counted[verdict] / trials for verdict in (MATCH, BETTER, WORSE, INCONCLUSIVE)}


@cache
def _binomial(right: int) -> Interval:
    return binomial(right, IMAGES)


def _verdict(right: Sequence[int]) -> str:
    one = len(right) == 1
    found = _binomial(int(right[0])) if one else student([count / IMAGES for count in right])
    return judge(found, Target(PUBLISHED, PUBLISHED, "printed"), MARGIN, "higher")


def main() -> None:
    """Print the table, and write it."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{TRIALS} simulated runs each, {IMAGES} images, published {PUBLISHED}, margin {MARGIN}")
    for column in ("seeds", "true difference / margin", MATCH, BETTER, WORSE, INCONCLUSIVE):
        table.add_column(column, justify="right")
    rows: list[dict[str, object]] = []
    for seeds, vary in [(1, False), *((seeds, True) for seeds in SEEDS)]:
        for shift in (*(-value for value in reversed(SHIFTS[1:])), *SHIFTS):
            found = rates(seeds, shift, vary=vary)
            name = str(seeds) if vary else "1, all alike"
            rows.append({"seeds": name, "shift": shift, **found})
            table.add_row(name, f"{shift:+.1f}", *(f"{100 * share:.1f} %" for share in found.values()))
        table.add_section()
    Console(width=100).print(table)
    write_csv(RESULTS / "verdicts.csv", rows, ERROR_COLUMNS)


if __name__ == "__main__":
    np.seterr(all="raise")
    main()
