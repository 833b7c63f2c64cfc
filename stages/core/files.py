"""Files that appear whole or not at all, and their checksums."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.core.errors import StageError

if TYPE_CHECKING:  # reading it takes as long as reading a small file by it
    from ruamel.yaml import YAML


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; rename it to ``target`` when the block succeeds.

    The temporary file is flushed to disk first, and removed when the block fails, so that a reader never sees
    half a file and an old version survives a failed write.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside ``target``; put it in ``target``'s place when the block succeeds.

    A ``target`` that exists already is replaced as a whole; when the block fails it is left as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    temporary.chmod(0o755)
    try:
        yield temporary
        if target.exists():
            shutil.rmtree(target)
        temporary.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(target: Path, text: str) -> None:
    """Write ``text`` as UTF-8 with Unix line ends, atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def json_text(value: Mapping[str, Any]) -> str:
    """``value`` as indented JSON in the order given. NaN and infinity are refused."""
    return json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def write_json(target: Path, value: Mapping[str, Any]) -> None:
    """Write :func:`json_text`, atomically."""
    write_text(target, json_text(value))


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; a :class:`StageError` names a file that is missing or damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StageError(f"{path} is missing; run `dvc repro` to make it.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise StageError(f"{path} is not valid JSON ({error}); delete it and run `dvc repro`.") from None
    if not isinstance(value, dict):
        raise StageError(
            f"{path} holds a {type(value).__name__} where a JSON object was expected; delete it and run `dvc repro`."
        )
    return value


def read_yaml(path: Path) -> dict[Any, Any]:
    """Read a YAML mapping of plain values; a :class:`StageError` names what is wrong; numbers must be finite."""
    from ruamel.yaml.error import YAMLError

    # Beside its own errors, what it raises for a value that is not what its tag or form says.
    errors = (YAMLError, ValueError, LookupError, AttributeError, TypeError, OverflowError, RecursionError)
    try:
        tree = _yaml_reader().load(path.read_text(encoding="utf-8"))
        odd = next(((key, number) for key, number in _numbers(tree) if not math.isfinite(number)), None)
    except FileNotFoundError:
        raise StageError(f"{path} is missing; restore it with `git checkout {path}`.") from None
    except errors as error:
        raise StageError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(tree, dict):
        raise StageError(f"{path} holds a {type(tree).__name__} where a mapping was expected; correct it.")
    if odd is not None:
        raise StageError(f"{path}: key '{odd[0]}': a finite number was expected, {odd[1]} was found.")
    return tree


def _yaml_reader() -> YAML:
    """DVC's reader, of YAML 1.2, in which 1e-7 is a number."""
    from ruamel.yaml import YAML
    from ruamel.yaml.resolver import VersionedResolver

    class Resolver(VersionedResolver):
        processing_version = (1, 2)  # which it would work out for every value, for a third of all the time

    reader = YAML(typ="safe")
    reader.Resolver = Resolver
    return reader


def _numbers(tree: object, key: str = "") -> Iterator[tuple[str, float]]:
    """Every floating-point number in a tree of mappings and lists, with its dotted key."""
    if isinstance(tree, float):
        yield key, tree
    elif isinstance(tree, dict | list):
        for name, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _numbers(value, f"{key}.{name}" if key else str(name))


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_digests(target: Path, files: Iterable[Path]) -> None:
    """Write the SHA-256 of ``files`` by their names, as JSON."""
    write_json(target, {"sha256": {path.name: sha256(path) for path in sorted(files)}})


def sha256_of(value: object) -> str:
    """SHA-256 of a JSON-serialisable value in canonical form (sorted keys, no white space)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
