"""How often "agree" and "conflict" are wrong: two teams' simulated accuracies, compared like measured ones.

    python -m benchmarks.two_teams

Both teams test on the same 10,000 images; their true accuracies lie ``shift`` margins apart. Accuracies are drawn as in
:mod:`benchmarks.verdicts`: seeds differ by sqrt(e / 2N), or by 0.3 points where seeds vary by more; in some rows those
of one team vary three times as much as those of the other. Each spread is that of a team's seeds alone, or pooled with
nine similar runs of as many seeds. At a shift of 1 or more *agree* is false, at 1 or less *conflict* is; both may
happen in 5 % of all cases. Prints the table, and writes benchmarks/results/two-teams.csv, which the report shows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple, dataclass

import numpy as np

from benchmarks.verdicts import COINS, IMAGES, MARGIN, OURS, SPREAD, accuracies
from stages.compare.pooled import pooled
from stages.compare.two_teams import AGREE, CANNOT_TELL, CONFLICT, Side, difference, outcome
from stages.core.tables import write_csv
from stages.report.benchmark_tables import RESULTS, TWO_TEAMS_COLUMNS
from stages.splits.streams import numpy_stream

SHIFTS = (0.0, 0.5, 1.0, 1.5, 2.0)
TRIALS = 2000


@dataclass(frozen=True)
class Design:
    """Seeds of both teams, similar runs of each, and the standard deviations from seed to seed of both."""

    ours: int
    theirs: int
    similar: int = 0
    spread: float = SPREAD
    their_spread: float = SPREAD


DESIGNS = (
    Design(1, 1, spread=COINS, their_spread=COINS), Design(1, 1), Design(3, 1), Design(1, 3),
    *(Design(seeds, seeds) for seeds in (2, 3, 5, 10)), Design(3, 1, 9), Design(3, 3, 9),
    *(Design(*seeds, their_spread=3 * SPREAD) for seeds in ((3, 3), (3, 1))),
)  # fmt: skip


def rates(design: Design, shift: float, trials: int = TRIALS) -> dict[str, float]:
    """The share of each outcome in ``trials`` of two teams whose processes lie ``shift`` margins apart."""
    draws = numpy_stream("simulated teams", *map(str, astuple(design)), f"{shift:+.1f}")
    sides = []
    for seeds, true, spread in (
        (design.ours, OURS, design.spread), (design.theirs, OURS - shift * MARGIN, design.their_spread),
    ):  # fmt: skip
        own = accuracies(draws, (trials, seeds), true, spread).tolist()
        others = accuracies(draws, (trials, design.similar, seeds), true, spread).tolist()
        sides.append([_side(*each) for each in zip(own, others, strict=True)])
    counted = Counter(outcome(difference(here, there, IMAGES), MARGIN) for here, there in zip(*sides, strict=True))
    return {word: counted[word] / trials for word in (AGREE, CONFLICT, CANNOT_TELL)}


def _side(own: list[float], others: list[list[float]]) -> Side:
    spread = pooled(own, others, step=1 / IMAGES) or pooled(own, step=1 / IMAGES)
    return Side(own, spread)


def main() -> None:
    """Print the table, and write it."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{TRIALS} simulated pairs of teams each, {IMAGES} images, accuracy {OURS}, margin {MARGIN}")
    for column in TWO_TEAMS_COLUMNS:
        table.add_column(column, justify="right")
    rows: list[dict[str, object]] = []
    for design in DESIGNS:
        for shift in SHIFTS:
            shares = rates(design, shift)
            row: dict[str, object] = {
                "seeds": design.ours, "their_seeds": design.theirs, "similar": design.similar,
                "spread": round(design.spread, 5), "their_spread": round(design.their_spread, 5), "shift": shift,
                **{word.replace(" ", "_"): share for word, share in shares.items()},
            }  # fmt: skip
            rows.append(row)
            table.add_row(*(f"{value}" for value in list(row.values())[:6]), *(f"{s:.1%}" for s in shares.values()))
        table.add_section()
    Console(width=120).print(table)
    write_csv(RESULTS / "two-teams.csv", rows, TWO_TEAMS_COLUMNS)


if __name__ == "__main__":
    np.seterr(all="raise")
    main()
