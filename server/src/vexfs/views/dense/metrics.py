"""Scores: how near a row is to a query, under each metric; higher is better everywhere.

    cosine      the cosine, -1 to 1; rows and query are brought to unit length
    dot         the inner product
    euclidean   minus the distance, so at most 0

Used by the ranking and by the builder. Pure functions. `approximate` is one matrix product over many rows and may differ from
`exact` in the last digits; `exact` gives the same number for the same row and query wherever the row comes from, so an order
does not depend on the way a search took.
"""

import math
from collections.abc import Sequence
from typing import NewType

import numpy as np
from numpy.typing import NDArray

from vexfs.core.errors import DimensionMismatch, InvalidVector
from vexfs.views.dense.rows import Matrix

COSINE = "cosine"
DOT = "dot"
EUCLIDEAN = "euclidean"

Scores = NDArray[np.float32]
Query = NewType("Query", np.ndarray)
"""A query vector, float32, checked and prepared for the metric."""

_TINY = np.float32(1e-30)
_PRODUCT_FROM_QUERIES = 4
"""2,500 rows of 384 dimensions take 150 µs a query one by one, 75 in a product with 4 queries, 27 with 16, but 143 with 2."""
_ROUNDING = 2.0**-22
"""Two units in the last place of a float32 each way, a term."""


def prepare_rows(matrix: Matrix, metric: str) -> Matrix:
    """Rows as an index keeps them: of unit length for cosine. A row without length stays without."""
    if metric != COSINE or not len(matrix):
        return np.ascontiguousarray(matrix)
    lengths = np.sqrt(np.einsum("ij,ij->i", matrix, matrix, dtype=np.float64)).astype(np.float32)
    return np.ascontiguousarray(matrix / np.maximum(lengths, _TINY)[:, None])


def prepare_query(vector: bytes, dimension: int, metric: str) -> Query:
    """Check a query (little-endian float32) and prepare it. Raises InvalidVector, DimensionMismatch."""
    if len(vector) % 4:
        raise InvalidVector(f"a vector is a whole number of 4-byte floats; this one has {len(vector)} bytes")
    if len(vector) != 4 * dimension:
        raise DimensionMismatch(
            f"the query vector has {len(vector) // 4} dimensions and the collection's vectors have {dimension}",
            expected=str(dimension),
            found=str(len(vector) // 4),
        )
    wide = np.frombuffer(vector, dtype="<f4").astype(np.float64)
    length = math.sqrt(wide.dot(wide))
    if not math.isfinite(length):  # no sum of squares of finite float32 overflows a float64
        raise InvalidVector("the query vector holds NaN or infinity")
    if metric != COSINE:
        return Query(wide.astype(np.float32))
    if length == 0.0:
        raise InvalidVector("the query vector has zero length, so it has no cosine to anything")
    return Query((wide / length).astype(np.float32))


def squared_lengths(matrix: Matrix) -> Scores:
    """What `approximate` needs beside the rows under euclidean."""
    result: Scores = np.einsum("ij,ij->i", matrix, matrix)
    return result


def approximate(matrix: Matrix, query: Query, metric: str, squared: Scores | None) -> Scores:
    """A number a row that orders like the score, up to rounding. `squared` are the rows' squared lengths (euclidean only)."""
    products: Scores = matrix @ query
    if metric == EUCLIDEAN:
        if squared is None:
            squared = squared_lengths(matrix)
        return 2 * products - squared
    return products


def approximate_of_each(matrix: Matrix, queries: Sequence[Query], metric: str, squared: Scores | None) -> list[Scores]:
    """As `approximate` of each query, up to rounding. The rows come out of memory once for all of many queries."""
    if len(queries) < _PRODUCT_FROM_QUERIES:
        return [approximate(matrix, query, metric, squared) for query in queries]
    products = approximate(matrix, Query(np.stack(queries).T), metric, None if squared is None else squared[:, None])
    return list(np.ascontiguousarray(products.T))


def rounding_margin(matrix: Matrix, query: Query, metric: str, squared: Scores | None) -> float:
    """How far two approximate numbers, or an approximate and an exact one, can be out of order by rounding alone."""
    if metric == COSINE:
        magnitude = 1.0
    else:
        longest = float(np.max(squared if squared is not None else squared_lengths(matrix))) ** 0.5
        length = float(np.dot(query, query)) ** 0.5
        magnitude = longest * length if metric == DOT else (longest + length) ** 2  # the largest square that `exact` rounds
    return magnitude * math.sqrt(matrix.shape[1]) * _ROUNDING


def exact(rows: Matrix, query: Query, metric: str) -> Scores:
    """The score of each row. `rows` is a gathered copy, so each row is summed in the same way whatever stands beside it."""
    if metric == EUCLIDEAN:
        difference = rows - query
        distances: Scores = np.sqrt(np.einsum("ij,ij->i", difference, difference))
        return -distances
    scores: Scores = np.einsum("ij,j->i", rows, query)
    return scores
