"""How a stage fails: one clear sentence on standard error and a non-zero exit status."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from concurrent.futures import BrokenExecutor

_REMEDIES = {
    errno.ENOSPC: "Free space",
    errno.EDQUOT: "Free space",
    errno.EFBIG: "Raise the limit on the size of files (`ulimit -f`)",
    errno.EROFS: "Make the folder writable",
    errno.EACCES: "Fix the permissions",
    errno.EPERM: "Fix the permissions",
    errno.ENOTDIR: "Move away the file that is where a folder is needed",
    errno.EEXIST: "Move away the file that is where a folder is needed",
    errno.EISDIR: "Move away the folder that is where a file is needed",
    errno.EMFILE: "Raise the limit on open files (`ulimit -n`)",
    errno.EIO: "Check the disk",
}
_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")  # torch's, which has no type of its own


class StageError(Exception):
    """What went wrong, what was expected and what to do, in one sentence, with the file or key named.

    It stays on one line, whatever it quotes.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(" ".join(sentence.splitlines()))


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's command line; turn expected failures into one sentence and exit status 1.

    What the machine lacks (space, permission, memory) is reported like any other expected failure. Everything else is
    a defect of the program and keeps its traceback.
    """
    try:
        main()
    except StageError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("error: interrupted; run the same command again to continue.")
    except Exception as error:  # torch, NumPy and safetensors have errors of their own for a full disk or memory
        if (sentence := _lacking(error)) is None:
            raise
        sys.exit(f"error: {sentence}, then run the same command again.")


def _lacking(error: Exception) -> str | None:
    """What the machine lacks and what to do about it; None for a defect of the program."""
    text = str(error)
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and any(said in text for said in _NO_MEMORY)):
        wanted = f" ({text.splitlines()[0]})" if text else ""
        return (
            f"out of memory{wanted}; nothing was left half-written. End other programs, or lower batch_size and "
            "test_batch_size of the recipe in params.yaml"
        )
    if isinstance(error, BrokenExecutor):
        return "a worker process died, perhaps killed for want of memory; nothing was left half-written. Free memory"
    # NumPy does not say why a file could not be written whole.
    if isinstance(error, OSError) and error.errno is None and "requested and" in text:
        return _unwritten("an array", text, errno.ENOSPC)
    if isinstance(error, OSError) and error.errno in _REMEDIES:
        return _unwritten(error.filename or "an output file", str(error.strerror), error.errno)
    return None


def _unwritten(where: str, why: str, number: int) -> str:
    return f"cannot write {where}: {why}; nothing was left half-written. {_REMEDIES[number]}"
