"""Where else than at its publisher a file may be read: the mirror that the environment names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from stages.core.errors import StageError
from stages.core.files import sha256
from stages.download.fetch import NotOfficial, fetch
from stages.download.official_files import OfficialFile

MIRROR = "RECURNETS_MIRROR"


def is_right(path: Path, file: OfficialFile) -> bool:
    """Whether ``path`` holds the bytes of ``file`` already."""
    return path.is_file() and path.stat().st_size == file.size and sha256(path) == file.sha256


def mirrored(*paths: str) -> tuple[str, ...]:
    """The URLs of a file under the mirror, one per place where it may lie; none when there is no mirror."""
    mirror = os.environ.get(MIRROR, "")
    if not mirror:
        return ()
    if "://" not in mirror:
        if not Path(mirror).is_dir():
            raise StageError(f"{MIRROR}={mirror} is neither a folder nor a URL; correct it or unset it.")
        mirror = Path(mirror).resolve().as_uri()
    return tuple(f"{mirror.rstrip('/')}/{path}" for path in paths)


def obtain(file: OfficialFile, places: Sequence[str], urls: Sequence[str], target: Path) -> None:
    """Put ``file`` at ``target``: from its ``places`` under the mirror if there is one, else from ``urls``.

    A :class:`StageError` says what each of them gave when none gave the official bytes.
    """
    try:
        fetch(file, mirrored(*places) or urls, target)
    except NotOfficial as error:
        raise unavailable(file, str(error)) from None


def unavailable(file: OfficialFile, *reasons: str) -> StageError:
    """What is said of a file that could not be had, and what to do about it."""
    advice = (
        f"put the official file into {MIRROR}={os.environ[MIRROR]}, or unset {MIRROR}"
        if os.environ.get(MIRROR)
        else f"connect to the network, or set {MIRROR} to a folder that holds it"
    )
    return StageError(f"{file} could not be had ({'; '.join(reasons)}): {advice}, then run the same command again.")
