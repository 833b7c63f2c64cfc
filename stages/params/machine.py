"""With what the arithmetic is done, and what its energy is reckoned with."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stages.cell.recipe import Fraction, Frozen


class Energy(Frozen):
    """What energy and CO2 are reckoned with.

    ``country``: whose electricity, an ISO 3166 code of three letters. ``watts_per_thread`` and ``watts_per_gpu``
    are for runs whose energy no counter measured.
    """

    country: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "DEU"
    watts_per_thread: Annotated[float, Field(gt=0)] = 4.0
    watts_per_gpu: Annotated[float, Field(gt=0)] = 300.0


class Ray(Frozen):
    """What a task of training asks of a Ray cluster; no stage depends on it.

    ``cpus``: cores of a node. ``gpus``: a share of a GPU, or 1, where the cluster has any.
    """

    cpus: Annotated[float, Field(gt=0)] = 1.0
    gpus: Fraction = 0.25


class Slurm(Frozen):
    """What a job that trains asks of Slurm; no stage depends on it.

    ``at_once``: how many of them may run at the same time. ``minutes``: the time of a job; what takes longer goes on in
    another. ``cpus``, ``gpus``, ``memory_gb``: of a job; memory and ``partition`` are the cluster's choice if None.
    ``options``: what else sbatch is given, by the long names of its options, for instance ``{account: vision}``.
    """

    at_once: Annotated[int, Field(ge=1)] = 32
    minutes: Annotated[int, Field(ge=1)] = 240
    cpus: Annotated[int, Field(ge=1)] = 1
    gpus: Annotated[int, Field(ge=0)] = 0
    memory_gb: Annotated[float, Field(gt=0)] | None = None
    partition: str | None = None
    options: dict[str, str | int | bool] = {}  # noqa: RUF012
