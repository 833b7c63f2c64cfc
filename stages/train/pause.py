"""A training that is asked to end, by SIGTERM or SIGUSR2, pauses at a checkpoint of the very step that it is in.

A batch system sends one of them before it takes a machine away, and the plan of the hours when its time is up.
Ctrl-C does not wait: it costs what was trained since the last checkpoint.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from stages.core.errors import StageError

SIGNALS = (signal.SIGTERM, signal.SIGUSR2)

_asked = False


class PausedError(StageError):
    """A training was paused at a checkpoint."""


def pause_when_asked() -> None:
    """From now on SIGTERM and SIGUSR2 ask for a pause, and again end the process; one that is ignored stays so."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _ask)


def _ask(number: int, _frame: object) -> None:
    global _asked
    _asked = True
    signal.signal(number, signal.SIG_DFL)


def asked_to_pause() -> bool:
    """Whether a pause is due."""
    return _asked


@contextmanager
def paused_at_once() -> Iterator[None]:
    """In the block this process waits for others that train: being asked, it leaves with a :class:`PausedError`."""

    def leave(_number: int, _frame: object) -> None:
        raise PausedError("paused at checkpoints; run the same command again to continue.")

    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
