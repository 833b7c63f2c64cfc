"""How a stage fails: one clear sentence on standard error and a non-zero exit status."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable


class StageError(Exception):
    """What went wrong, what was expected and what to do, in one sentence, with the file or key named."""


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's command line; turn expected failures into one sentence and exit status 1.

    A full disk is reported like any other expected failure. Everything else is a defect of the program and
    keeps its traceback.
    """
    try:
        main()
    except StageError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("error: interrupted; run the same command again to continue.")
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        where = error.filename or "an output file"
        sys.exit(
            f"error: cannot write {where}: {error.strerror}; nothing was left half-written. Free space or fix "
            "the permissions, then run the same command again."
        )
