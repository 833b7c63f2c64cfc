"""What is recorded is what ran: a stage fails if something that it was started from was changed meanwhile.

DVC hashes a stage's dependencies after its command. An edit while the command runs would be recorded as what the result
was made from, and `dvc status` would call the result up to date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import stages
from stages.core.dependencies import ROOT, files_in
from stages.core.errors import StageError
from stages.core.files import sha256

State = dict[Path, tuple[tuple[int, int, int], str]]


@contextmanager
def unchanged(paths: Sequence[Path], settings: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Run the block, then compare ``paths`` (files, and folders with all that is in them) and ``settings``.

    ``settings``: what the stage uses of the parameters, read anew by every call. A :class:`StageError` names what was
    changed, added or removed, also a source file that was changed after this process had begun to read its sources.
    """
    before, used = _state(paths, {}), settings()
    for path in before:
        if path.suffix == ".py" and path.stat().st_mtime > stages.STARTED:
            raise _changed(path, "changed while this stage was starting")
    yield
    after = _state(paths, before)
    for path in sorted(path for path in {**before, **after} if _digest(before, path) != _digest(after, path)):
        raise _changed(path, "removed" if path not in after else "changed" if path in before else "added")
    if settings() != used:
        raise StageError("The parameters of this stage were changed while it ran; run it again.")


def _state(paths: Sequence[Path], known: State) -> State:
    """Size, time, inode and SHA-256 of every file; the latter is taken over where the rest is as ``known``."""
    state: State = {}
    for path in files_in(list(paths)):
        try:
            status = path.stat()
            about = status.st_size, status.st_mtime_ns, status.st_ino
            state[path] = about, known[path][1] if path in known and known[path][0] == about else sha256(path)
        except FileNotFoundError:
            continue
    return state


def _digest(state: State, path: Path) -> str | None:
    return state[path][1] if path in state else None


def _changed(path: Path, what: str) -> StageError:
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    during = "" if "while" in what else " while this stage ran"
    return StageError(f"{name} was {what}{during}, so that its result would not be of what is recorded; run it again.")
