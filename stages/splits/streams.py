"""Named random streams.

Every random draw of the project comes from a generator whose seed is a hash of what the draw is for, for instance
``("order", seed, epoch)``. Adding a run, a purpose or an epoch therefore never shifts the draws of another, and any
step can be recomputed without replaying the ones before it.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream_seed(*name: str | int) -> int:
    """A seed in [0, 2**63) that depends on nothing but ``name``."""
    digest = hashlib.sha256("\0".join(str(part) for part in name).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def numpy_stream(*name: str | int) -> np.random.Generator:
    """A NumPy generator for the stream called ``name``."""
    return np.random.Generator(np.random.Philox(stream_seed(*name)))
