"""Are two sets of results the same? Compares every number of the results in two homes.

    python -m stages.compare_runs A B --exact
    python -m stages.compare_runs HEAD .

A and B are homes (folders with results/), or git revisions of this repository, whose committed results are taken. With
``--exact`` every result file must be the same byte for byte, as it is on one machine with one thread count; without,
the scores and curves are compared and may differ by the tolerance: fractions by ``--tolerance``, numbers above 1 by
that share of themselves. What depends on the clock (timing.csv, latency.json, environment.json) is not compared. Prints
what moved; the exit status is 1 if anything did, or if a result is missing on one side.
"""

from __future__ import annotations

import argparse
import io
import math
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stages.errors import StageError, run_stage
from stages.files import read_json
from stages.tables import read_rows

# What says everything that the other files say, too, without deciding at a tie.
MEASURED = {"metrics.json", "curves.csv", "per_class.csv", "composition.csv", "run.json"}
CLOCKED = {"timing.csv", "latency.json", "environment.json"}
TOLERANCE = 0.02
MISSING = "missing"


@dataclass(frozen=True)
class Moved:
    """A number, or a whole file, that is not the same: where it stands, and its two values as text."""

    file: str
    what: str
    first: str
    second: str


def files(home: Path) -> dict[str, Path]:
    """Every result file of a home that does not depend on the clock, by its path from results/."""
    results = home / "results"
    if not results.is_dir():
        raise StageError(f"{results} is missing; expected a home with results, made by `dvc repro`.")
    found = (path for path in results.rglob("*") if path.suffix in (".csv", ".json") and path.name not in CLOCKED)
    return {path.relative_to(results).as_posix(): path for path in sorted(found)}


def compare(first: Path, second: Path, tolerance: float | None) -> list[Moved]:
    """What differs between the results of two homes; ``tolerance`` None: byte for byte."""
    ours, theirs = ({name: path for name, path in files(home).items() if tolerance is None or path.name in MEASURED}
                    for home in (first, second))  # fmt: skip
    moved = []
    for name in sorted({*ours, *theirs}):
        if name not in ours or name not in theirs:
            sides = ("there" if name in side else MISSING for side in (ours, theirs))
            moved.append(Moved(name, "file", *sides))
        elif ours[name].read_bytes() != theirs[name].read_bytes():
            apart = list(differences(ours[name], theirs[name], 0.0 if tolerance is None else tolerance))
            if tolerance is None and not apart:
                apart = [("bytes", "", "other bytes, the same numbers")]
            moved += [Moved(name, *each) for each in apart]
    return moved


def differences(first: Path, second: Path, tolerance: float) -> Iterator[tuple[str, str, str]]:
    """The values of two CSV or JSON files that lie apart: what, and both as text."""
    ours, theirs = (_values(path) for path in (first, second))
    for name in dict.fromkeys([*ours, *theirs]):
        pair = ours.get(name, MISSING), theirs.get(name, MISSING)
        if not close(*pair, tolerance):
            yield name, *pair


def close(first: str, second: str, tolerance: float) -> bool:
    """Whether two values are the same, or numbers within the tolerance: of 1, or of the larger one if it is above 1."""
    if first == second:
        return True
    try:
        a, b = float(first), float(second)
    except ValueError:
        return False
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)


def _values(path: Path) -> dict[str, str]:
    """The values of a file by their place: a JSON file's by dotted key, a table's by row and column."""
    if path.suffix == ".json":
        return dict(_leaves(read_json(path)))
    rows = read_rows(path, ())
    return {f"row {number}, {column}": text for number, row in enumerate(rows) for column, text in row.items()}


def _leaves(tree: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _leaves(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from _leaves(value, f"{prefix}.{number}")
    else:
        yield prefix, str(tree)


@contextmanager
def home_of(name: str) -> Iterator[Path]:
    """A home by its folder, or the committed results of a git revision (REVISION or REVISION:FOLDER), unpacked."""
    if Path(name).is_dir():
        yield Path(name)
        return
    revision, _, folder = name.partition(":")
    place = f"{folder}/results" if folder else "results"
    done = subprocess.run(["git", "archive", revision, place], capture_output=True)
    if done.returncode:
        raise StageError(f"{name} is neither a folder nor a git revision with {place}; expected one of them.")
    with tempfile.TemporaryDirectory() as unpacked:
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            archive.extractall(unpacked, filter="data")
        yield Path(unpacked) / folder


def machines(home: Path) -> set[tuple[str, ...]]:
    """What the results of a home were trained on, as far as it decides their last digits."""
    records = (read_json(path) for path in (home / "results").rglob("environment.json"))
    return {tuple(str(record[key]) for key in ("device_name", "threads", "torch")) for record in records}


def show(moved: list[Moved], compared: int, most: int = 40) -> None:
    """Print what moved as a table, and how much was compared."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 120)
    if moved:
        table = Table("file", "what", "first", "second")
        for each in moved[:most]:
            table.add_row(each.file, each.what, each.first, each.second)
        console.print(table)
    left = f", {len(moved) - most} of them not shown" if len(moved) > most else ""
    console.print(
        f"{compared} files compared: {len(moved)} values moved{left}." if moved else f"{compared} files: the same."
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", help="a home, or a git revision (REVISION or REVISION:full)")
    parser.add_argument("second", help="the same")
    parser.add_argument("--exact", action="store_true", help="byte for byte")
    parser.add_argument("--auto", action="store_true", help="--exact if both were trained on the same kind of machine")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="default: %(default)s")
    arguments = parser.parse_args()
    with home_of(arguments.first) as first, home_of(arguments.second) as second:
        exact = arguments.exact or (arguments.auto and machines(first) == machines(second))
        moved = compare(first, second, None if exact else arguments.tolerance)
        show(moved, len(files(first)))
    if moved:
        raise SystemExit(1)


if __name__ == "__main__":
    run_stage(main)
