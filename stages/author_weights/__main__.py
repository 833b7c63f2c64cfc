"""Evaluate weights that a document's authors published, with our network and on our test set.

    python -m stages.author_weights HOME ID

ID is an entry of `author_weights` in HOME/params.yaml. Writes results/author_weights/<id>/: scores.json and
predicted.csv (a row per test image: its label, and what is predicted).

scores.json says which file it was (SHA-256), as which cell it was evaluated, how many of how many test images are
right, the metrics (fractions; the loss is the mean cross-entropy in nats), per batch normalisation how many training
batches it has ``counted`` and how many the recipe gives (``expected``), and for every tensor of our network the
authors' name of it. Nothing in the file is run: :mod:`stages.author_weights.state_dict` says how it is read and how
tensors are matched.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stages.author_weights.asked import asked
from stages.author_weights.evaluate import evaluate_weights
from stages.core.dependencies import code_of
from stages.core.errors import run_stage
from stages.core.layout import Layout
from stages.core.torch_compiler import leave_out_compiler
from stages.core.unchanged import unchanged
from stages.params import load_cells, load_params


def main() -> None:
    """The command line."""
    leave_out_compiler()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="folder with params.yaml: . or full")
    parser.add_argument("id", help="an entry of `author_weights` in params.yaml")
    arguments = parser.parse_args()
    layout, key = Layout(arguments.home), arguments.id
    published, cell = asked(load_cells(layout.cells), key)
    compute = load_params(layout.params).compute
    inputs = [layout.cells, layout.data(cell.dataset), layout.raw_weights(key), *code_of("evaluate-weights")]
    with unchanged(inputs, lambda: (asked(load_cells(layout.cells), key)[0], load_params(layout.params).compute)):
        evaluate_weights(published, cell, compute, layout)


if __name__ == "__main__":
    run_stage(main)
