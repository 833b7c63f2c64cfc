"""Fetch a dataset's official files and check every byte: ``python -m stages.download HOME DATASET``.

They land in ``HOME/data/raw/DATASET``. Every file is checked by size, MD5 and SHA-256. With the environment variable
RECURNETS_MIRROR set to a folder or a file, http or https URL, the same files are read from there and from nowhere else:
``<mirror>/<dataset>/<file>`` or ``<mirror>/<file>``, CIFAR-10 as its archive or as the unpacked python batches.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stages.core.dependencies import code_of
from stages.core.errors import run_stage
from stages.core.layout import Layout
from stages.core.unchanged import unchanged
from stages.download.dataset import download
from stages.download.official_files import OFFICIAL_FILES


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Fetch a dataset's official files and check every byte.")
    parser.add_argument("home", type=Path, help="the folder with params.yaml")
    parser.add_argument("dataset", help=f"{', '.join(OFFICIAL_FILES)}, or a dataset of params.yaml with a folder")
    arguments = parser.parse_args()
    with unchanged(code_of("download")):
        download(Layout(arguments.home), arguments.dataset)


if __name__ == "__main__":
    run_stage(main)
