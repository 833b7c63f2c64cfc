"""Runs of a document that were begun: their curves are made of the log's."""

from __future__ import annotations

import math

import pandas as pd

from stages.compare.side_by_side import Beside
from stages.documents.author_log import load_author_log
from stages.documents.paper import PAPERS, load_paper
from stages.params import load_params
from stages.results.cell_result import CURVE_COLUMNS
from stages.results.started import Begun
from tests.small import REPOSITORY

FULL = load_params(REPOSITORY / "full" / "params.yaml")


def begun(key: str, like: str, offsets: tuple[float, ...], recipe_of: object = FULL) -> Begun:
    """A run whose seeds have the log of ``like``, their losses and odds times exp of ``offsets``."""
    log = load_author_log(PAPERS / "mnist-rnn")
    rows = log[(log["run"] == like) & (log["epoch"] < 10)]
    odds = rows["test_accuracy"] / (1 - rows["test_accuracy"])
    seeds = [
        rows.assign(
            seed=seed,
            train_loss_sum=rows["train_loss_sum"] * math.exp(offset),
            test_accuracy=1 / (1 + 1 / (odds * math.exp(offset))),
        )
        for seed, offset in enumerate(offsets)
    ]
    return Begun(recipe_of.cell(key), pd.concat(seeds).reindex(columns=CURVE_COLUMNS))  # type: ignore[attr-defined]


def beside(**started: Begun) -> Beside:
    return Beside(load_paper(PAPERS / "mnist-rnn"), [], {}, FULL.energy, {b.cell.key: b for b in started.values()})
