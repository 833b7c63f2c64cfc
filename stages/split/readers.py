"""Readers of the official file layouts. Each trusts nothing: what is not as published is a :class:`StageError`.

Sources: the idx layout from http://yann.lecun.com/exdb/mnist/, the python batches from
https://www.cs.toronto.edu/~kriz/cifar.html, the cropped digits from http://ufldl.stanford.edu/housenumbers/.
"""

from __future__ import annotations

import gzip
import math
import pickle
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import StageError
from stages.splits.format import Part

_IDX_UNSIGNED_BYTE = 0x08
_PICKLE_ERRORS = (pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError, AttributeError, OverflowError)


def damaged(path: Path, expected: str, found: str) -> StageError:
    """The error for a file whose content is not as published."""
    return StageError(
        f"{path} is damaged: {expected} was expected, {found} was found; delete it and run the download stage again."
    )


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """An idx file of unsigned bytes, gzip-compressed if its name ends in .gz: uint8, 0..255, that many dimensions."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise damaged(path, "a whole gzip file", f"one that does not decompress ({error})") from None
    magic = bytes([0, 0, _IDX_UNSIGNED_BYTE, dimensions])
    if data[:4] != magic:
        raise damaged(path, f"the idx magic number {magic.hex()}", data[:4].hex() or "nothing")
    start = 4 + 4 * dimensions
    if len(data) < start:
        raise damaged(path, f"an idx header of {start} bytes", f"{len(data)} bytes")
    shape = tuple(int(size) for size in np.frombuffer(data, ">u4", dimensions, 4))
    length = math.prod(shape)
    if len(data) - start != length:
        raise damaged(path, f"{length} bytes after the header (shape {shape})", f"{len(data) - start}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def read_idx_part(images: Path, labels: Path) -> Part:
    """The grey images (N, height, width, 1) and labels (N,) of a pair of idx files."""
    pixels, numbers = read_idx(images, 3)[..., np.newaxis], read_idx(labels, 1)
    if len(pixels) != len(numbers):
        raise damaged(labels, f"one label for each of the {len(pixels)} images", str(len(numbers)))
    return Part(pixels, numbers.astype(np.int64))


class _Stored:
    """Stands for an array of a pickle, or for its type: what it was to be called with, and its state.

    Nothing of NumPy's sees them, since its own classes crash on a state that no array ever had.
    """

    state: object = None

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments

    def __setstate__(self, state: object) -> None:
        self.state = state


class _PlainValues(pickle.Unpickler):
    """Builds plain values and :class:`_Stored`; a pickle that asks for anything else is refused, not run."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in (("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")):
            raise pickle.UnpicklingError(f"a reference to {module}.{name}, which no official file has")
        return _Stored


def _bytes_of(stored: object) -> NDArray[np.uint8] | None:
    """A stored array of unsigned bytes in C order, shape (N, 3072); None for anything else."""
    match stored:
        case _Stored(state=(1, (int(), 3072) as shape, _Stored(arguments=(b"u1", *_)), False, bytes(raw))):
            return np.frombuffer(raw, np.uint8).reshape(shape) if len(raw) == math.prod(shape) else None
    return None


def read_cifar_batch(path: Path) -> Part:
    """A CIFAR-10 python batch: images (N, 32, 32, 3), labels (N,), in the file's order."""
    expected = "a pickled dictionary of `data` (uint8, N x 3072) and `labels` (N numbers)"
    try:
        with path.open("rb") as stream:
            batch = _PlainValues(stream, encoding="bytes").load()
    except _PICKLE_ERRORS as error:
        raise damaged(path, expected, f"{error or type(error).__name__}") from None
    data = _bytes_of(batch.get(b"data")) if isinstance(batch, dict) else None
    if data is None:
        raise damaged(path, expected, "no such `data`")
    labels = batch.get(b"labels")
    if (
        not isinstance(labels, list)
        or len(labels) != len(data)
        or not all(type(n) is int and 0 <= n < 256 for n in labels)
    ):
        raise damaged(path, f"a list of {len(data)} numbers as `labels`", "something else")
    return Part(data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), np.array(labels, np.int64))


def read_svhn(path: Path) -> Part:
    """A file of SVHN's cropped digits: images (N, 32, 32, 3), labels (N,); its label 10 stands for the digit 0."""
    from scipy.io import loadmat

    expected = "a MATLAB 5 file with X (uint8, 32 x 32 x 3 x N) and y (N x 1, values 1..10)"
    try:
        content = loadmat(path, variable_names=("X", "y"))
    except MemoryError:
        raise
    except Exception as error:  # scipy's parser trips over damaged files in every way that there is
        raise damaged(path, expected, f"one that cannot be read ({error or type(error).__name__})") from None
    if missing := [name for name in ("X", "y") if name not in content]:
        raise damaged(path, expected, f"no {' and no '.join(missing)}")
    images, labels = content["X"], content["y"]
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[:3] != (32, 32, 3):
        raise damaged(path, expected, f"X of type {images.dtype} and shape {images.shape}")
    if labels.shape != (images.shape[3], 1) or not np.isin(labels, np.arange(1, 11)).all():
        raise damaged(path, expected, f"y of shape {labels.shape}, or with other values")
    return Part(images.transpose(3, 0, 1, 2), labels[:, 0].astype(np.int64) % 10)
