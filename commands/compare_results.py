"""Are two sets of results the same? Prints what moved.

    python -m commands compare-results A B --exact
    python -m commands compare-results HEAD .

A and B are homes, or git revisions of this repository (REVISION, or REVISION:full for a home in it), whose results are
taken from DVC's cache. headline.json and all results are compared; where the results of either are not at hand,
scores.csv, which has a row for every cell, with digests of its files. With ``--exact`` all must be the same byte for
byte, as it is on one kind of machine: processor, threads, torch. What depends on the clock (results/clocks) is not
compared.

Another processor rounds other last digits, and training amplifies them: with AVX2 in place of AVX-512, 33 of 61 runs of
the default pipeline kept their test accuracy; the others moved by up to 0.144 (recurnet1, six epochs at a large rate),
and all of them by 0.017 on average. So without ``--exact`` these must hold: the same runs, made with the same settings,
data and code; the same whole numbers (parameters, multiply-accumulates, images); accuracies that differ by at most
``--tolerance`` each and by at most ``--mean-tolerance`` on average. Losses and curves are not compared.

The exit status is 1 if anything moved, or if a result is missing on one side.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from commands.revisions import home_of
from stages.compare.scores import FILES
from stages.core.errors import StageError, run_stage
from stages.core.files import read_json
from stages.core.tables import read_rows
from stages.core.text import counted

DECIDED = {"run.json", "composition.csv"}  # the same on every machine
MEASURED = {"metrics.json", "headline.json", "scores.csv"}  # whole numbers in them are the same everywhere, too
OF_A_MACHINE = (*FILES, "machine")  # columns of scores.csv that are the same on one kind of machine only
SHOWN = 40
MISSING = "missing"


@dataclass(frozen=True)
class Tolerance:
    """How far the accuracies (fractions) of two machines may lie apart: each of them, and on average over all."""

    each: float = 0.25
    mean: float = 0.03


@dataclass(frozen=True)
class Moved:
    """A number, or a whole file, that is not the same: where it stands, and its two values as text."""

    file: str
    what: str
    first: str
    second: str


def files(home: Path, *, results: bool) -> dict[str, Path]:
    """What a home has to be compared, by its path from there: the headline, and the results or else the scores."""
    if results:
        clocks = home / "results" / "clocks"
        found = [path for path in clocks.parent.rglob("*") if path.is_file() and clocks not in path.parents]
    else:
        found = [home / "scores.csv"]
        if not found[0].is_file():
            raise StageError(f"{found[0]} is missing; expected a home with results, made by `dvc repro`.")
    found += [path for path in (home / "headline.json",) if path.is_file()]
    return {path.relative_to(home).as_posix(): path for path in sorted(found)}


def compare(first: Path, second: Path, tolerance: Tolerance | None) -> list[Moved]:
    """What differs between the results of two homes; ``tolerance`` None: byte for byte."""
    names = DECIDED | MEASURED
    results = has_results(first) and has_results(second)
    ours, theirs = ({name: path for name, path in files(home, results=results).items()
                     if tolerance is None or path.name in names} for home in (first, second))  # fmt: skip
    moved: list[Moved] = []
    apart: list[float] = []
    for name in sorted({*ours, *theirs}, key=lambda name: (Path(name).name not in MEASURED, name)):
        if name not in ours or name not in theirs:
            moved.append(Moved(name, "file", *("there" if name in side else MISSING for side in (ours, theirs))))
        elif tolerance is None or ours[name].name in DECIDED:
            moved += [Moved(name, *each) for each in exact_differences(ours[name], theirs[name])]
        else:
            moved += [Moved(name, *each) for each in score_differences(ours[name], theirs[name], tolerance.each, apart)]
    if tolerance is not None and apart and (mean := sum(apart) / len(apart)) > tolerance.mean:
        moved.append(Moved("all runs", "accuracies, mean difference", f"at most {tolerance.mean:g}", f"{mean:.4f}"))
    return moved


def has_results(home: Path) -> bool:
    """Whether the results themselves are at hand."""
    return (home / "results" / "training").is_dir()


def exact_differences(first: Path, second: Path) -> Iterator[tuple[str, str, str]]:
    """What differs between two files: values of CSV and JSON files with their place, else the bytes."""
    if first.read_bytes() == second.read_bytes():
        return
    ours, theirs = (_values(path) for path in (first, second))
    apart = [name for name in dict.fromkeys([*ours, *theirs]) if ours.get(name) != theirs.get(name)]
    for name in apart:
        yield name, ours.get(name, MISSING), theirs.get(name, MISSING)
    if not apart:
        yield "bytes", "", "other bytes, the same numbers" if ours else "other bytes"


def score_differences(
    first: Path, second: Path, tolerance: float, apart: list[float]
) -> Iterator[tuple[str, str, str]]:
    """Whole numbers and words of two files that differ, and accuracies that do by more than ``tolerance``.

    Appends the absolute difference of every test accuracy, the headline's apart, to ``apart``.
    """
    ours, theirs = (_values(path) for path in (first, second))
    for name in dict.fromkeys([*ours, *theirs]):
        pair = ours.get(name, MISSING), theirs.get(name, MISSING)
        if name.rpartition(", ")[2] in OF_A_MACHINE:
            continue
        if MISSING in pair or not all(map(_is_fractional, pair)):
            if pair[0] != pair[1]:
                yield name, *pair
        elif name.endswith("accuracy"):
            difference = abs(float(pair[0]) - float(pair[1]))
            if first.name == "metrics.json" or (first.name == "scores.csv" and name.endswith("test_accuracy")):
                apart.append(difference)
            if difference > tolerance:
                yield name, *pair


def _is_fractional(text: str) -> bool:
    """Whether this is how a float is written, and not a whole number or a word."""
    try:
        float(text)
    except ValueError:
        return False
    return not text.lstrip("-").isdigit()


def _values(path: Path) -> dict[str, str]:
    """The values of a file by their place: a JSON file's by dotted key, a table's by row and column; else none."""
    if path.suffix == ".json":
        return dict(_leaves(read_json(path)))
    if path.suffix != ".csv":
        return {}
    rows = read_rows(path, ())
    return {
        f"{row.get('key') or f'row {number}'}, {column}": text
        for number, row in enumerate(rows)
        for column, text in row.items()
    }


def _leaves(tree: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _leaves(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from _leaves(value, f"{prefix}.{number}")
    else:
        yield prefix, str(tree)


def machines(home: Path) -> set[str]:
    """What the results of a home were trained on, as far as it decides their last digits."""
    return {row["machine"] for row in read_rows(home / "scores.csv", ("machine",))}


def shown(moved: Sequence[Moved]) -> list[Moved]:
    """At most :data:`SHOWN` of what moved, as many of every file."""
    if len(moved) <= SHOWN:
        return list(moved)
    by_file = [list(values) for _, values in groupby(moved, key=lambda each: each.file)]
    return [each for values in by_file for each in values[: max(1, SHOWN // len(by_file))]][:SHOWN]


def report(first: Path, second: Path, exact: bool | None, tolerance: Tolerance) -> bool:
    """Print by which rule two homes are compared, and what moved; whether nothing did.

    ``exact`` None: byte for byte if both were trained on the same kind of machine.
    """
    from rich.console import Console
    from rich.table import Table

    ours, theirs = machines(first), machines(second)
    exact = ours == theirs if exact is None else exact
    moved = compare(first, second, None if exact else tolerance)
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    if moved:
        table = Table("file", "what", "first", "second")
        for column in table.columns:
            column.overflow = "fold"
        for each in shown(moved):
            table.add_row(each.file, each.what, each.first, each.second)
        console.print(table)
    where = [" and ".join(sorted(side)) for side in (ours, theirs)]
    console.print(f"Trained on {where[0]}" + ("." if ours == theirs else f"; the second on {where[1]}."))
    within = f"accuracies within {tolerance.each:g} each, {tolerance.mean:g} on average"
    if has_results(first) and has_results(second):
        what = f"{len(files(first, results=True))} result files"
    else:
        what = f"{len(read_rows(first / 'scores.csv', ()))} cells, by their rows in scores.csv,"
    console.print(f"{what} compared, {'byte for byte' if exact else within}.")
    left = f", {more} of them not shown" if (more := len(moved) - len(shown(moved))) else ""
    places = len({each.file for each in moved})
    console.print(
        f"{counted(len(moved), 'value')} moved in {counted(places, 'file')}{left}." if moved else "Nothing moved."
    )
    return not moved


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", help="a home, or a git revision (REVISION or REVISION:full)")
    parser.add_argument("second", help="the same")
    parser.add_argument("--exact", action="store_true", help="byte for byte")
    parser.add_argument("--auto", action="store_true", help="--exact if both were trained on the same kind of machine")
    usual = Tolerance()
    parser.add_argument("--tolerance", type=float, default=usual.each, help="of each accuracy; default: %(default)s")
    parser.add_argument("--mean-tolerance", type=float, default=usual.mean, help="on average; default: %(default)s")
    asked = parser.parse_args()
    with home_of(asked.first) as first, home_of(asked.second) as second:
        exact = True if asked.exact else None if asked.auto else False
        if not report(first, second, exact, Tolerance(asked.tolerance, asked.mean_tolerance)):
            raise SystemExit(1)


if __name__ == "__main__":
    run_stage(main)
