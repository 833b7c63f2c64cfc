"""Make a training and a test set of a downloaded dataset: ``python -m stages.split HOME NAME``.

``NAME`` is a key of ``data``, ``folders`` or ``subsets`` in HOME/params.yaml; :class:`stages.cell.Split` says what its
entries do. Of an image folder a line says what was read. The split lands in ``HOME/data/NAME`` (see
:mod:`stages.splits.format`); a table of what is in it (columns: part, label, class, images, clean, noisy, and official,
the number in the official part) and sample sheets in ``HOME/results/splits/NAME``. The same parameters and files give
the same bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stages.core.dependencies import code_of
from stages.core.errors import run_stage
from stages.core.layout import Layout
from stages.core.unchanged import unchanged
from stages.download.manifest import MANIFEST
from stages.params import load_params
from stages.split.make import make_split, read_source
from stages.split.write import write_composition, write_split


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make a training and a test set of a downloaded dataset.")
    parser.add_argument("home", type=Path, help="the folder with params.yaml")
    parser.add_argument("name", help="a key of `data`, `folders` or `subsets` in params.yaml")
    arguments = parser.parse_args()
    layout, name = Layout(arguments.home), arguments.name
    params = load_params(layout.params)
    split = params.split(name)
    raw = layout.raw(split.source or name)
    with unchanged([raw, *code_of("split")], lambda: load_params(layout.params).split(name)):
        source, said = read_source(layout, params, name)
        content = make_split(name, split, source)
        write_split(layout.data(name), split, content, manifest=raw / MANIFEST)
        write_composition(layout.composition(name), split, source, content)
    if said:
        print(f"{name}: {said}", flush=True)
    train, test = len(content.train(split.seeds[0]).labels), len(content.test.labels)
    print(f"{name}: {train} train, {test} test images", flush=True)


if __name__ == "__main__":
    run_stage(main)
