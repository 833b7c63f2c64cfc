"""How git merges dvc.lock: stage by stage, so that two branches that each add a run do not conflict.

    python -m commands merge-lock BASE OURS THEIRS PATH

git runs this by itself, with three temporary files and the name of what is merged, once `make environment` has told it
to; the result replaces OURS. A stage that one branch changed is taken from there. A stage that both changed, each in
its own way, was run by neither on the merged files, so it is left out, and named with the command that makes it anew.
The exit status is 1, and OURS stays as it is, if one of the three files is damaged.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from commands.dvc_inside.errors import DvcError
from commands.dvc_inside.lock_file import parsed_lock, written_lock
from stages.core.errors import StageError, run_stage
from stages.core.files import read_yaml, write_text

Entries = Mapping[str, Any]  # what a dvc.lock records of each stage, by its name


def merge_entries(base: Entries, ours: Entries, theirs: Entries) -> tuple[dict[str, Any], list[str]]:
    """The merged entries, in the order of ours, then theirs; and the names of those that are left out.

    Left out is what both changed, each in its own way, and what one removed and the other changed.
    """
    merged, left_out = {}, []
    for name in dict.fromkeys([*ours, *theirs]):
        before, one, other = base.get(name), ours.get(name), theirs.get(name)
        if one != other and before not in (one, other):
            left_out.append(name)
        elif entry := one if other in (before, one) else other:
            merged[name] = entry
    return merged, left_out


def merge(base: Path, ours: Path, theirs: Path, path: Path) -> list[str]:
    """Merge the dvc.lock at ``path`` into ``ours``, written as DVC writes it; returns the stages that are left out.

    A :class:`StageError` names the side whose file is damaged.
    """
    ancestor, one, other = (
        _read(file, f"{path} of {side}", remedy)
        for file, side, remedy in (
            (base, "the common ancestor", f"git checkout --ours {path}"),
            (ours, "this branch", f"git checkout --theirs {path}"),
            (theirs, "the other branch", f"git checkout --ours {path}"),
        )
    )
    merged, left_out = merge_entries(*(content.get("stages", {}) for content in (ancestor, one, other)))
    write_text(ours, written_lock({**other, **one, "stages": merged}))
    return left_out


def _read(file: Path, what: str, remedy: str) -> dict[str, Any]:
    """The content of a dvc.lock; nothing of one that was not there, for which git passes an empty file."""
    content = None
    with suppress(DvcError, ValueError):
        content = parsed_lock(file.read_text(encoding="utf-8"), what)
    if not isinstance(content, dict) or not isinstance(content.get("stages", {}), dict):
        raise StageError(f"{what} is damaged; take one that is whole with `{remedy}`, then run `dvc repro`.")
    return content


def remade(path: Path, stages: Sequence[str]) -> str:
    """How ``stages`` that the dvc.lock at ``path`` lacks are made anew.

    Of another home than the repository itself no others are made: all that it lacks may take days.
    """
    if path.parent == Path():
        return "`dvc repro`"
    pipeline = path.with_name("dvc.yaml")
    with suppress(StageError, LookupError, TypeError, ValueError):  # it may be in the middle of a merge itself
        order = list(read_yaml(pipeline)["stages"])
        stages = sorted(stages, key=lambda stage: order.index(stage.partition("@")[0]))
    targets = " ".join(f"{pipeline}:{stage}" for stage in stages)
    return f"`dvc checkout --allow-missing {pipeline}`, then `dvc repro -s {targets}`"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path, help="dvc.lock of the common ancestor; empty if there was none")
    parser.add_argument("ours", type=Path, help="that of this branch, which the result replaces")
    parser.add_argument("theirs", type=Path, help="that of the other branch")
    parser.add_argument("path", type=Path, help="where it lies in the repository")
    asked = parser.parse_args()
    if left_out := merge(asked.base, asked.ours, asked.theirs, asked.path):
        names, anew = ", ".join(left_out), remade(asked.path, left_out)
        print(f"{asked.path}: left out, since both branches changed them: {names}; make anew: {anew}.", file=sys.stderr)


if __name__ == "__main__":
    run_stage(main)
