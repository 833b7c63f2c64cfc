"""How often the first epochs mislead: simulated logs and seeds, judged like measured ones.

    python -m benchmarks.first_epochs

A document of 25 runs with 2 epochs or of 6 with 10, as recurnets and mnist-rnn, each with a log (one training) and a
few seeds of ours, in two columns. Values are normal on the scale of comparison, with the standard deviations that the
seeds of mnist-rnn's Elman network have (log loss 0.10, logit accuracy 0.17), correlated over epochs (0.5 from one to
the next) and between the columns (-0.7). *unlike*: every run has spreads of its own, and every epoch, each a factor
exp(N(0, 0.35)). The log's process lies ``shift`` margins from ours, in every epoch and column or in a single one, the
hardest to see; the rival three margins. At a shift of 1 or more *follows* is false, at 0 *departs* is. Prints the
table, and writes benchmarks/results/first-epochs.csv, which the report shows.
"""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
from numpy.typing import NDArray

from stages.compare.departures import ANSWERS, DEPARTS, Case, decide
from stages.core.tables import write_csv
from stages.report.benchmark_tables import FIRST_EPOCH_COLUMNS, RESULTS
from stages.splits.streams import numpy_stream

DOCUMENTS = ((25, 2), (6, 10))  # runs and epochs, as recurnets and mnist-rnn
SPREADS = np.array([0.10, 0.17])
MARGINS = np.array([0.4, 0.6])
FROM_EPOCH_TO_EPOCH, BETWEEN_COLUMNS = 0.5, -0.7
UNLIKE = 0.35  # standard deviation of the logarithm of a spread, over runs and over epochs
SEEDS = (1, 2, 3, 5)  # with 1, one of the runs has three
SHIFTS = (0.0, 0.5, 1.0, 2.0)
RIVAL = 3.0
TRIALS = 200
ANY = "any departs"  # of a document


def rates(
    seeds: int, shift: float, *, runs: int = 25, epochs: int = 2, everywhere: bool = True, unlike: bool = False,
    rival: float = RIVAL, trials: int = TRIALS,
) -> dict[str, float]:  # fmt: skip
    """The share of each answer among all runs of ``trials`` documents; ``any departs``: of documents that have one.

    ``rival``: how many margins it is from ours.
    """
    draws = numpy_stream("simulated first epochs", seeds, f"{shift} {runs} {epochs} {everywhere} {unlike} {rival}")
    offset = np.zeros((epochs, 2))
    offset[slice(None) if everywhere else -1, slice(None) if everywhere else 1] = shift
    counted: Counter[str] = Counter()
    for _ in range(trials):
        cases = {}
        for run in range(runs):
            count = 3 if seeds == 1 and run == 0 else seeds
            curves = trainings(draws, count + 2, epochs, unlike=unlike)
            other = curves[count + 1] + rival * MARGINS
            cases[str(run)] = Case(curves[count] + offset * MARGINS, curves[:count], {"rival": other[None]})
        answers = [decision.answer for decision in decide(cases, list(MARGINS)).values()]
        counted.update(answers)
        counted[ANY] += DEPARTS in answers
    return {**{answer: counted[answer] / (trials * runs) for answer in ANSWERS}, ANY: counted[ANY] / trials}


def trainings(draws: np.random.Generator, count: int, epochs: int, *, unlike: bool) -> NDArray[np.float64]:
    """Trainings of one process with mean 0, (count, epochs, 2)."""
    steps = draws.standard_normal((count, epochs, 2))
    steps[..., 1] = BETWEEN_COLUMNS * steps[..., 0] + np.sqrt(1 - BETWEEN_COLUMNS**2) * steps[..., 1]
    for epoch in range(1, epochs):
        fresh = np.sqrt(1 - FROM_EPOCH_TO_EPOCH**2) * steps[:, epoch]
        steps[:, epoch] = FROM_EPOCH_TO_EPOCH * steps[:, epoch - 1] + fresh
    factor = np.exp(UNLIKE * (draws.standard_normal() + draws.standard_normal((epochs, 1)))) if unlike else 1.0
    values: NDArray[np.float64] = steps * SPREADS * factor
    return values


def main() -> None:
    """Print the table, and write it."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{TRIALS} simulated documents each")
    for column in ("runs", "epochs", "seeds", "spreads", "true difference / margin", *ANSWERS, ANY):
        table.add_column(column, justify="right")
    rows: list[dict[str, object]] = []
    for (runs, epochs), unlike, seeds in product(DOCUMENTS, (False, True), SEEDS):
        for everywhere, shift in [(True, shift) for shift in SHIFTS] + [(False, shift) for shift in SHIFTS[2:]]:
            found = rates(seeds, shift, runs=runs, epochs=epochs, everywhere=everywhere, unlike=unlike)
            about = {"runs": runs, "epochs": epochs, "seeds": seeds, "spreads": "unlike" if unlike else "alike"}
            where = "everywhere" if everywhere else "once"
            shares = {answer.replace(" ", "_"): share for answer, share in found.items()}
            rows.append({**about, "shift": shift, "where": where, **shares})
            percent = (f"{100 * share:.1f} %" for share in found.values())
            table.add_row(*map(str, about.values()), f"{shift:.1f} {where}", *percent)
        table.add_section()
    Console(width=110).print(table)
    write_csv(RESULTS / "first-epochs.csv", rows, FIRST_EPOCH_COLUMNS)


if __name__ == "__main__":
    np.seterr(all="raise")
    main()
