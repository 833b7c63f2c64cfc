"""Evaluate one trained cell on its test set, from the weights alone.

    python -m stages.evaluate HOME KEY

writes runs/<key>/predictions/seed-<n>.csv (index, true, predicted, probability of the predicted class) with
predictions.json (the SHA-256 of each), and under results/runs/<key>/ metrics.json, per_class.csv, confusion.csv,
predicted.csv, calibration.csv, iterations.csv and latency.json. Of a study the files of its cells lie in
results/studies/<study>/evaluation/<cell>/.

predicted.csv has a row per test image: its label, and what every seed predicts; it stays in git, so that runs can be
compared image by image in any clone. iterations.csv is of networks that apply a block again and again: per seed and
number of iterations from 1 to 30, whatever it was in training, the accuracy, and how far the iteration moved the state,
relative to it, mean over the images (empty once the state has left the range of its numbers). MACs are torch's own
count for one image's forward pass: ``macs`` as needed for a prediction, ``training_macs`` as executed in training.
calibration.csv is the reliability diagram of every seed. latency.json is how long one image takes by itself, in
milliseconds, the median of repeated calls: it depends on the machine, as timing.csv does.
"""

from __future__ import annotations

from stages.core.errors import run_stage
from stages.evaluate.cell import run
from stages.params.command import cell_command


def main() -> None:
    """Command line."""
    cell_command(__doc__, run)


if __name__ == "__main__":
    run_stage(main)
