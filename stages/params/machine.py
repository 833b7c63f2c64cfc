"""With what the arithmetic is done, and what its energy is reckoned with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stages.recipe import Fraction, Frozen


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


class Energy(Frozen):
    """What energy and CO2 are reckoned with.

    ``country``: whose electricity, an ISO 3166 code of three letters. ``watts_per_thread`` and ``watts_per_gpu``
    are for runs whose energy no counter measured.
    """

    country: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "DEU"
    watts_per_thread: Annotated[float, Field(gt=0)] = 4.0
    watts_per_gpu: Annotated[float, Field(gt=0)] = 300.0


class Ray(Frozen):
    """What training one cell, or one study, asks of a Ray cluster (see :mod:`stages.remote`); no stage depends on it.

    ``cpus``: cores of a node. ``gpus``: a share of a GPU, or 1, where the cluster has any.
    """

    cpus: Annotated[float, Field(gt=0)] = 1.0
    gpus: Fraction = 0.25
