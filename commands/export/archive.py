"""An archive that has the same bytes whenever it has the same contents."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from commands.export.contents import Files
from stages.core.files import atomic_path

SUMS = "SHA256SUMS"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can name
UNIX, FILE, FOLDER = 3, 0o100644, 0o040755


def checksums(files: Files) -> bytes:
    """The SHA-256 of every file, a line each, as ``sha256sum --check`` reads them."""
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()


def write_archive(target: Path, files: Files) -> None:
    """Write ``files`` and their checksums as a zip, atomically: sorted, at a fixed time, with fixed permissions.

    Every folder has an entry of its own, for who looks for one in the archive: validators of RO-Crates do.
    """
    whole = files | {SUMS: checksums(files)}
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted({*whole, *folders(whole)}):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system, entry.external_attr = UNIX, (FOLDER if entry.is_dir() else FILE) << 16
            archive.writestr(entry, whole.get(name, b""), zipfile.ZIP_DEFLATED, 9)


def folders(paths: Iterable[str]) -> set[str]:
    """The folders that ``paths`` lie in, as a zip names them."""
    return {f"{folder}/" for path in paths for folder in PurePosixPath(path).parents if folder.name}
