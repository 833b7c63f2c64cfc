"""Trained weights that a document's authors published: where they are, and what they are of."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field

from stages.cell.recipe import Frozen, Positive


class AuthorWeights(Frozen):
    """An entry of ``author_weights`` in a paper.yaml.

    ``id``: a name that no other paper uses. ``url``: the file, a PyTorch state dict, at an address whose content does
    not change, such as that of a commit. ``file_size`` (bytes) and ``sha256``: what its bytes are checked by.
    ``run``: the run of the document whose weights they are. ``note``: what a reader should know of the file.
    """

    id: str
    url: Annotated[str, Field(pattern=r"^https://[^/]+/.*[^/]$")]
    file_size: Positive  # not `size`: DVC takes that for its own entry, and restores outputs of another one
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    run: str
    note: str = ""

    @property
    def file(self) -> str:
        """The name of the file, as published."""
        return PurePosixPath(urlsplit(self.url).path).name
