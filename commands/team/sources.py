"""Where another team's results are taken from: a folder, an archive, or a git revision; only plain tables and records.

All of it is read as if it were hostile. Names of files are compared with those that a team may have
(``stages.results.teams.WANTED``), links are refused, sizes are limited, and neither DVC nor anything else is run on it.
"""

from __future__ import annotations

import hashlib
import lzma
import re
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from commands.git import git
from commands.revisions import unpacked
from stages.core.errors import StageError
from stages.results.teams import WANTED

MEBI = 2**20
MOST_OF_A_FILE, MOST_BYTES, MOST_FILES = 32 * MEBI, 512 * MEBI, 50_000
ABOUT = ("params.yaml", "provenance.json", "requirements.lock", "SHA256SUMS")  # read from an archive, too, but not kept
MOST_PACKED = 8 * MOST_BYTES  # of an archive's files together, taken or not
# What Python raises for an archive that is damaged, or needs a password.
UNREADABLE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
)
Kind = Literal["folder", "archive", "git revision"]


@dataclass(frozen=True)
class Source:
    """A home of another team in a ``folder``, whose repository is ``root``; ``revision``: the commit, where known.

    ``committed``: the time of that commit. ``objects``: folders in which DVC's objects may lie that its dvc.lock names.
    """

    folder: Path
    root: Path
    kind: Kind
    revision: str = ""
    committed: str = ""
    objects: tuple[Path, ...] = ()


@contextmanager
def opened(name: str, cache: Path) -> Iterator[Source]:
    """The home that ``name`` means: a folder, an archive (zip or tar), or REVISION or REVISION:FOLDER of git.

    ``cache``: this clone's folder of DVC's objects, where those of a revision may lie. A :class:`StageError` if it is
    none of these.
    """
    path = Path(name)
    if path.is_dir():
        root = next((each for each in (path, path.parent) if (each / ".git").exists()), path)
        yield Source(path, root, "folder", head(root), "", _objects(root))
    elif path.is_file():
        with tempfile.TemporaryDirectory() as folder:
            home = unpack(path, Path(folder))
            yield Source(home, home, "archive")
    elif name.startswith("-"):
        raise StageError(f"{name} is neither a folder nor an archive nor a git revision; expected one of them.")
    else:
        revision, _, inner = name.partition(":")
        with unpacked(revision) as root:
            home = root / inner
            if not home.resolve().is_relative_to(root.resolve()) or not (home / "params.yaml").is_file():
                raise StageError(f"{name} has no params.yaml; expected a home, as REVISION or REVISION:full.")
            yield Source(home, root, "git revision", *_commit(revision), (*_objects(root), cache))


def _commit(revision: str) -> tuple[str, str]:
    """The full hash of a commit of this repository, and its time."""
    told = git("log", "-1", "--format=%H %cI", "--end-of-options", revision)
    found = told.stdout.decode(errors="replace").split()
    return (found[0], found[1]) if not told.returncode and len(found) == 2 else ("", "")


def head(root: Path) -> str:
    """The commit that a clone is at, empty where that is not plain to see.

    Read from its files: git would heed the clone's own configuration, which can name programs to run.
    """
    folder = root / ".git"
    try:
        with (folder / "HEAD").open(encoding="utf-8") as stream:
            text = stream.read(1000).strip()
        if (name := text.removeprefix("ref: ")) != text:
            loose = folder / name
            inside = loose.resolve().is_relative_to(folder.resolve())
            with (loose if inside and loose.is_file() else folder / "packed-refs").open(encoding="utf-8") as stream:
                lines = (line.split() for line in stream.read(MEBI).splitlines())
                text = next((words[0] for words in lines if len(words) == 1 or words[1:] == [name]), "")
    except (OSError, ValueError):
        return ""
    return text if re.fullmatch("[0-9a-f]{40,64}", text) else ""


def _objects(root: Path) -> tuple[Path, ...]:
    return root / "published" / "files" / "md5", root / ".dvc" / "cache" / "files" / "md5"


class Budget:
    """How much may still be read; a :class:`StageError` beyond."""

    def __init__(self) -> None:
        self.files, self.bytes = MOST_FILES, MOST_BYTES

    def take(self, name: str, size: int) -> None:
        """Count a file."""
        self.files, self.bytes = self.files - 1, self.bytes - size
        if size > MOST_OF_A_FILE or self.bytes < 0 or self.files < 0:
            raise StageError(
                f"{name} is too much: a team may have {MOST_FILES:,} files of at most {MOST_OF_A_FILE // MEBI} MiB "
                f"each and {MOST_BYTES // MEBI} MiB in all."
            )


def unpack(path: Path, folder: Path) -> Path:
    """Write the files of an archive that a team may have into ``folder``, by their names in the home that it holds.

    The home is the archive itself, or the one folder that is all of it. A :class:`StageError` says what is wrong.
    """
    found, seen, budget = False, 0, Budget()
    try:
        for name, size, stream in _members(path):
            if (seen := seen + size) > MOST_PACKED:
                raise StageError(f"{path} holds more than {MOST_PACKED // MEBI} MiB; expected results without weights.")
            if inner := _name_in_home(name):
                budget.take(f"{path}: {name}", size)
                target = folder / inner
                if target.exists():
                    raise StageError(f"{path} has {inner} twice; expected the archive of one home.")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(stream.read(size + 1)[:size])
                found = True
    except UNREADABLE as error:
        raise StageError(f"{path} cannot be unpacked: {error}; ask for it again.") from None
    if not found:
        raise StageError(f"{path} holds no results; expected the archive of a home with its results.")
    _check_sums(path, folder)
    return folder


def _name_in_home(name: str) -> str:
    """What a member of an archive is called in the home, if a team may have it, else empty."""
    names = (name, name.partition("/")[2])
    return next((each for each in names if each in ABOUT or WANTED.fullmatch(each)), "")


def _members(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Name, size and content of the plain files of an archive; links and the like are passed over."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            for entry in packed.infolist():
                mode = stat.S_IFMT(entry.external_attr >> 16)
                if not entry.is_dir() and mode in (0, stat.S_IFREG):
                    with packed.open(entry) as stream:
                        yield entry.filename, entry.file_size, stream
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isreg() and (content := archive.extractfile(member)) is not None:
                    yield member.name.removeprefix("./"), member.size, content
    else:
        raise StageError(f"{path} is no archive; expected a zip or tar file of a home.")


def _check_sums(path: Path, folder: Path) -> None:
    """Compare what was unpacked with the archive's own SHA256SUMS, if it has one."""
    sums = folder / "SHA256SUMS"
    if not sums.is_file():
        return
    lines = (line.split(maxsplit=1) for line in sums.read_text(encoding="utf-8", errors="replace").splitlines())
    told = {line[1].lstrip("*").removeprefix("./"): line[0] for line in lines if len(line) == 2}
    for file in sorted(each for each in folder.rglob("*") if each.is_file() and each != sums):
        name = file.relative_to(folder).as_posix()
        if told.get(name) != hashlib.sha256(file.read_bytes()).hexdigest():
            raise StageError(f"{path}: {name} is not what its SHA256SUMS says; ask for it again.")
