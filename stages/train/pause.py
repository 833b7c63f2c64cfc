"""A training that is asked to end by SIGTERM pauses after the step that it is in, at a checkpoint of just that step.

A batch system sends it before it takes a machine away, and the plan of the hours when its time is up. Ctrl-C does
not wait: it costs what was trained since the last checkpoint.
"""

from __future__ import annotations

import signal

from stages.core.errors import StageError

_asked = False


class PausedError(StageError):
    """A training was paused at a checkpoint."""


def pause_when_asked() -> None:
    """From now on SIGTERM asks for a pause; a second one ends the process."""
    signal.signal(signal.SIGTERM, _ask)


def _ask(number: int, _frame: object) -> None:
    global _asked
    _asked = True
    signal.signal(number, signal.SIG_DFL)


def asked_to_pause() -> bool:
    """Whether a pause is due."""
    return _asked
