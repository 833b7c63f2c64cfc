"""The tables of benchmarks/results/: speed, precision, denormal numbers, many cells, how often a verdict is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stages.core.tables import Row, read_rows

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
THROUGHPUT_COLUMNS = (
    "device_name", "threads", "torch", "case", "precision", "seeds", "batch_size", "ours_images_per_second",
    "naive_images_per_second", "ratio", "ours_gflops", "matrix_gflops", "ours_fraction", "ours_data_share",
    "ours_overhead_share",
)  # fmt: skip
PRECISION_COLUMNS = (
    "device_name", "run", "epochs", "seeds", "precision", "float32_accuracy", "accuracy", "difference", "low", "high",
    "margin", "outcome", "float32_seconds", "seconds",
)  # fmt: skip
DENORMAL_COLUMNS = (
    "device_name", "torch", "case", "state", "batch_size", "denormal_share", "seconds", "seconds_flushed", "ratio",
)  # fmt: skip
ERROR_COLUMNS = (
    "seeds", "similar", "spread", "similar_spread", "shift", "match", "better", "worse", "inconclusive", "plausible",
)  # fmt: skip
SENTENCE_COLUMNS = (
    "true_range", "layout", "noisier", "seeds", "trials", "holds", "contradicted", "undecided", "seen", "not seen",
    "by the simpler rule",
)  # fmt: skip
FIRST_EPOCH_COLUMNS = (
    "runs", "epochs", "seeds", "spreads", "shift", "where", "follows", "departs", "cannot_tell", "any_departs",
)  # fmt: skip
TWO_TEAMS_COLUMNS = (
    "seeds", "their_seeds", "similar", "spread", "their_spread", "shift", "agree", "conflict", "cannot_tell",
)  # fmt: skip

MANY_CELLS_COLUMNS = ("step", "cells", "seconds", "megabytes")


@dataclass(frozen=True)
class SpeedView:
    """Rows of what was measured, from every device, and of the benchmarks that draw made-up runs."""

    throughput: list[Row]
    precision: list[Row]
    denormals: list[Row]
    errors: list[Row]
    sentences: list[Row]
    first_epochs: list[Row]
    two_teams: list[Row]
    many_cells: list[Row]


def speed() -> SpeedView:
    """What was measured; a :class:`StageError` names a file that is damaged."""
    precision, denormals = (sorted(RESULTS.glob(f"{name}-*.csv")) for name in ("precision", "denormals"))
    verdicts, sentences, first_epochs = (RESULTS / f"{name}.csv" for name in ("verdicts", "sentences", "first-epochs"))
    two_teams, many_cells = RESULTS / "two-teams.csv", RESULTS / "many-cells.csv"
    others = {verdicts, sentences, first_epochs, two_teams, many_cells}
    throughput = sorted({*RESULTS.glob("*.csv")} - {*precision, *denormals, *others})
    return SpeedView(
        [row for path in throughput for row in read_rows(path, THROUGHPUT_COLUMNS)],
        [row for path in precision for row in read_rows(path, PRECISION_COLUMNS)],
        [row for path in denormals for row in read_rows(path, DENORMAL_COLUMNS)],
        read_rows(verdicts, ERROR_COLUMNS) if verdicts.is_file() else [],
        read_rows(sentences, SENTENCE_COLUMNS) if sentences.is_file() else [],
        read_rows(first_epochs, FIRST_EPOCH_COLUMNS) if first_epochs.is_file() else [],
        read_rows(two_teams, TWO_TEAMS_COLUMNS) if two_teams.is_file() else [],
        read_rows(many_cells, MANY_CELLS_COLUMNS) if many_cells.is_file() else [],
    )
