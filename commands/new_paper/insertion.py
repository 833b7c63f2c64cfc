"""New entries in a params.yaml: lines are put in, none is touched, and what then stands there is read again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from stages.core.errors import StageError
from stages.core.files import read_yaml


def with_entries(text: str, entries: Mapping[str, str]) -> str:
    """``text`` with lines at the end of its top-level mappings: by section, lines that begin in the first column.

    A :class:`StageError` names a section that is not there, or not written one entry below another.
    """
    for section, lines in entries.items():
        text = _inserted(text, section, lines)
    return text


def write_entries(source: Path, target: Path, entries: Mapping[str, str]) -> None:
    """Write ``source`` with ``entries`` to ``target``, and see that nothing else changed."""
    text = source.read_bytes().decode("utf-8")
    target.write_bytes(with_entries(text, entries).encode("utf-8"))
    before = read_yaml(source)
    try:
        after = read_yaml(target)
        expected = {key: {**(value or {}), **after[key]} if key in entries else value for key, value in before.items()}
        kept = all((after[key] or {}).items() >= (before[key] or {}).items() for key in entries)
    except (StageError, AttributeError, TypeError):
        kept, expected, after = False, {}, {}
    if not kept or expected != after:
        raise StageError(f"{source}: no entries could be added under {' and '.join(entries)}; see docs/own-paper.md.")


def _inserted(text: str, section: str, entries: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.split(newline)
    heads = [place for place, line in enumerate(lines) if re.match(rf"{section}\s*:", line)]
    if len(heads) != 1:
        raise StageError(f"params.yaml has no section '{section}'; restore it with `git checkout params.yaml`.")
    head = heads[0]
    if empty := re.fullmatch(rf"({section}\s*:)\s*\{{\s*\}}(\s*#.*)?", lines[head].rstrip()):
        lines[head] = empty[1] + (empty[2] or "")
    elif not re.fullmatch(rf"{section}\s*:\s*(#.*)?", lines[head]):
        raise StageError(f"params.yaml: '{section}' is written in one line; write one entry below another.")
    last, indent = head, "  "
    for place in range(head + 1, len(lines)):
        line = lines[place]
        if line.strip() and not line[0].isspace():
            if not line.startswith("#"):
                break
        elif line.strip():
            if last == head:
                indent = line[: len(line) - len(line.lstrip())]
            last = place
    shifted = [indent + line if line else line for line in entries.splitlines()]
    return newline.join([*lines[: last + 1], *shifted, *lines[last + 1 :]])
