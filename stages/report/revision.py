"""The revision that a report is of."""

from __future__ import annotations

import subprocess
from pathlib import Path


def revision() -> tuple[str, str]:
    """The git revision and the date of its commit, with a remark when code or parameters differ from it.

    ("unknown", "") where there is no git or no repository. Generated files are not considered: they may change.
    """
    root = Path(__file__).resolve().parents[2]
    git = ["git", "-C", str(root)]
    code = ["stages", "models", "papers", "params.yaml", "full/params.yaml", "dvc.yaml"]
    if not (root / ".git").exists():  # an unpacked archive may lie in another project's repository
        return "unknown", ""
    try:
        short, date = _output([*git, "log", "-1", "--format=%h %cs"]).split()
        changed = _output([*git, "status", "--porcelain", "--", *code])
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "unknown", ""
    return short, f"{date}, {'with uncommitted changes' if changed else 'clean'}"


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
