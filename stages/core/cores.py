"""How many cores of the machine are ours."""

from __future__ import annotations

import os

from stages.core.errors import StageError

CORES = "RECURNETS_CORES"  # in the environment: how many a stage may use


def machine_cores() -> int:
    """What a container or a batch system leaves us of the machine."""
    from joblib import cpu_count

    return int(cpu_count())


def cores() -> int:
    """How many cores this stage may use: RECURNETS_CORES, else all; a :class:`StageError` if that is no number."""
    given = os.environ.get(CORES)
    if given is None:
        return machine_cores()
    if not given.isdecimal() or not int(given):
        raise StageError(f"{CORES} is '{given}'; give it a whole number from 1, or unset it.")
    return int(given)
