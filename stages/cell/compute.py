"""How the arithmetic of a cell is done."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stages.cell.recipe import Frozen


class Compute(Frozen):
    """Where and how the arithmetic is done. The defaults compute what the papers describe, in single precision.

    ``threads``: CPU threads, 0 for one per core. ``precision``: of training steps; ``tf32`` (GPU only) shortens the
    factors of matrix products and convolutions to 10 bits of mantissa, ``bfloat16`` computes these in 7 bits; weights
    and evaluation stay float32, though tf32 also acts on the latter. ``cuda_graphs``: launch a step's kernels at once;
    on a CPU it does nothing. ``seeds_together``: how many seeds of a cell are trained as one network.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[int, Field(ge=0)] = 0
    channels_last: bool = True
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    cuda_graphs: bool = False
    seeds_together: Annotated[int, Field(ge=1)] = 1
