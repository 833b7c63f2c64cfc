"""Homes of other git revisions: their files from git, their results from DVC's cache."""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from commands.dvc_inside.repository import copy_out
from commands.git import archived
from stages.core.errors import StageError

# Debian 12's Python, 3.11.2, does not know of filters yet, and needs none of an archive whose links were looked at.
SAFELY: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


@contextmanager
def home_of(name: str) -> Iterator[Path]:
    """A home by its folder, or that of a revision (REVISION or REVISION:FOLDER) with the results that DVC has of it."""
    if Path(name).is_dir():
        yield Path(name)
        return
    revision, _, folder = name.partition(":")
    with unpacked(revision) as root:
        if not (root / folder / "scores.csv").is_file():
            raise StageError(f"{name} has no scores.csv; expected one with results, as REVISION or REVISION:full.")
        check_out(revision, Path(folder) / "results", root / folder)
        yield root / folder


@contextmanager
def unpacked(revision: str) -> Iterator[Path]:
    """All files of a git revision of this repository, in a folder that is gone afterwards."""
    if (packed := archived(revision)) is None:
        raise StageError(f"{revision} is neither a folder nor a git revision; expected one of them.")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            for member in archive:
                if member.issym() and _leads_out(member, Path(folder).resolve()):
                    raise StageError(f"{revision} cannot be unpacked: {member.name} leads out of it; remove that link.")
            archive.extractall(folder, **SAFELY)
        yield Path(folder)


def _leads_out(link: tarfile.TarInfo, root: Path) -> bool:
    return not (root / link.name).parent.joinpath(link.linkname).resolve().is_relative_to(root)


def check_out(revision: str, path: Path, target: Path) -> None:
    """Put the folder ``path`` of a revision into ``target``, from DVC's cache or remotes; nothing if they lack some."""
    if not copy_out(revision, path, target):
        shutil.rmtree(target / path.name, ignore_errors=True)
