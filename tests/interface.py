"""The interface of other programs: which schema a file has, and what of the file is not as it says."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from tests.small import REPOSITORY
from tests.table_schema import mistakes

SCHEMAS = REPOSITORY / "schemas"
INDEX = json.loads((SCHEMAS / "index.json").read_text(encoding="utf-8"))


@cache
def schema(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    return value


def about(path: str) -> list[str]:
    """The schemas that are about a file of a home."""

    def pattern(glob: str) -> str:
        return "".join({"**/": "(.+/)?", "*": "[^/]*"}.get(part, re.escape(part))
                       for part in re.split(r"(\*\*/|\*)", glob))  # fmt: skip

    return [each["schema"] for each in INDEX["files"] if re.fullmatch(pattern(each["path"]), path)]


def wrong(path: Path, name: str) -> list[str]:
    """What of a file is not as its schema says."""
    if path.suffix == ".csv":
        return [*mistakes(path, schema(name))]
    value = json.loads(path.read_text(encoding="utf-8"))
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema(name)).iter_errors(value)]
