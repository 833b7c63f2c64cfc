"""Words: text as part of a name, and how many of a thing."""

from __future__ import annotations

import re


def slug(text: str) -> str:
    """Text as part of a file name or an anchor: 5.1 -> 5_1."""
    return re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_").lower()


def counted(number: int, what: str) -> str:
    """A number of things: 1 row, 2 rows."""
    return f"{number} {what}{'' if number == 1 else 's'}"
