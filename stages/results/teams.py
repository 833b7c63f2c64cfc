"""Results of other teams: HOME/teams/<name>/, which `python -m commands team add` writes from what they published.

Nothing in them is run. A team's folder has its results laid out like those of a home, without weights, and team.json
with where they are from and the SHA-256 of every file. They are read with less trust than our own: what they say of
themselves has to fit together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError

from stages.core.errors import StageError
from stages.core.files import read_json, sha256
from stages.core.layout import Layout
from stages.core.validation import first_mistake
from stages.results.cell_result import CLASS_CURVE_COLUMNS, CURVE_COLUMNS, TIMING_COLUMNS, CellResult
from stages.results.read import read_recorded
from stages.results.records import Record, SeedScores

RECORD = "team.json"
_NAME = r"\w[\w.+-]*"
_TEXT = re.compile(r"[\w(][^\x00-\x1f\x7f]{0,199}")
# The files of a team, relative to its folder, and no others: plain tables and records.
WANTED = re.compile(
    rf"results/(?:training/{_NAME}(?:/{_NAME})?/(?:run\.json|curves\.csv|class_curves\.csv)"
    rf"|evaluation/{_NAME}(?:/{_NAME})?/(?:metrics\.json|predicted\.csv|calibration\.csv|iterations\.csv)"
    rf"|clocks/training/{_NAME}(?:/{_NAME})?/(?:timing\.csv|environment\.json)"
    rf"|clocks/evaluation/{_NAME}(?:/{_NAME})?/latency\.json"
    rf"|splits/{_NAME}/composition\.csv)"
)
ROUNDED = 1e-6  # an accuracy may come from 32-bit arithmetic
SHORT = Field(max_length=500)


class TeamRecord(Record):
    """team.json: where a team's results are from.

    ``source``: as it was given; ``revision``: the commit that it is, made at ``committed``, where that is known.
    ``added``: on which day. ``sha256``: of every file by its path in the team's folder. ``left_out``: what could not be
    read, and why. ``other_packages``: versions that their requirements.lock pins, and ours otherwise.
    """

    name: Annotated[str, Field(pattern=rf"^{_NAME}$", max_length=60)]
    source: Annotated[str, SHORT]
    kind: Literal["folder", "archive", "git revision"]
    revision: Annotated[str, SHORT] = ""
    committed: Annotated[str, SHORT] = ""
    added: Annotated[str, SHORT]
    sha256: dict[str, str]
    left_out: dict[str, str] = {}  # noqa: RUF012
    other_packages: dict[str, str] = {}  # noqa: RUF012


@dataclass(frozen=True)
class Team:
    """Another team and its results by run, as they are recorded; whether they fit ours is not asked here."""

    record: TeamRecord
    results: dict[str, CellResult]


def read_teams(layout: Layout) -> list[Team]:
    """The teams of a home, by name; a :class:`StageError` names what is damaged or not what was added."""
    return [read_team(path.parent) for path in sorted(layout.teams.glob(f"*/{RECORD}"))]


def read_team(folder: Path) -> Team:
    """One team. Every file has to be what team.json says, and there may be no others."""
    remedy = f"delete {folder} and add the team again"
    path = folder / RECORD
    try:
        record = TeamRecord.model_validate(read_json(path))
    except ValidationError as error:
        key, mistake = first_mistake(error)
        raise StageError(f"{path}: key '{key}': {mistake}; {remedy}.") from None
    found = {file.relative_to(folder).as_posix() for file in (folder / "results").rglob("*") if not file.is_dir()}
    if odd := sorted(found ^ record.sha256.keys()):
        raise StageError(f"{folder / odd[0]} is {'not in' if odd[0] in found else 'only in'} {RECORD}; {remedy}.")
    for name, digest in record.sha256.items():
        if (folder / name).is_symlink() or not WANTED.fullmatch(name) or sha256(folder / name) != digest:
            raise StageError(f"{folder / name} is not what was added; {remedy}.")
    layout = Layout(folder)
    results = [read_sound(layout, run) for run in layout.trained()]
    return Team(record, {result.cell.key: result for result in results})


def read_sound(layout: Layout, path: Path) -> CellResult:
    """The cell of a run.json of another team; a :class:`StageError` if it is damaged or contradicts itself."""
    try:
        result = read_recorded(layout, path)
        mistake = _mistake(result)
    except (ArithmeticError, LookupError, MemoryError, RecursionError, TypeError, ValueError) as error:
        raise StageError(f"{path.parent.name} cannot be read ({type(error).__name__}).") from None
    if mistake:
        raise StageError(f"{layout.evaluation(result.cell)}: {mistake}.")
    return result


def _mistake(result: CellResult) -> str:
    """What is wrong with the numbers or texts of a result; empty if nothing is."""
    tables = (
        result.curves[list(CURVE_COLUMNS)],
        result.class_curves[list(CLASS_CURVE_COLUMNS)],
        result.timing[list(TIMING_COLUMNS)],
    )
    scores = [getattr(seed, name) for seed in result.metrics.seeds for name in SeedScores.model_fields]
    if not (np.isfinite(scores).all() and all(np.isfinite(table.to_numpy(np.float64)).all() for table in tables)):
        return "a number is not finite"
    right = {seed: float(images.mean()) for seed, images in result.correct().items()}
    for seed in result.metrics.seeds:
        if abs(seed.accuracy - right[seed.seed]) > ROUNDED:
            return f"metrics.json has accuracy {seed.accuracy:.6g}, but predicted.csv {right[seed.seed]:.6g}"
    texts = [str(value) for machine in result.environments.values() for value in machine.model_dump().values()]
    texts += [result.run.data_sha256, result.run.code_sha256, *map(str, result.cell.options.values())]
    if odd := next((text for text in texts if text and not _TEXT.fullmatch(text)), None):
        return f"{odd[:40]!r} is no name of a machine, a version or a hash"
    return ""
