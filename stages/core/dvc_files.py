"""What DVC leaves as files: its cache, its remotes that are folders, and dvc.lock. DVC itself is not needed for it.

An object is a file that is named by its MD5. That of an output that is a folder ends in ``.dir`` and lists its files.
"""

from __future__ import annotations

import configparser
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from stages.core.errors import StageError
from stages.core.files import read_yaml

OBJECTS = Path("files", "md5")  # of a cache or a remote


def cache_folder(home: Path) -> Path | None:
    """DVC's cache of the repository that ``home`` lies in, as its configuration says; None outside of one."""
    resolved = home.resolve()
    root = next((folder / ".dvc" for folder in (resolved, *resolved.parents) if (folder / ".dvc").is_dir()), None)
    if root is None:
        return None
    settings = configparser.ConfigParser(interpolation=None, strict=False)
    settings.read([root / "config", root / "config.local"], encoding="utf-8")
    return root / settings.get("cache", "dir", fallback="cache")


def object_path(objects: Path, md5: str) -> Path:
    """Where an object lies in ``objects``, the :data:`OBJECTS` of a cache or a remote."""
    return objects / md5[:2] / md5[2:]


def recorded_outputs(lock: Path) -> dict[Path, str]:
    """The MD5 of each output in a dvc.lock, if there is one; a :class:`StageError` if it is damaged."""
    if not lock.is_file():
        return {}
    try:
        stages = read_yaml(lock)["stages"].values()
        outputs = [output for stage in stages for output in stage.get("outs", ())]
        return {lock.parent / str(output["path"]): str(output["md5"]) for output in outputs}
    except (StageError, LookupError, TypeError, AttributeError):
        raise StageError(f"{lock} is damaged; restore it with `git checkout {lock}`.") from None


def listed_files(listing: Path) -> dict[str, str]:
    """The MD5 of each file of an output that is a folder, by its path in it, from the object that lists them."""
    return {str(entry["relpath"]): str(entry["md5"]) for entry in json.loads(listing.read_bytes())}


def listing_md5(files: Mapping[str, str]) -> str:
    """The MD5 of the object that lists ``files``, with its ending."""
    entries = [{"md5": md5, "relpath": name} for name, md5 in sorted(files.items())]
    return md5_of(json.dumps(entries, sort_keys=True).encode()) + ".dir"


def md5_of(content: bytes) -> str:
    """What an object of this content is named by."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
