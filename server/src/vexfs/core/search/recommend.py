"""One query vector out of several examples: what to be near to, and what not. Where do examples point?

Called by the surfaces before a search by vector; the search itself knows nothing of examples. Pure functions. The contract
(`Examples` in `points.proto`) says how it is computed, so that a client can compute the same.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vexfs.core.errors import InvalidVector
from vexfs.core.points import check_vector
from vexfs.core.types import VectorSpec
from vexfs.views.dense.metrics import COSINE


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


def _mean(spec: VectorSpec, vectors: Sequence[bytes]) -> NDArray[np.float64]:
    for vector in vectors:
        check_vector(spec, vector)
    rows = np.stack([np.frombuffer(vector, "<f4") for vector in vectors]).astype(np.float64)
    if spec.metric == COSINE:
        rows /= np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    mean: NDArray[np.float64] = rows.mean(axis=0)
    return mean
