"""What DVC complains of, in one sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stages.core.errors import StageError

if TYPE_CHECKING:
    from dvc.exceptions import DvcException


class DvcError(StageError):
    """What DVC complains of. ``reason``: the same, without the full stop."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}.")
        self.reason = reason


def _reason(error: DvcException) -> str:
    """DVC's words on one line, with a remedy where it gives none."""
    from dvc.rwlock import RWLockFileCorruptedError, RWLockFileFormatError

    words = " ".join(str(error).split())
    if isinstance(error, RWLockFileCorruptedError | RWLockFileFormatError):
        return f"{words.rstrip('.')}; delete .dvc/tmp/rwlock once no other DVC is at work here"
    return words


@contextmanager
def told() -> Iterator[None]:
    """Turn what DVC complains of into a :class:`DvcError`."""
    from dvc.exceptions import DvcException

    try:
        yield
    except DvcException as error:
        raise DvcError(_reason(error)) from error
