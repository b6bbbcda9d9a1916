"""Keys of rows, and the arrays a search reads. What does a row look like?

A row is one vector: of a file (ordinal 0), or of one of its passages. Its key is one integer, file id and ordinal together, so
that sorting keys groups the rows of a file. Used by the whole dense view. Values only: nothing here is changed after it was
published; the writer of an index makes new ones.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]
Matrix = NDArray[np.float32]
Mask = NDArray[np.bool_]
RowIds = NDArray[np.int64]

ORDINAL_BITS = 20
ORDINAL_MAX = (1 << ORDINAL_BITS) - 1
"""A file has at most this many passages in the dense view, 1,048,575; the rest is found by words only."""


def key_of(ino: int, ordinal: int) -> int:
    return (ino << ORDINAL_BITS) | ordinal


def files_of(keys: Keys) -> Keys:
    """The file id of each key."""
    return keys >> ORDINAL_BITS


class Rows(NamedTuple):
    """Vectors with their keys, ascending and without repetition; prepared for the metric."""

    keys: Keys
    matrix: Matrix

    def __len__(self) -> int:  # of rows, not of fields
        return len(self.keys)


def rows_from(keys: Sequence[int], vectors: Sequence[bytes], dimension: int) -> Rows:
    """Rows out of little-endian float32 bytes; a vector of another dimension is left out (it cannot be compared)."""
    size_bytes = 4 * dimension
    kept = [(key, vector) for key, vector in zip(keys, vectors, strict=True) if len(vector) == size_bytes]
    kept.sort(key=lambda pair: pair[0])
    joined = b"".join(vector for _, vector in kept)
    matrix = np.frombuffer(joined, dtype="<f4").reshape(len(kept), dimension).astype(np.float32, copy=False)
    return Rows(np.array([key for key, _ in kept], dtype=np.int64), matrix)


def concatenate(parts: Sequence[Rows], dimension: int) -> Rows:
    """One Rows of several whose keys do not overlap; sorted by key."""
    if not parts:
        return empty_rows(dimension)
    keys = np.concatenate([part.keys for part in parts])
    matrix = np.concatenate([part.matrix for part in parts])
    if len(keys) > 1 and not np.all(keys[1:] > keys[:-1]):
        order = np.argsort(keys, kind="stable")
        keys, matrix = keys[order], matrix[order]
    return Rows(keys, matrix)


def empty_rows(dimension: int) -> Rows:
    return Rows(np.empty(0, dtype=np.int64), np.empty((0, dimension), dtype=np.float32))


def span_of(keys: Keys, ino: int) -> slice:
    """Where a file's rows lie among ascending keys."""
    low, high = np.searchsorted(keys, (key_of(ino, 0), key_of(ino + 1, 0)))
    return slice(int(low), int(high))


def spans_of(keys: Keys, inos: Keys) -> tuple[RowIds, RowIds]:
    """Where the rows of each file begin among ascending keys, and where they end."""
    return np.searchsorted(keys, inos << ORDINAL_BITS), np.searchsorted(keys, (inos + 1) << ORDINAL_BITS)


def by_file(rows: Rows, inos: Sequence[int]) -> dict[int, Rows]:
    """The rows of each of these files; empty for one that has none."""
    low, high = spans_of(rows.keys, np.array(inos, np.int64))
    spans = zip(inos, low.tolist(), high.tolist(), strict=True)
    return {ino: Rows(rows.keys[start:end], rows.matrix[start:end]) for ino, start, end in spans}


def rows_of_files(keys: Keys, inos: Keys) -> RowIds:
    """Ids of the rows, among ascending keys, that belong to the given files (ascending)."""
    low, high = spans_of(keys, inos)
    counts = high - low
    kept = counts > 0
    low, counts = low[kept], counts[kept]
    if not len(low):
        return np.empty(0, dtype=np.int64)
    ends = np.cumsum(counts)
    starts = np.repeat(low - (ends - counts), counts)
    return (starts + np.arange(int(ends[-1]))).astype(np.int64, copy=False)


def contains(inos: Keys, wanted: Keys) -> Mask:
    """For each of `wanted` whether it is among `inos` (ascending)."""
    if not len(inos):
        return np.zeros(len(wanted), dtype=np.bool_)
    places = np.minimum(np.searchsorted(inos, wanted), len(inos) - 1)
    result: Mask = inos[places] == wanted
    return result


def marked(count: int, places: NDArray[np.integer[Any]]) -> Mask:
    """A mask of so many, true at these places."""
    mask: Mask = np.zeros(count, dtype=np.bool_)
    mask[places] = True
    return mask
