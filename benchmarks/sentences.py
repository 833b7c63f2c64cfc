"""How often a sentence that runs are equal is wrongly judged: accuracies of simulated runs, tested like measured ones.

    python -m benchmarks.sentences

Sixteen settings of a network are said to lie within a margin of 2 points of each other. Their true accuracies span
the true range, evenly or in two heaps at its ends; each seed's accuracy is that of a test set of 10,000 images, with a
normal spread from seed to seed. Up to the margin *contradicted* is false, from the margin on *holds* is; each may
happen in 5 % of all cases. One setting may vary more from seed to seed than the others, which the test takes not to be
so. Beside it a simpler rule: *contradicted* where exact equality is rejected and the observed range exceeds the margin.
A single seed is never more than *seen* or *not seen*.

Prints the table, and writes benchmarks/results/sentences.csv.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from stages.compare.claims_in_words import outcome
from stages.compare.intervals import ALPHA, equality
from stages.compare.measures.of_images import Spread
from stages.compare.outcomes import CONTRADICTED, HOLDS, NOT_SEEN, SEEN, UNDECIDED
from stages.core.tables import write_csv
from stages.documents.statement import Statement
from stages.report.benchmark_tables import RESULTS, SENTENCE_COLUMNS
from stages.splits.streams import numpy_stream

IMAGES = 10_000
RUNS = 16
LOWEST = 0.88
MARGIN = 0.02
SEED_SPREAD = 0.003  # standard deviation of the accuracy from seed to seed
NOISIER = 3  # times as large for the one setting that varies more
SEEDS = (1, 2, 3, 5)
RANGES = (0.0, 0.01, 0.018, 0.02, 0.025, 0.03, 0.04, 0.06)
TRIALS = 1000
TRIALS_OF_ONE_SEED = 100  # of which the simpler rule draws every image
SIMPLER = "by the simpler rule"
ANSWERS = (HOLDS, CONTRADICTED, UNDECIDED, SEEN, NOT_SEEN, SIMPLER)
SENTENCE = Spread(
    Statement(id="equal", where="", text="", measure="spread", first="*", claimed="equal", margin=MARGIN)
)  # fmt: skip


def accuracies(
    true_range: float, layout: str, seeds: int, noisier: float, draws: np.random.Generator
) -> NDArray[np.float64]:
    """Measured accuracies of every setting, (seeds, RUNS); the lowest one's spread is ``noisier`` times as large."""
    places = np.linspace(0, 1, RUNS) if layout == "even" else np.repeat((0.0, 1.0), RUNS // 2)
    spread = np.full(RUNS, SEED_SPREAD)
    spread[0] *= noisier
    true = LOWEST + true_range * places + spread * draws.standard_normal((seeds, RUNS))
    return draws.binomial(IMAGES, true) / IMAGES


def rates(true_range: float, layout: str, seeds: int, noisier: float, trials: int) -> dict[str, float]:
    """The share of each answer among ``trials`` sets of runs, and that of *contradicted* by the simpler rule."""
    draws = numpy_stream("simulated sentences", seeds, layout, f"{true_range:g} {noisier:g}")
    counted: Counter[str] = Counter()
    for _ in range(trials):
        values = accuracies(true_range, layout, seeds, noisier, draws)
        found = SENTENCE.apart(values, 1 / IMAGES)
        counted[outcome(found, found.estimate.p)] += 1
        counted[SIMPLER] += _simpler(values, draws)
    return {answer: counted[answer] / trials for answer in ANSWERS}


def _simpler(values: NDArray[np.float64], draws: np.random.Generator) -> bool:
    """With one seed every image is drawn, since Cochran's Q looks at images."""
    if np.ptp(values.mean(axis=0)) <= MARGIN:
        return False
    if len(values) == 1:
        sorted_images = np.arange(IMAGES) < np.round(values.T * IMAGES)
        return equality([{0: images} for images in draws.permuted(sorted_images, axis=1)]) < ALPHA
    # The test over seeds looks at means only: counts of images do, of a single "image" each.
    counts = (IMAGES * values).T
    return equality([{seed: np.array([count]) for seed, count in enumerate(run)} for run in counts]) < ALPHA


def main() -> None:
    """Print the table, and write it."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Simulated sets of {RUNS} settings, margin {100 * MARGIN:g} points")
    for column in ("true range", "layout", "one noisier", "seeds", *ANSWERS):
        table.add_column(column, justify="right")
    rows: list[dict[str, object]] = []
    cases = [(r, layout, 1.0) for r in RANGES for layout in ("even", "heaps")] + [(MARGIN, "heaps", float(NOISIER))]
    for true_range, layout, noisier in cases:
        for seeds in SEEDS:
            trials = TRIALS if seeds > 1 else TRIALS_OF_ONE_SEED
            found = rates(true_range, layout, seeds, noisier, trials)
            about = {"true_range": true_range, "layout": layout, "noisier": noisier, "seeds": seeds, "trials": trials}
            rows.append({**about, **found})
            shares = (f"{100 * share:.1f} %" for share in found.values())
            table.add_row(f"{100 * true_range:g}", layout, f"{noisier:g}", str(seeds), *shares)
        table.add_section()
    Console(width=130).print(table)
    write_csv(RESULTS / "sentences.csv", rows, SENTENCE_COLUMNS)


if __name__ == "__main__":
    np.seterr(all="raise")
    main()
