"""What pydantic found wrong, as the parts of a sentence."""

from __future__ import annotations

from pydantic import ValidationError


def first_mistake(error: ValidationError) -> tuple[str, str]:
    """The dotted key of the first mistake, empty for one of the whole, and what is wrong there."""
    first = error.errors()[0]
    return ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
