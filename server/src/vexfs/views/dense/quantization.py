"""Vectors kept in two bytes or one a component: what is kept of them, and how far a score out of it can be off.

    bfloat16    the upper half of each float32, rounded: its whole range, 8 significant bits
    int8        each component as a whole number of steps, -127 to 127; a row's step is its largest component / 127

Used by `vexfs.views.dense.compact`. Nothing here decides an answer: `Quantized.bounds` says between which numbers the true
one of each row lies, so that a search reads, of the exact vectors, those that can matter and no
others. The bounds are proven, not estimated. With x a row, c what is kept of it, q the query and u = 2^-24:

- |q·x - q·c| <= |q| |x - c| (Cauchy-Schwarz), and |x - c| is computed for each row when it is kept;
- a sum of d products in float32, in whatever order, is off by at most d u / (1 - d u) times the sum of their magnitudes, which
  is at most |q| |c|; so is the score that `metrics.exact` computes of x, which the bounds hold for as well.

One thread fills an instance before anybody else sees it; then it is not changed any more.
"""

import math

import numpy as np
from numpy.typing import NDArray

from vexfs.views.dense import metrics
from vexfs.views.dense.metrics import Query, Scores
from vexfs.views.dense.rows import Matrix, RowIds

FLOAT32, BFLOAT16, INT8 = "float32", "bfloat16", "int8"
COMPACT = (BFLOAT16, INT8)
"""What is kept quantized; float32 is kept as it is."""

Bounds = NDArray[np.float64]

_UNIT = 2.0**-24
"""Half a unit in the last place of a float32, relative."""
_OPERATIONS = 16
"""Roundings beside those of the sum, generously: scaling, adding the squared length, the root, those of the bounds."""
_TINIEST = 2.0**-149
"""What a product can lose that is too small for a float32."""
_BLOCK_BYTES = 3 << 18
"""Rows are made float32 again in blocks of so many bytes, which stay in a processor's cache: 100,000 rows of 384 components
take 15 ms as bfloat16 and 12 as int8, where float32 takes 11 and blocks of four times the size 24 and 15."""
_STEPS = 127


class Quantized:
    """What is kept of so many rows."""

    def __init__(self, rows: int, dimension: int, metric: str, storage: str) -> None:
        """Room for the rows; `put` fills it."""
        self.storage = storage
        self._metric = metric
        self._components: NDArray[np.uint16] | NDArray[np.int8]
        if storage == BFLOAT16:
            self._components = np.empty((rows, dimension), dtype=np.uint16)
            self._steps: Scores | None = None
        else:
            self._components = np.empty((rows, dimension), dtype=np.int8)
            self._steps = np.empty(rows, dtype=np.float32)
        self._slack: Scores = np.empty(rows, dtype=np.float32)
        """How far the score of a row can be off, for a query of length 1 (for euclidean: half as far, rounding not counted)."""
        self._squared: Scores | None = np.empty(rows, dtype=np.float32) if metric == metrics.EUCLIDEAN else None

    def __len__(self) -> int:
        return len(self._components)

    @property
    def dimension(self) -> int:
        return int(self._components.shape[1])

    @property
    def size_bytes(self) -> int:
        """Memory that this takes."""
        arrays = (self._components, self._steps, self._slack, self._squared)
        return sum(array.nbytes for array in arrays if array is not None)

    def put(self, start: int, matrix: Matrix) -> None:
        """Keep these rows, prepared for the metric, at the places from `start` on."""
        end = start + len(matrix)
        if self._steps is None:
            self._components[start:end] = _to_bfloat16(matrix)
        else:
            steps = np.abs(matrix).max(axis=1) / np.float32(_STEPS)
            self._steps[start:end] = steps
            wholes = np.rint(matrix / np.where(steps > 0, steps, np.float32(1))[:, None])
            self._components[start:end] = np.clip(wholes, -_STEPS, _STEPS)
        exact = matrix.astype(np.float64)
        kept = self._components_as_float32(start, end).astype(np.float64)
        if self._steps is not None:
            kept *= self._steps[start:end, None]
        slack = np.sqrt(np.einsum("ij,ij->i", exact - kept, exact - kept))
        if self._squared is None:
            lengths = np.sqrt(np.maximum(np.einsum("ij,ij->i", exact, exact), np.einsum("ij,ij->i", kept, kept)))
            slack += 2 * self._rounding * lengths
        else:
            with np.errstate(over="ignore"):  # then nothing is known of the row's score, and `bounds` says so
                self._squared[start:end] = np.einsum("ij,ij->i", exact, exact)
        with np.errstate(over="ignore"):
            self._slack[start:end] = np.nextafter(slack.astype(np.float32), np.float32(np.inf))

    def take(self, rows: RowIds) -> "Quantized":
        """What is kept of some of the rows."""
        taken = Quantized(0, self.dimension, self._metric, self.storage)
        taken._components = self._components[rows]
        taken._slack = self._slack[rows]
        taken._steps = None if self._steps is None else self._steps[rows]
        taken._squared = None if self._squared is None else self._squared[rows]
        return taken

    def bounds(self, query: Query) -> tuple[Bounds, Bounds]:
        """For each row two numbers between which its true one lies: one that orders like the score, as `metrics.approximate`
        computes it. Infinities where that is not known because numbers are too large for a float32.
        """
        wide = query.astype(np.float64)
        length = math.sqrt(float(np.dot(wide, wide))) * (1 + _UNIT)
        with np.errstate(over="ignore", invalid="ignore"):
            numbers = self._products(query).astype(np.float64)
            errors = length * self._slack.astype(np.float64) + self.dimension * _TINIEST
            if self._squared is not None:
                squared = self._squared.astype(np.float64)
                numbers = 2 * numbers - squared
                errors = 2 * errors + 4 * self._rounding * (length * length + squared)
            low, high = numbers - errors, numbers + errors
        unknown = ~(np.isfinite(numbers) & np.isfinite(errors))
        if unknown.any():
            low[unknown], high[unknown] = -np.inf, np.inf
        return low, high

    @property
    def _rounding(self) -> float:
        """How far a sum of as many products as there are components can be off, relative to the lengths of its factors."""
        operations = self.dimension + _OPERATIONS
        return operations * _UNIT / (1 - operations * _UNIT)

    def _products(self, query: Query) -> Scores:
        """The inner product of each kept row with the query."""
        products: Scores = np.empty(len(self), dtype=np.float32)
        block = max(1, _BLOCK_BYTES // (4 * self.dimension))
        for start in range(0, len(self), block):
            end = min(start + block, len(self))
            np.matmul(self._components_as_float32(start, end), query, out=products[start:end])
        if self._steps is not None:
            products *= self._steps
        return products

    def _components_as_float32(self, start: int, end: int) -> Matrix:
        block = self._components[start:end]
        if self._steps is not None:
            return block.astype(np.float32)
        wide = block.astype(np.uint32)
        np.left_shift(wide, 16, out=wide)
        return wide.view(np.float32)


def _to_bfloat16(matrix: Matrix) -> NDArray[np.uint16]:
    """The upper halves, rounded to nearest, ties to even; what would round to infinity becomes the largest finite number."""
    bits = np.ascontiguousarray(matrix).view(np.uint32)
    halves = ((bits + (((bits >> 16) & 1) + 0x7FFF)) >> 16).astype(np.uint16)
    infinite = (halves & 0x7FFF) == 0x7F80
    if infinite.any():
        halves[infinite] -= 1
    return halves
