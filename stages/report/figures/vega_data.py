"""The numbers behind a figure, small enough to travel in the page, where templates/report.js draws them with Vega-Lite.

A figure is ``{xlog, panels: [{x, y, ylog, lines: [...]}]}``. A line has a ``name`` and the number of its ``color``,
``x`` (left out where it is 1, 2, 3, ...) and ``mean``, and where they exist ``seeds`` (seed -> values) and ``log``, the
authors' own, as ``{x, y}``. ``points`` draws marks, not lines.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from stages.report.figures.curves import Curve, Panel, logarithmic_epochs, logarithmic_values
from stages.report.figures.style import SERIES

DIGITS = 4  # significant ones: as many as a screen shows


def to_json(data: Mapping[str, Any]) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")


def curves(panels: Sequence[Panel]) -> str:
    """The panels of a chart over the epochs."""
    drawn = [
        {
            "x": "epoch",
            "y": panel.quantity,
            "ylog": logarithmic_values([v for curve in panel.curves for v in _all(curve)]),
            "lines": [_curve(curve) for curve in panel.curves],
        }
        for panel in panels
    ]
    return to_json({"xlog": any(map(logarithmic_epochs, panels)), "panels": drawn})


def _all(curve: Curve) -> list[float]:
    ours = [] if curve.ours is None else curve.ours.to_numpy().ravel().tolist()
    return [*ours, *([] if curve.authors is None else curve.authors.tolist())]


def _curve(curve: Curve) -> dict[str, Any]:
    drawn: dict[str, Any] = {"name": curve.label, "color": SERIES.index(curve.color)}
    if curve.ours is not None:
        drawn["mean"] = rounded(curve.ours.mean(axis="columns"))
        if curve.ours.shape[1] > 1:
            drawn["seeds"] = {str(seed): rounded(curve.ours[seed]) for seed in curve.ours}
    if curve.authors is not None:
        drawn["log"] = {**_places(curve.authors), "y": rounded(curve.authors)}
    return drawn


def _places(values: pd.Series[float]) -> dict[str, list[int]]:
    """The epochs of a log, unless they are 1, 2, 3, ... without a gap."""
    epochs = [int(epoch) for epoch in values.index]
    return {} if epochs == list(range(1, len(epochs) + 1)) else {"x": epochs}


@dataclass(frozen=True)
class Places:
    """Points (x, y) by the name of their line; ``x`` and ``y`` are what the axes are called."""

    x: str
    y: str
    members: Mapping[str, Sequence[tuple[float, float]]]


def lines(panels: Sequence[Places], *, xlog: bool = False, points: bool = False, diagonal: str = "") -> str:
    """Panels of lines, or of single marks; ``diagonal`` is what a dashed line from (0, 0) to (1, 1) is called."""
    drawn: list[dict[str, Any]] = [
        {
            "x": panel.x,
            "y": panel.y,
            "ylog": False,
            "lines": [_line(name, number, there) for number, (name, there) in enumerate(panel.members.items())],
        }
        for panel in panels
    ]  # fmt: skip
    if diagonal:
        for panel in drawn:
            panel["lines"] = [*panel["lines"], {"name": diagonal, "color": 4, "log": {"x": [0, 1], "y": [0, 1]}}]
    return to_json({"xlog": xlog, "points": points, "dashed": diagonal, "panels": drawn})


def _line(name: str, number: int, points: Sequence[tuple[float, float]]) -> dict[str, Any]:
    color = number % len(SERIES)
    return {"name": name, "color": color, "x": rounded(x for x, _ in points), "mean": rounded(y for _, y in points)}


def rounded(values: Iterable[float]) -> list[float | None]:
    """Values to :data:`DIGITS` significant digits, None for what is not a number; counts stay as they are."""
    return [_rounded(float(value)) if math.isfinite(value) else None for value in values]


def _rounded(value: float) -> float:
    return int(value) if value.is_integer() else float(f"{value:.{DIGITS}g}")
