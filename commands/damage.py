"""Is every output still what DVC recorded when it was made, and every object of DVC's cache what its name says?

dvc.lock has the MD5 of each output, of a folder the MD5 of the list of its files and theirs. That list itself lies in
DVC's cache or, for what is committed, follows from the commit in which dvc.lock last changed.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from commands.git import archived, last_change
from stages.core.dvc_files import listed_files, listing_md5, md5_of, object_path, recorded_outputs

Files = dict[str, str]  # MD5 of each file by its path relative to an output, "." for an output that is a file
NONE = "none"


@dataclass(frozen=True)
class Damage:
    """A file, or a folder whose files are not known, and its MD5; ``NONE`` where there should be, or is, no file."""

    path: Path
    expected: str
    found: str
    remedy: str

    def __str__(self) -> str:
        """One sentence."""
        return f"{self.path} is damaged: MD5 {self.expected} was expected, {self.found} was found; {self.remedy}."


def damaged_outputs(home: Path, cache: Path) -> list[Damage]:
    """What there is of a home's outputs and is not as its dvc.lock says. ``cache``: the folder of DVC's objects."""
    lock = home / "dvc.lock"
    return [
        damage
        for path, expected in recorded_outputs(lock).items()
        if path.exists() and _digest(files := present(path)) != expected
        for damage in _compare(path, expected, files, cache, lock)
    ]


def damaged_objects(cache: Path, homes: Sequence[Path]) -> list[Damage]:
    """The objects of DVC's cache whose content is not what their name says; ``homes``: where copies of them may be."""
    paths = sorted(path for path in cache.glob("??/*") if path.is_file())
    named = [(path, (path.parent.name + path.name).removesuffix(".dir"), md5_of(path.read_bytes())) for path in paths]
    damaged = [(path, expected, found) for path, expected, found in named if found != expected]
    copies = _copies(homes) if damaged else {}
    return [
        Damage(
            path,
            expected,
            found,
            f"restore it with `cp -f {copies[expected]} {path}`"
            if expected in copies
            else f"remove it with `rm -f {path}`; then `dvc pull` fetches it or `dvc repro` makes it again",
        )
        for path, expected, found in damaged
    ]


def _copies(homes: Sequence[Path]) -> dict[str, Path]:
    """The files of all outputs that are there, by their MD5."""
    outputs = [path for home in homes for path in recorded_outputs(home / "dvc.lock") if path.exists()]
    return {md5: path / name for path in outputs for name, md5 in present(path).items()}


def present(path: Path) -> Files:
    """The files of an output as they are; what a killed process left half-written does not count."""
    if path.is_file():
        return {".": md5_of(path.read_bytes())}
    files = (file for file in path.rglob("*") if file.is_file() and file.suffix != ".part")
    return {file.relative_to(path).as_posix(): md5_of(file.read_bytes()) for file in files}


def _compare(path: Path, expected: str, files: Files, cache: Path, lock: Path) -> Iterator[Damage]:
    for known, remedy in _lists(path, expected, cache, lock):
        if _digest(known) == expected:
            for name in sorted(known.keys() | files.keys()):
                if (wanted := known.get(name, NONE)) != (found := files.get(name, NONE)):
                    yield Damage(path / name, wanted, found, remedy)
            return
    yield Damage(path, expected, _digest(files), _made_again(path, lock))


def _lists(path: Path, expected: str, cache: Path, lock: Path) -> Iterator[tuple[Files, str]]:
    """What is known of the files that an output should have, and how to get them back.

    DVC alone overlooks a change that keeps size and time of a file, and a stage runs again if one of its outputs is not
    in the cache.
    """
    if _is_whole(expected, cache):
        listed = listed_files(object_path(cache, expected)) if expected.endswith(".dir") else {}
        files = listed or {".": expected}
        stored = all(_is_whole(md5, cache) for md5 in files.values())
        yield files, f"restore it with `rm -r {path} && dvc checkout {path}`" if stored else _made_again(path, lock)
    if (revision := last_change(lock)) and (packed := archived(revision, path)):
        yield _unpacked(packed, path), f"restore it with `git checkout {revision} -- {path}`"


def _made_again(path: Path, lock: Path) -> str:
    return f"make it again with `rm -r {path} && dvc repro {lock.with_name('dvc.yaml')}`"


def _is_whole(md5: str, cache: Path) -> bool:
    path = object_path(cache, md5)
    return path.is_file() and md5_of(path.read_bytes()) == md5.removesuffix(".dir")


def _unpacked(packed: bytes, path: Path) -> Files:
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        content = {m.name: archive.extractfile(m) for m in archive.getmembers() if m.isfile()}
        return {Path(n).relative_to(path).as_posix(): md5_of(file.read()) for n, file in content.items() if file}


def _digest(files: Files) -> str:
    """The MD5 by which DVC knows an output."""
    return files["."] if set(files) == {"."} else listing_md5(files)
