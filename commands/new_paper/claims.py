"""The rows of a new claims.csv: every number with its run, metric, unit, precision and margin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_UP, Decimal

from commands.new_paper.numbers import Number
from commands.new_paper.runs import Run
from commands.new_paper.understanding import Column
from stages.core.errors import StageError
from stages.core.text import slug
from stages.results.metric import Metric
from stages.splits.facts import OFFICIAL

COLUMNS = ("id", "table", "row", "column", "run", "metric", "published", "value", "unit", "precision", "margin",
           "better", "note")  # fmt: skip


def claim_rows(
    columns: Sequence[Column], runs: Sequence[Run], rows: Sequence[str], place: str, images: int | None
) -> list[dict[str, object]]:
    """The rows, in the order of the table; a row of it that is no run is cited.

    ``place``: the number of the table. ``images``: of a test set that is not official. A :class:`StageError` names two
    columns that say the same.
    """
    by_place = {(run.row, run.data): run.name for run in runs}
    made: dict[str, dict[str, object]] = {}
    for row in rows:
        for column in columns:
            if (number := column.numbers.get(row)) is None:
                continue
            run = by_place.get((row, column.data), "")
            key = f"T{slug(place)}-{run or slug(f'{row} {column.data}')}-{column.metric}"
            if key in made:
                raise StageError(
                    f"columns '{made[key]['column']}' and '{column.heading}' both are {column.metric} of '{row}'; say "
                    "what they measure with --metric, or leave one out."
                )
            made[key] = {
                "id": key,
                "table": place,
                "row": row,
                "column": column.heading,
                "run": run,
                "metric": str(column.metric),
                "published": str(number),
                "value": _text(number.value),
                "unit": column.unit,
                "precision": _text(number.step),
                "margin": margin(column.metric, number, images_of(column.data, images)),
                "better": better(column.metric),
                "note": f"Printed with {number.aside}." if number.aside else "",
            }
    return list(made.values())


def images_of(data: str, images: int | None) -> int | None:
    """How many test images a dataset has: the official number, else the one that was told."""
    return OFFICIAL[data].counts[1] if data in OFFICIAL else images


def margin(metric: Metric, number: Number, images: int | None) -> str:
    """Three standard deviations of the difference of two trainings, sqrt(e / 2n) of each; empty where n is not known.

    e: the error rate, at least that of one image. It is rounded up to two digits. Counts have to be equal; of a loss,
    of one class and on training images nothing can be derived.
    """
    if metric.counted:
        return "0"
    if metric.is_loss or metric.part != "test" or metric.label is not None or images is None:
        return ""
    error = float(number.value if metric.quantity == "error" else 1 - number.value)
    three = Decimal(repr(3 * math.sqrt(max(error, 1 / images) / images)))
    return _text(three.quantize(Decimal(1).scaleb(three.adjusted() - 1), rounding=ROUND_UP))


def better(metric: Metric) -> str:
    """Which direction is an improvement."""
    return "equal" if metric.counted else "lower" if metric.is_loss or metric.quantity == "error" else "higher"


def _text(number: Decimal) -> str:
    """A decimal in full, without an exponent and without noughts at its end."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
