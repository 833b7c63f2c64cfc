"""What is asked of git."""

from __future__ import annotations

import subprocess
from pathlib import Path

from stages.core.errors import StageError


def git(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run git in ``folder``, the working directory by default; a :class:`StageError` if there is no git."""
    try:
        return subprocess.run(["git", *arguments], cwd=folder, capture_output=True)
    except FileNotFoundError:
        raise StageError("git is not on the PATH; install it.") from None


def archived(revision: str, *paths: Path) -> bytes | None:
    """The files of a revision, or ``paths`` of it, as a tar; None if there is no such revision or path here."""
    done = git("archive", revision, "--", *map(str, paths))
    return None if done.returncode else done.stdout


def last_change(path: Path) -> str | None:
    """The short hash of the commit that changed ``path`` last; None if none did."""
    return git("log", "-1", "--format=%h", "--", str(path)).stdout.decode().strip() or None


def short_hash(revision: str) -> str | None:
    """The short hash of the commit that a revision is; None if there is no such revision here."""
    done = git("rev-parse", "--short", "--verify", f"{revision}^{{commit}}")
    return None if done.returncode else done.stdout.decode().strip()


def snapshot() -> str:
    """A revision of the tracked files as they are now: HEAD, or a commit of no branch where they were changed."""
    done = git("-c", "user.name=snapshot", "-c", "user.email=snapshot@localhost", "stash", "create")
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise StageError(f"git cannot tell what is committed here ({said}); run this in a clone.")
    return done.stdout.decode().strip() or "HEAD"
