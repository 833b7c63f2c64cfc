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
WITHOUT = (".png", ".safetensors")  # kinds that no schema is about
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


def files(home: Path) -> list[Path]:
    places = [*home.glob("*.csv"), home / "headline.json", *(home / "reports").glob("*.json")]
    deep = (path for top in ("reports/tables", "results") for path in (home / top).rglob("*"))
    return [path for path in (*places, *deep) if path.is_file() and path.suffix not in WITHOUT]


def check(home: Path, minimum: int) -> None:
    """Every file of the interface has one schema and is as it says; there are as many as ``minimum``, or more."""
    found = [path for path in files(home) if path.name != "spotcheck.csv"]
    assert len(found) >= minimum
    for path in found:
        named = about(path.relative_to(home).as_posix())
        assert len(named) == 1, (path, named)
        assert wrong(path, named[0]) == [], path
