"""What is said of a mistake in params.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping


def explain(location: tuple[int | str, ...], kind: str, message: str) -> str:
    """Pydantic's words on a value (its place, the kind of mistake, the message) as the part of a sentence."""
    # Pydantic puts the chosen alternative behind the name of a key that has several.
    chosen = [position for position, part in enumerate(location) if part in ("optimizer", "schedule", "loss")]
    key = ".".join(str(part) for position, part in enumerate(location) if position - 1 not in chosen)
    if kind == "extra_forbidden":
        return f"unknown key '{key}'; remove it or correct its spelling"
    if kind == "missing":
        return f"key '{key}' is missing"
    message = message.removeprefix("Value error, ")
    return f"key '{key}': {message[0].lower()}{message[1:]}" if key else message


def check_name(where: str, name: str) -> None:
    """A :class:`ValueError` if ``name`` cannot be that of a folder, too."""
    if not re.fullmatch(r"\w[\w.+-]*", name):
        raise ValueError(f"{where}: a name has letters, digits and _ . + -, and starts with a letter, a digit or _")


def check_known(where: str, name: str, known: Mapping[str, object], section: str) -> None:
    """A :class:`ValueError` if ``name`` is none of the ``known`` ones of a section; ``where``: what it names."""
    if name not in known:
        raise ValueError(f"unknown {where} '{name}': {section} has {', '.join(known)}")
