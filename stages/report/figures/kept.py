"""What was drawn for the last report is taken over where it would come out the same, which saves most of the time.

It lies in HOME/.drawings.zip, under a fingerprint of all that decides it: the numbers that are drawn, the code of this
stage, the libraries and their settings. The file may be deleted at any time: all is then drawn again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from stages.core.cores import cores
from stages.core.dependencies import ROOT, code_of, files_in
from stages.core.files import atomic_path, sha256

LIBRARIES = ("fonttools", "matplotlib", "numpy", "pandas", "vl-convert-python")  # those that decide what comes out
Files = tuple[bytes, ...]
Task = Callable[[], Files]


def made(tasks: Sequence[Task], kept: Path) -> list[Files]:
    """What each of ``tasks`` gives: what is ``kept`` of it, else made in processes of their own on all of our cores.

    Tasks have to be such as pickle takes. Afterwards ``kept`` holds what these tasks gave, and nothing else.
    """
    import joblib

    around = _around()
    names = [joblib.hash((around, task)) for task in tasks]
    before = read_kept(kept)
    new = {name: task for name, task in zip(names, tasks, strict=True) if name not in before}
    pool = joblib.Parallel(cores(), backend="multiprocessing", batch_size=1)
    results = pool(joblib.delayed(task)() for task in new.values())
    found = {**before, **dict(zip(new, results, strict=True))}
    if before.keys() != set(names):
        write_kept(kept, {name: found[name] for name in names})
    return [found[name] for name in names]


def _around() -> list[object]:
    """What decides drawings beside the numbers in them."""
    import matplotlib as mpl

    code = (path for path in files_in(code_of("report")) if path.suffix == ".py")
    return [
        {path.relative_to(ROOT).as_posix(): sha256(path) for path in code},
        {library: version(library) for library in LIBRARIES},
        sys.version,
        str(mpl.rcParams),
    ]


def read_kept(path: Path) -> dict[str, Files]:
    """What is kept, by its fingerprint; nothing if it is damaged."""
    files: dict[str, list[bytes]] = {}
    try:
        with ZipFile(path) as archive:
            for name in archive.namelist():
                files.setdefault(name.partition("/")[0], []).append(archive.read(name))
    except (FileNotFoundError, BadZipFile):
        return {}
    return {name: tuple(contents) for name, contents in files.items()}


def write_kept(path: Path, kept: Mapping[str, Files]) -> None:
    """Keep this and nothing else; an archive notices damage by itself."""
    with atomic_path(path) as temporary, ZipFile(temporary, "w") as archive:
        for name, contents in kept.items():
            for number, content in enumerate(contents):
                archive.writestr(f"{name}/{number}", content)
