"""scores.csv: a row for every cell, small enough for git, so that a clone without the results can compare.

It holds nothing that depends on the clock. ``settings``: SHA-256 of the cell. ``training`` and ``evaluation``: of the
files in the folders of these names; on one kind of ``machine`` they are the same whenever numbers and weights are.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stages.core.dependencies import files_in
from stages.core.files import sha256, sha256_of
from stages.core.layout import Layout
from stages.core.tables import write_csv
from stages.results.cell_result import CellResult
from stages.results.records import Environment

DECIDED = ("settings", "data_sha256", "code_sha256", "parameters", "macs", "training_macs", "test_images", "scale")
SCORES = ("test_accuracy", "test_loss", "train_accuracy")
FILES = ("training", "evaluation")
SCORE_COLUMNS = ("key", "paper", *DECIDED, *SCORES, *FILES, "machine")


def folder_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of the files in a folder."""
    return sha256_of({path.relative_to(folder).as_posix(): sha256(path) for path in files_in([folder])})


def described(machine: Environment) -> str:
    """What decides the last digits of a training, as far as a machine does."""
    processor = f"{machine.device_name} {machine.instructions}".strip()
    return f"{processor}, threads {machine.threads}, torch {machine.torch}"


def score_row(result: CellResult, scale: str, layout: Layout) -> dict[str, object]:
    """What scores.csv says of a cell; the scores are means over its seeds."""
    cell, run, metrics = result.cell, result.run, result.metrics
    machines = sorted({described(machine) for machine in result.environments.values()})
    return {
        "key": cell.key,
        "paper": cell.paper,
        "settings": sha256_of(cell.model_dump(mode="json")),
        "data_sha256": run.data_sha256,
        "code_sha256": run.code_sha256,
        "parameters": metrics.parameters,
        "macs": metrics.macs,
        "training_macs": metrics.training_macs,
        "test_images": metrics.test_images,
        "scale": scale,
        **{name: result.mean(name) for name in SCORES},
        "training": folder_digest(layout.training(cell)),
        "evaluation": folder_digest(layout.evaluation(cell)),
        "machine": " and ".join(machines),
    }


def write_scores(scaled: Iterable[tuple[CellResult, str]], layout: Layout) -> None:
    """Write HOME/scores.csv: a row for every result, which comes with its scale."""
    write_csv(layout.scores, (score_row(result, scale, layout) for result, scale in scaled), SCORE_COLUMNS)
