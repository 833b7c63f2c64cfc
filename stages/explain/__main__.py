"""Saliency maps of a trained run, and two checks of what they are worth.

    python -m stages.explain HOME KEY

KEY is an entry of `explanations` in HOME/params.yaml. Writes under results/explanations/<key>/: maps.png (the
first test images of every class, each beside its saliency map, brightest where it is greatest), scores.csv (a row per
test image: how the probability of the predicted class holds while pixels are deleted or inserted, by saliency and at
random, as areas 0..1) and randomised.csv (a row per layer, from the last: rank correlation of the maps with those of
the model whose layers are drawn anew down to this one, mean over the images). The model is that of the first seed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from stages.cell import Cell
from stages.core.dependencies import code_of
from stages.core.errors import StageError, run_stage
from stages.core.layout import Layout
from stages.core.torch_compiler import leave_out_compiler
from stages.core.unchanged import unchanged
from stages.explain.maps import run
from stages.params import Explanation, load_params


def asked(layout: Layout, key: str) -> tuple[Explanation, Cell, int]:
    """What the parameters say of it, as they are now, and of threads; a :class:`StageError` names an unknown one."""
    params = load_params(layout.params)
    if key not in params.explanations:
        raise StageError(f"unknown explanation '{key}': params.yaml has {', '.join(params.explanations)}.")
    return params.explanations[key], params.cell(key), params.compute.threads


def main() -> None:
    """The command line."""
    leave_out_compiler()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="folder with params.yaml: . or full")
    parser.add_argument("key", help="an entry of `explanations` in params.yaml")
    arguments = parser.parse_args()
    layout = Layout(arguments.home)
    wanted, cell, threads = asked(layout, arguments.key)
    if threads:
        torch.set_num_threads(threads)
    inputs = [layout.data(cell.dataset), layout.training(cell), *code_of("explain")]
    with unchanged(inputs, lambda: asked(layout, arguments.key)):
        run(wanted, cell, layout)


if __name__ == "__main__":
    run_stage(main)
