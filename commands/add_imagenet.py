"""Add the ImageNet runs of cnn-gru to a home, once their data are there.

    python -m commands add-imagenet HOME FOLDER

FOLDER is ILSVRC2012 as train/<class>/*.JPEG and val/<class>/*.JPEG. Puts the entries of HOME/imagenet.yaml into
HOME/params.yaml, with `data.imagenet.folder` pointing at FOLDER; everything else there, comments included, stays as it
is. Asked a second time, it points at the new folder.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ruamel.yaml import YAML

from stages.core.errors import StageError, run_stage
from stages.core.files import atomic_path
from stages.core.layout import Layout
from stages.download.manifest import list_images
from stages.params import load_params


def add(layout: Layout, folder: Path) -> int:
    """Change params.yaml; returns the number of images. A :class:`StageError` names what is missing."""
    images = list_images(folder)
    source = layout.home / "imagenet.yaml"
    if not source.is_file():
        raise StageError(f"{source} is missing; restore it with `git checkout {source}`.")
    load_params(layout.params)  # what is wrong with it is said before it is touched
    yaml = YAML()
    yaml.width, yaml.preserve_quotes = 200, True
    params, added = yaml.load(layout.params), yaml.load(source)
    for section, entries in added.items():
        if not params[section]:
            params[section] = {}
        for key, value in entries.items():
            params[section][key] = value
    params["data"]["imagenet"]["folder"] = os.path.relpath(folder.resolve(), layout.home.resolve())
    with atomic_path(layout.params) as temporary:
        yaml.dump(params, temporary)
        load_params(temporary)
    return len(images)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="folder with params.yaml and imagenet.yaml: full")
    parser.add_argument("folder", type=Path, help="the folder with train/ and val/")
    arguments = parser.parse_args()
    layout = Layout(arguments.home)
    count = add(layout, arguments.folder)
    print(f"{layout.params}: ImageNet added, {count} images; `dvc repro {arguments.home}/dvc.yaml` now trains on them.")


if __name__ == "__main__":
    run_stage(main)
