"""How long a training step of a network takes on a machine: HOME/pace.csv, which `python -m commands plan` writes.

It is in git, so that hours can be told of a machine that one does not sit at: every row names its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.cell import Cell
from stages.core.files import sha256_of
from stages.core.layout import Layout
from stages.core.tables import read_rows, write_csv

PACE_COLUMNS = (
    "key", "work", "device", "device_name", "threads", "precision", "torch", "code_sha256", "steps", "step_seconds",
    "step_low", "step_high", "test_seconds",
)  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """What the seconds of a step depend on, beside the network."""

    device: str
    device_name: str
    threads: int
    precision: str = "float32"

    def __str__(self) -> str:
        if self.device == "cuda":
            return self.device_name
        return f"{self.device_name}, {self.threads} thread{'s' if self.threads > 1 else ''}"


@dataclass(frozen=True)
class Timed:
    """A timed step. ``key``: the run that it was timed for; ``work``: what it does, see :func:`work_of`.

    ``step_seconds``: of a training step, the median of ``steps``; ``step_low``, ``step_high``: their quartiles.
    ``test_seconds``: of a batch in testing. On a processor they are what a core of its own takes.
    """

    key: str
    work: str
    machine: Machine
    torch: str
    code_sha256: str
    steps: int
    step_seconds: float
    step_low: float
    step_high: float
    test_seconds: float


def work_of(cell: Cell) -> str:
    """What decides how long a step of ``cell`` takes, beside the machine and the code; equal for what does the same."""
    recipe = cell.recipe
    about = {
        **cell.model_dump(mode="json", include={"architecture", "options", "transform"}),
        **recipe.model_dump(mode="json", include={"batch_size", "test_batch_size", "objective", "optimizer"}),
        "images": cell.split.source or cell.dataset,
        "classes": cell.split.classes,
    }
    return sha256_of(about)[:16]


def read_timed(layout: Layout) -> list[Timed]:
    """The timed steps of a home; none where there is no file. A :class:`StageError` names what is damaged."""
    path = layout.pace
    if not path.is_file():
        return []
    return [
        Timed(
            row["key"],
            row["work"],
            Machine(row["device"], row["device_name"], int(row["threads"]), row["precision"]),
            row["torch"],
            row["code_sha256"],
            int(row["steps"]),
            *(float(row[name]) for name in PACE_COLUMNS[-4:]),
        )
        for row in read_rows(path, PACE_COLUMNS, remedy="restore it with `git checkout`")
    ]


def write_timed(layout: Layout, timed: Sequence[Timed]) -> None:
    """Put ``timed`` in the place of what was known of the same work on the same machines."""
    known = {(each.work, each.machine): each for each in (*read_timed(layout), *timed)}
    rows: list[Mapping[str, object]] = [
        {**vars(each), **vars(each.machine)}
        for each in sorted(known.values(), key=lambda each: (str(each.machine), each.key))
    ]
    write_csv(layout.pace, rows, PACE_COLUMNS)
