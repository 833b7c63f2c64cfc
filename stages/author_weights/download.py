"""Fetch weights that a document's authors published, and check every byte.

    python -m stages.author_weights.download HOME ID

ID is an entry of `author_weights` in HOME/params.yaml and in the paper's paper.yaml, which says where the file is, its
size and its SHA-256. It lands in HOME/data/raw/author_weights/<id>/. With RECURNETS_MIRROR set, it is read from there
and from nowhere else: <mirror>/<id>/<file>, <mirror>/<paper>/<file> or <mirror>/<file>.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stages.author_weights.asked import asked
from stages.core.dependencies import code_of
from stages.core.errors import run_stage
from stages.core.layout import Layout
from stages.core.unchanged import unchanged
from stages.documents.author_weights import AuthorWeights
from stages.download.mirror import is_right, obtain
from stages.download.official_files import OfficialFile
from stages.params import load_params


def fetch_weights(published: AuthorWeights, paper: str, layout: Layout) -> None:
    """Put the file of ``published`` in its place; a :class:`StageError` says why it could not be had."""
    file = OfficialFile(published.file, published.file_size, published.sha256)
    target = layout.raw_weights(published.id) / file.name
    if is_right(target, file):
        print(f"{published.id}: {target} is there already, verified", flush=True)
        return
    places = tuple(f"{folder}{file.name}" for folder in (f"{published.id}/", f"{paper}/", ""))
    obtain(file, places, (published.url,), target)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="folder with params.yaml: . or full")
    parser.add_argument("id", help="an entry of `author_weights` in params.yaml")
    arguments = parser.parse_args()
    layout = Layout(arguments.home)
    with unchanged(code_of("download-weights"), lambda: asked(load_params(layout.params), arguments.id)):
        published, cell = asked(load_params(layout.params), arguments.id)
        fetch_weights(published, cell.paper, layout)


if __name__ == "__main__":
    run_stage(main)
