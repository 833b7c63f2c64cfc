"""How many cores of the machine are ours, and who comes first on them."""

from __future__ import annotations

import os
import time
from pathlib import Path

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


def as_nice(process: int) -> None:
    """Have the session that a process of ours has begun be as nice as we are.

    Linux shares a core out among sessions first, and asks for niceness only within one (sched_autogroup): what `nice`
    has started would take as much as a desktop in use.
    """
    if not (niceness := os.nice(0)):
        return
    for _ in range(20):
        try:
            Path(f"/proc/{process}/autogroup").write_text(str(niceness))
        except BlockingIOError:  # Linux lets a user do so ten times a second
            time.sleep(0.1)
            continue
        except OSError:  # it has no such groups, or the process has ended
            pass
        return
