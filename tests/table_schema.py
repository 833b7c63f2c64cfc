"""Holds a CSV against a Table Schema, as far as the schemas of this project go."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

BOOLEANS = {"True": True, "False": False}
READ: dict[str, Callable[[str], object]] = {
    "string": str, "any": str, "integer": int, "number": float, "boolean": BOOLEANS.__getitem__,
}  # fmt: skip


def mistakes(path: Path, schema: dict[str, Any]) -> Iterator[str]:
    """What of a table is not as its schema says."""
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream, strict=True)
        rows, names = list(reader), list(reader.fieldnames or [])
    fields = {field["name"]: field for field in schema["fields"]}
    match schema.get("fieldsMatch"):
        case "subset":  # the schema's are some of the file's
            known, expected = [name for name in names if name in fields], [*fields]
        case "superset":
            known, expected = names, [name for name in fields if name in names]
        case _:
            known, expected = names, [*fields]
    if known != expected:
        yield f"the columns are {names}, not {[*fields]}"
        return
    for number, row in enumerate(rows):
        for name, field in fields.items():
            yield from (f"row {number}, {name}: {wrong}" for wrong in _of_value(row.get(name, ""), field))
    keys = [tuple(row[name] for name in schema.get("primaryKey", fields)) for row in rows]
    if "primaryKey" in schema and len(set(keys)) < len(keys):
        yield "a key occurs twice"


def _of_value(text: str, field: dict[str, Any]) -> Iterator[str]:
    limits = field.get("constraints", {})
    if not text:
        if limits.get("required"):
            yield "nothing stands there"
        return
    try:
        value: Any = READ[field["type"]](text)
    except (ValueError, KeyError):
        yield f"'{text}' is no {field['type']}"
        return
    if value not in limits.get("enum", [value]) or not re.fullmatch(limits.get("pattern", ".*"), text, re.DOTALL):
        yield f"'{text}' is not allowed"
    if "minimum" in limits and not limits["minimum"] <= value <= limits.get("maximum", value):
        yield f"{text} is out of range"
