"""What DVC complains of, in one sentence that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dvc.exceptions import DvcException


def complaint(error: DvcException) -> str:
    """DVC's words on one line, with a remedy where it gives none."""
    from dvc.rwlock import RWLockFileCorruptedError, RWLockFileFormatError

    words = " ".join(str(error).split())
    if isinstance(error, RWLockFileCorruptedError | RWLockFileFormatError):
        return f"{words.rstrip('.')}; delete .dvc/tmp/rwlock once no other DVC is at work here"
    return words
