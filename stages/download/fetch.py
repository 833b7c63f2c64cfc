"""One official file, from whichever of several places has it; in place only when every byte is right."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from stages.core.files import atomic_path
from stages.core.progress import Progress
from stages.download.official_files import OfficialFile

CHUNK = 1 << 20  # bytes
TIMEOUT = 30.0  # seconds without a byte


class NotOfficial(Exception):  # noqa: N818
    """Why the official bytes cannot be had: a phrase such as ``not found``."""


def fetch(file: OfficialFile, urls: Sequence[str], target: Path) -> None:
    """Put ``file`` at ``target`` from the first of ``urls`` (http, https, file) that gives the official bytes.

    :class:`NotOfficial` says what each of them gave when none did; then ``target`` is as it was.
    """
    failures: list[str] = []
    for url in urls:
        try:
            store(_download(url), file, target)
        except NotOfficial as error:
            failures.append(f"{url}: {error}")
        else:
            print(f"{file.name} from {url}: {file.size} bytes, verified", flush=True)
            return
    raise NotOfficial("; ".join(failures))


def store(pieces: Iterable[bytes], file: OfficialFile, target: Path) -> None:
    """Write ``pieces`` to ``target`` if they are the bytes of ``file``; otherwise :class:`NotOfficial`, and no file."""
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with (
        atomic_path(target) as temporary,
        temporary.open("wb") as stream,
        Progress(f"{file.name}, MiB", -(-file.size // CHUNK)) as progress,
    ):
        for chunk in pieces:
            size += len(chunk)
            if size > file.size:
                raise NotOfficial(f"more than {file.size} bytes")
            sha256.update(chunk)
            md5.update(chunk)
            stream.write(chunk)
            progress.advance()
        if size < file.size:
            raise NotOfficial(f"only {size} bytes")
        if file.md5 and md5.hexdigest() != file.md5:
            raise NotOfficial(f"MD5 {md5.hexdigest()}")
        if sha256.hexdigest() != file.sha256:
            raise NotOfficial(f"SHA-256 {sha256.hexdigest()}")


def chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """What is left of ``stream``, piece by piece."""
    while chunk := stream.read(CHUNK):
        yield chunk


def _download(url: str) -> Iterator[bytes]:
    # Only reading happens inside the `try`: what goes wrong where the pieces are written is not the source's fault.
    try:
        with urlopen(Request(url, headers={"User-Agent": "does-it-hold"}), timeout=TIMEOUT) as response:
            yield from chunks(response)
    except HTTPError as error:
        raise NotOfficial("not found" if error.code == 404 else f"HTTP status {error.code}") from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        missing = isinstance(reason, FileNotFoundError)
        raise NotOfficial("not found" if missing else f"no answer ({reason or type(error).__name__})") from None
