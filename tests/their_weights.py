"""A file of weights as a document's authors might have published it."""

from __future__ import annotations

import hashlib

from stages.documents.author_weights import AuthorWeights
from tests.small import small_cell

CELL = small_cell(depth=5)


def entry(raw: bytes, name: str = "net.pth") -> AuthorWeights:
    digest = hashlib.sha256(raw).hexdigest()
    url = f"https://example.org/{'0' * 40}/{name}"
    return AuthorWeights(id="authors-net", url=url, file_size=len(raw), sha256=digest, run=CELL.key)
