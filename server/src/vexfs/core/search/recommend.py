"""One query vector out of several: of examples, what to be near to and what not, or of a file's passages. Where do they point?

Called by the surfaces before a search by vector, and by the ranking of passages; what compares knows nothing of examples. Pure
functions. The contract (`Examples` in `points.proto`, `SearchRequest.like`) says how it is computed: a client can do the same.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vexfs.core.errors import InvalidVector
from vexfs.core.points import check_vector
from vexfs.core.types import VectorSpec
from vexfs.views.dense.index import IndexState
from vexfs.views.dense.metrics import COSINE
from vexfs.views.dense.rows import files_of, span_of


def vector_of(spec: VectorSpec, positive: Sequence[bytes], negative: Sequence[bytes]) -> bytes:
    """The mean of the positive examples, moved away from that of the negative ones; little-endian float32.

    There is a positive one at least. Raises InvalidVector and DimensionMismatch for an example, and InvalidVector when they
    cancel each other out under cosine, or lie beyond what 32 bits hold.
    """
    mean = _mean(spec, positive)
    if negative:
        mean = 2 * mean - _mean(spec, negative)
    with np.errstate(over="ignore"):  # what becomes infinite is refused below
        packed = mean.astype("<f4").tobytes()
    try:
        check_vector(spec, packed)
    except InvalidVector:
        raise InvalidVector("the examples make no vector: they cancel each other out, or are too large for 32 bits") from None
    return packed


def vector_of_file(state: IndexState, ino: int) -> bytes | None:
    """The mean of the file's rows as the index has them; little-endian float32. None when it has none, or they cancel out."""
    in_base = span_of(state.base.keys, ino)
    in_tail = (files_of(state.tail.keys) == ino) & state.tail.live
    rows = np.concatenate([state.base.matrix[in_base][state.base.live[in_base]], state.tail.matrix[in_tail]])
    if not len(rows):
        return None
    mean = rows.mean(axis=0, dtype=np.float64).astype("<f4")
    return mean.tobytes() if mean.any() else None


def _mean(spec: VectorSpec, vectors: Sequence[bytes]) -> NDArray[np.float64]:
    for vector in vectors:
        check_vector(spec, vector)
    rows = np.stack([np.frombuffer(vector, "<f4") for vector in vectors]).astype(np.float64)
    if spec.metric == COSINE:
        rows /= np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    mean: NDArray[np.float64] = rows.mean(axis=0)
    return mean
