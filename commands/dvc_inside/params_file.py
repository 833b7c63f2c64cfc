"""A file of parameters is parsed once: DVC parses all of it whenever it asks one stage for one parameter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any


@contextmanager
def parsed_once() -> Iterator[None]:
    """Have DVC take what it has parsed of a file in this folder tree as long as the file's time, size and number stay.

    These are what DVC itself goes by to tell whether a file has changed.
    """
    from dvc.dependency import param

    parse, known = param.load_path, dict[tuple[object, ...], Any]()

    def load_path(path: str, fs: Any, **settings: Any) -> Any:
        if fs.protocol != "local":  # of another revision
            return parse(path, fs, **settings)
        now = Path(path).stat()
        key = (path, now.st_mtime_ns, now.st_size, now.st_ino)
        if key not in known:
            known[key] = parse(path, fs, **settings)
        return deepcopy(known[key])

    param.load_path = load_path
    try:
        yield
    finally:
        param.load_path = parse
