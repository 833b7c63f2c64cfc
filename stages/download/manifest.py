"""Image folders of the user's own: ``train/<class>/<image>`` and ``test/<class>/<image>``, or ``val`` for test.

Images may lie in folders of a class, too, as for torchvision's ImageFolder. Hidden files and folders are none of them.
Recording one writes a manifest (CSV: path, sha256), so that a split is always made of the images that were recorded.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from stages.core.errors import StageError
from stages.core.files import sha256
from stages.core.tables import write_csv
from stages.splits.format import PARTS
from stages.splits.pictures import SUFFIXES

MANIFEST = "manifest.csv"
MADE_BY_SYSTEMS = ("thumbs.db", "desktop.ini")  # hidden on Windows, though their names do not say so
LAYOUT = f"an image folder has train/<class>/ and test/<class>/ (or val/<class>/) with {', '.join(SUFFIXES)} files"


@dataclass(frozen=True)
class Listing:
    """Paths relative to an image folder, sorted, with ``/`` on every system: its images, and files that are none."""

    images: tuple[str, ...]
    others: tuple[str, ...]


def list_folder(folder: Path) -> Listing:
    """What is in an image folder. A :class:`StageError` names it, a part or a class if missing or without images."""
    classes: dict[str, set[str]] = {}
    images: list[str] = []
    others: list[str] = []
    for part, name in zip(PARTS, parts(folder), strict=True):
        root = folder / name
        if not root.is_dir():
            raise StageError(f"{root} is not there: {LAYOUT}; create it or correct `folder` in params.yaml.")
        files = _files(root)
        classes[part] = {entry.name for entry in root.iterdir() if entry.is_dir() and not _hidden(entry.name)}
        if not classes[part]:
            raise StageError(f"{root} holds no class folders: {LAYOUT}; add them or correct `folder` in params.yaml.")
        found = [file for file in files if "/" in file and file.lower().endswith(SUFFIXES)]
        if empty := sorted(classes[part] - {file.split("/")[0] for file in found}):
            raise StageError(f"{root / empty[0]} holds no images: {LAYOUT}; add images or remove the class.")
        images += [f"{name}/{file}" for file in found]
        others += [f"{name}/{file}" for file in sorted(set(files) - set(found))]
    if odd := sorted(classes["train"] ^ classes["test"]):
        raise StageError(f"{folder} has the class '{odd[0]}' in one part only; train and test need the same classes.")
    return Listing(tuple(images), tuple(others))


def list_images(folder: Path) -> list[str]:
    """The images of an image folder; see :func:`list_folder`."""
    return list(list_folder(folder).images)


def _files(root: Path) -> list[str]:
    """Every file below ``root`` that is not hidden, class by class; links to folders are followed."""
    found = []
    for where, folders, names in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if not _hidden(name)]
        inside = Path(where).relative_to(root)
        found += [(inside / name).as_posix() for name in names if not _hidden(name)]
    return sorted(found, key=lambda file: file.split("/"))


def _hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in MADE_BY_SYSTEMS


def parts(folder: Path) -> tuple[str, str]:
    """The folders of the training and the test part."""
    return "train", "val" if (folder / "val").is_dir() and not (folder / "test").is_dir() else "test"


def record(folder: Path, raw: Path) -> int:
    """Write the manifest of an image folder into ``raw``; returns the number of images."""
    images = list_images(folder)
    rows = ({"path": image, "sha256": sha256(folder / image)} for image in images)
    write_csv(raw / MANIFEST, rows, ("path", "sha256"))
    return len(images)
