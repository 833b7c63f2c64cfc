"""Seeds among the outputs that a cell has already: those in its folders, or those that dvc.lock records.

DVC removes a stage's outputs before it runs its command, but its cache has them, for instance after `dvc pull`.
"""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath

from stages.cell import Cell
from stages.core.dvc_files import OBJECTS, cache_folder, listed_files, object_path, recorded_outputs
from stages.core.errors import StageError
from stages.core.files import read_json
from stages.core.layout import Layout
from stages.learning.engine import History
from stages.learning.weights import load_weights
from stages.train.seeds import TrainedSeed


class Recorded:
    """The outputs that a cell has. Use as a context manager; what comes from DVC's cache is looked up once."""

    def __init__(self, cell: Cell, layout: Layout) -> None:
        self.cell, self.layout = cell, layout
        self._stack = ExitStack()
        self._places: list[tuple[Path, Path]] | None = None

    def __enter__(self) -> Recorded:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def find(self, name: str, seed: int) -> TrainedSeed | None:
        """The seed whose fingerprint is ``name``, or None. What is damaged is passed over."""
        if self._places is None:
            self._places = list(self._look())
        for training, clock in self._places:
            with suppress(StageError, OSError, KeyError, ValueError):
                if read_json(training / "run.json")["seeds"].get(str(seed)) == name:
                    return _read(training, clock, seed)
        return None

    def _look(self) -> Iterator[tuple[Path, Path]]:
        """Pairs of a folder with training outputs, and one with their clocks."""
        outputs = self.layout.training(self.cell), self.layout.training_clock(self.cell)
        yield outputs
        cache, lock = cache_folder(self.layout.home), self.layout.home / "dvc.lock"
        if cache is not None and lock.is_file() and (recorded := _recorded(lock, lock.stat().st_mtime_ns)):
            copy = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
            found = [_copy(folder, recorded, cache / OBJECTS, copy / str(n)) for n, folder in enumerate(outputs)]
            if all(found):
                yield copy / "0", copy / "1"


@lru_cache(maxsize=1)  # the cells of a study ask one after another
def _recorded(lock: Path, _version: int) -> dict[Path, str]:
    """The MD5 of each output in a dvc.lock; none if it cannot be read, which DVC will say."""
    with suppress(StageError):
        return recorded_outputs(lock)
    return {}


def _copy(folder: Path, recorded: dict[Path, str], objects: Path, target: Path) -> bool:
    """Copy what DVC's cache has of ``folder``, which lies in a recorded output; whether there was anything."""
    for output in (folder, folder.parent):  # of a study, the folder of a cell lies in the output
        if (md5 := recorded.get(output)) is None:
            continue
        listing = object_path(objects, md5)
        if not listing.is_file():
            return False
        for name, of_file in _files(listing).get(folder.relative_to(output).as_posix(), ()):
            if (stored := object_path(objects, of_file)).is_file():
                target.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(stored, target / name)
        return target.is_dir()
    return False


@lru_cache(maxsize=2)  # a study's outputs and their clocks
def _files(listing: Path) -> dict[str, list[tuple[str, str]]]:
    """The files of an output, as DVC lists them: names and MD5s by the folder in it."""
    files: dict[str, list[tuple[str, str]]] = {}
    for path, md5 in listed_files(listing).items():
        name = PurePosixPath(path)
        files.setdefault(name.parent.as_posix(), []).append((name.name, md5))
    return files


def _read(training: Path, clock: Path, seed: int) -> TrainedSeed:
    machines = read_json(clock / "environment.json")["seeds"]
    history = History(
        curves=_rows(training / "curves.csv", seed),
        class_curves=_rows(training / "class_curves.csv", seed),
        timing=_rows(clock / "timing.csv", seed),
    )
    return TrainedSeed(load_weights(training, seed), history, machines[str(seed)])


def _rows(path: Path, seed: int) -> list[dict[str, float]]:
    """The rows of a seed as they were before they were written; what is empty is left out."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["seed"] == str(seed)]
    return [{name: _number(text) for name, text in row.items() if text} for row in rows]


def _number(text: str) -> float:
    return int(text) if text.lstrip("-").isdigit() else float(text)
