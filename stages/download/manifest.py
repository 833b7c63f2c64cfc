"""Image folders of the user's own: ``train/<class>/<image>`` and ``test/<class>/<image>``, or ``val`` for test.

Recording one writes a manifest (CSV: path, sha256), so that a split is always made of the images that were recorded.
"""

from __future__ import annotations

from pathlib import Path

from stages.core.errors import StageError
from stages.core.files import sha256
from stages.core.tables import write_csv
from stages.splits.format import PARTS

MANIFEST = "manifest.csv"
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
LAYOUT = f"an image folder has train/<class>/ and test/<class>/ (or val/<class>/) with {', '.join(SUFFIXES)} files"


def list_images(folder: Path) -> list[str]:
    """The images of an image folder: paths relative to it, sorted, with ``/`` on every system.

    A :class:`StageError` names the folder if it, a part or a class is missing or without images.
    """
    classes: dict[str, list[str]] = {}
    images: list[str] = []
    for part, name in zip(PARTS, parts(folder), strict=True):
        root = folder / name
        if not root.is_dir():
            raise StageError(f"{root} is not there: {LAYOUT}; create it or correct `folder` in params.yaml.")
        classes[part] = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and entry.name[0] != ".")
        if not classes[part]:
            raise StageError(f"{root} holds no class folders: {LAYOUT}; add them or correct `folder` in params.yaml.")
        for label in classes[part]:
            found = sorted(path.name for path in (root / label).iterdir() if path.suffix.lower() in SUFFIXES)
            if not found:
                raise StageError(f"{root / label} holds no images: {LAYOUT}; add images or remove the class.")
            images += [f"{name}/{label}/{file}" for file in found]
    if odd := sorted(set(classes["train"]) ^ set(classes["test"])):
        raise StageError(f"{folder} has the class '{odd[0]}' in one part only; train and test need the same classes.")
    return images


def parts(folder: Path) -> tuple[str, str]:
    """The folders of the training and the test part."""
    return "train", "val" if (folder / "val").is_dir() and not (folder / "test").is_dir() else "test"


def record(folder: Path, raw: Path) -> int:
    """Write the manifest of an image folder into ``raw``; returns the number of images."""
    images = list_images(folder)
    rows = ({"path": image, "sha256": sha256(folder / image)} for image in images)
    write_csv(raw / MANIFEST, rows, ("path", "sha256"))
    return len(images)
