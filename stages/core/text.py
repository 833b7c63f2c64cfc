"""Text as part of a name."""

from __future__ import annotations

import re


def slug(text: str) -> str:
    """Text as part of a file name or an anchor: 5.1 -> 5_1."""
    return re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_").lower()
