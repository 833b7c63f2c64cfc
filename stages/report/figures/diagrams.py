"""Block diagrams of the architectures, drawn from their description in paper.yaml."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from stages.documents.exhibits import Block, Diagram
from stages.report.figures.style import FOREGROUND, SERIES, STYLE, Drawing, finish, new_figure

# Colours as in the document (blue convolutions, red pooling); the labels say the same without colour.
KINDS = {"input": FOREGROUND, "conv": SERIES[0], "recurrent": SERIES[2], "pool": SERIES[1], "linear": SERIES[3]}
STEP, WIDTH, HEIGHT = 1.2, 0.96, 1.5  # of a block, in units of the drawing


def draw_diagram(diagram: Diagram) -> Drawing:
    """The diagram as SVG: blocks from left to right, what each gives below it, a loop over a recurrent one."""
    length = STEP * len(diagram.blocks)
    with mpl.rc_context(STYLE | {"font.size": 8.5}):
        figure = new_figure(0.86 * length, 2.3)
        axes = figure.add_axes((0.005, 0.005, 0.99, 0.99))
        axes.set_axis_off()
        axes.set_xlim(-0.1, length - STEP + WIDTH + 0.1)
        axes.set_ylim(-0.55, 2.75)
        for position, block in enumerate(diagram.blocks):
            _draw_block(axes, position * STEP, block)
            if position:
                _arrow(axes, (position * STEP - STEP + WIDTH, HEIGHT / 2), (position * STEP, HEIGHT / 2))
        return finish(figure)


def _draw_block(axes: Axes, left: float, block: Block) -> None:
    color, middle = KINDS[block.kind], left + WIDTH / 2
    style = "round,pad=0,rounding_size=0.08"
    box: dict[str, Any] = {"boxstyle": style, "linewidth": 1.2, "edgecolor": color, "clip_on": False}
    axes.add_patch(FancyBboxPatch((left, 0), WIDTH, HEIGHT, facecolor="none", **box))
    axes.add_patch(FancyBboxPatch((left, 0), WIDTH, HEIGHT, facecolor=color, alpha=0.13, **box | {"linewidth": 0}))
    axes.text(middle, HEIGHT / 2, block.label, ha="center", va="center", linespacing=1.4)
    axes.text(middle, -0.3, block.size.replace("x", "\N{MULTIPLICATION SIGN}"), ha="center", va="center", fontsize=7.5)
    if block.repeats:
        _arrow(axes, (middle + 0.25, HEIGHT), (middle - 0.25, HEIGHT), bend=1.6)
        axes.text(middle, 2.3, block.repeats, ha="center", va="center", color=color)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], bend: float = 0.0) -> None:
    path: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 7, "shrinkA": 1, "shrinkB": 1, "clip_on": False}
    axes.add_patch(
        FancyArrowPatch(start, end, connectionstyle=f"arc3,rad={bend}", color=FOREGROUND, linewidth=0.8, **path)
    )


def describe_diagram(diagram: Diagram) -> str:
    """The diagram in words."""
    blocks = (
        f"{' '.join(block.label.split())} ({block.size}{', repeated ' + block.repeats if block.repeats else ''})"
        for block in diagram.blocks
    )
    return f"Block diagram: {', then '.join(blocks)}."
