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

from stages.core.errors import run_stage
from stages.core.layout import Layout
from stages.explain.maps import run
from stages.params import load_params


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="folder with params.yaml: . or full")
    parser.add_argument("key", help="an entry of `explanations` in params.yaml")
    arguments = parser.parse_args()
    layout = Layout(arguments.home)
    params = load_params(layout.params)
    torch.set_num_threads(max(1, params.compute.threads))
    run(arguments.key, params, layout)


if __name__ == "__main__":
    run_stage(main)
