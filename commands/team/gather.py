"""Copying the results of a source: its files if they are there, else the objects that its dvc.lock names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from commands.team.sources import MOST_OF_A_FILE, Budget, Source
from stages.core.dvc_files import md5_of, object_path, recorded_outputs
from stages.core.errors import StageError
from stages.results.teams import WANTED

ANCHOR = re.compile(rb"(?:^|[\s\[{,:-])[&*]\w")  # a YAML document can grow without bound by naming a part of it


def gather(source: Source, target: Path) -> list[str]:
    """Copy what a team may have from a source into ``target``; gives the names of the files.

    A :class:`StageError` if there is nothing, too much, or a link that leads out of the source.
    """
    budget, names = Budget(), []
    for name, content in _present(source.folder, budget) or _stored(source, budget):
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        names.append(name)
    return sorted(names)


def _present(home: Path, budget: Budget) -> list[tuple[str, bytes]]:
    """Names and contents of the files in a home's results; nothing if no training is among them."""
    root, found = home.resolve(), []
    for path in sorted((home / "results").rglob("*")):
        name = path.relative_to(home).as_posix()
        if WANTED.fullmatch(name) and path.is_file():
            if not path.resolve().is_relative_to(root):
                raise StageError(f"{path} leads out of {home}; expected plain files.")
            budget.take(str(path), path.stat().st_size)
            found.append((name, path.read_bytes()))
    return found if any(name.endswith("/run.json") for name, _ in found) else []


def _stored(source: Source, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """The same of the objects that a home's dvc.lock names; an object is what it is named after, its MD5."""
    lock = source.folder / "dvc.lock"
    if lock.is_file() and (lock.stat().st_size > MOST_OF_A_FILE or ANCHOR.search(lock.read_bytes())):
        raise StageError(f"{lock} is no lock file of DVC: it is too large, or has anchors; ask for it again.")
    for output, md5 in recorded_outputs(lock).items():
        if not md5.endswith(".dir") or not output.is_relative_to(source.folder / "results"):
            continue
        folder = output.relative_to(source.folder).as_posix()
        listed = _object(md5, source.objects)
        for name, each in _entries(folder, listed) if listed is not None else ():
            content = _object(each, source.objects)
            if content is not None:
                budget.take(name, len(content))
                yield name, content


def _entries(folder: str, listed: bytes) -> list[tuple[str, str]]:
    """The files that a folder has by DVC's list of them, as names that a team may have, and their MD5."""
    try:
        found = [(f"{folder}/{entry['relpath']}", str(entry["md5"])) for entry in json.loads(listed)]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise StageError(f"DVC's list of the files of {folder} is damaged; ask for it again.") from None
    return [(name, md5) for name, md5 in found if WANTED.fullmatch(name)]


def _object(md5: str, folders: tuple[Path, ...]) -> bytes | None:
    """An object of DVC; None where no folder has one whose content is what its name says."""
    bare = md5.removesuffix(".dir")
    if len(bare) != 32 or not bare.isalnum():
        return None
    for folder in folders:
        path = object_path(folder, md5)
        if path.is_file() and path.stat().st_size <= MOST_OF_A_FILE:
            content = path.read_bytes()
            if md5_of(content) == bare:
                return content
    return None
