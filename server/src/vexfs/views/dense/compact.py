"""Rows of a generation whose exact vectors stay on the disk: quantized in memory, each float32 row read when it is asked for.

Made by `vexfs.views.dense.generation`, used like a matrix by the index and the ranking. What is read is compared with a
checksum of the row, made when the whole file was checked, so a file that was cut short or changed since makes an error and no
wrong score. The file stays open: it can be read after the generation was deleted. It is never mapped, because a mapped file
that is cut short kills the process. Any thread may read; nothing is changed but `lost`, once.
"""

import os
import secrets
import weakref
from pathlib import Path
from typing import NamedTuple, overload

import blake3
import numpy as np
from numpy.typing import NDArray

from vexfs.core.errors import DataLoss, ViewUnavailable
from vexfs.views.dense.quantization import Quantized
from vexfs.views.dense.rows import Keys, Matrix, RowIds

_BLOCK_BYTES = 1 << 20
"""So much of the file is read, checked and coded at a time."""

Checksums = NDArray[np.uint64]


class CompactMatrix:
    """Rows by their number, as float32: `matrix[rows]`, `matrix[row]`, `matrix[low:high]`. Raises ViewUnavailable."""

    def __init__(self, quantized: Quantized, descriptor: int, offset: int, checksums: Checksums, weights: Checksums) -> None:
        """Owns the descriptor: it is closed with the last user of the matrix."""
        self.quantized = quantized
        self.lost = False
        """Whether rows could not be read as they were: the index has to be read anew."""
        self._descriptor = descriptor
        self._offset = offset
        self._checksums = checksums
        self._weights = weights
        weakref.finalize(self, os.close, descriptor)

    def __len__(self) -> int:
        return len(self.quantized)

    @property
    def shape(self) -> tuple[int, int]:
        return (len(self.quantized), self.quantized.dimension)

    @property
    def size_bytes(self) -> int:
        """Memory that this takes."""
        return self.quantized.size_bytes + self._checksums.nbytes

    @overload
    def __getitem__(self, rows: int) -> NDArray[np.float32]: ...
    @overload
    def __getitem__(self, rows: RowIds | slice) -> Matrix: ...
    def __getitem__(self, rows: int | RowIds | slice) -> NDArray[np.float32]:
        if isinstance(rows, slice):
            return self._read(np.arange(*rows.indices(len(self))))
        if isinstance(rows, int):
            row: NDArray[np.float32] = self._read(np.array([rows]))[0]
            return row
        return self._read(rows)

    def _read(self, rows: RowIds) -> Matrix:
        """Neighbours are read together, so ascending rows are read with the fewest calls."""
        matrix: Matrix = np.empty((len(rows), self.quantized.dimension), dtype=np.float32)
        if not len(rows):
            return matrix
        breaks = (np.flatnonzero(np.diff(rows) != 1) + 1).tolist()
        try:
            for start, end in zip([0, *breaks], [*breaks, len(rows)], strict=True):
                offset = self._offset + int(rows[start]) * 4 * self.quantized.dimension
                read_fully(self._descriptor, matrix[start:end].data.cast("B"), offset)
        except OSError as error:
            raise self._lose(str(error)) from error
        if not np.array_equal(_checksums(matrix, self._weights), self._checksums[rows]):
            raise self._lose("they are not what they were")
        return matrix

    def _lose(self, why: str) -> ViewUnavailable:
        self.lost = True
        return ViewUnavailable(f"vectors cannot be read from the generation ({why}); they are read anew: try again soon")


class CompactRows(NamedTuple):
    """As `rows.Rows`, with the vectors on the disk."""

    keys: Keys
    matrix: CompactMatrix

    def __len__(self) -> int:  # of rows, not of fields
        return len(self.keys)


def open_compact(path: Path, rows: int, dimension: int, metric: str, storage: str) -> tuple[CompactMatrix, int, str]:
    """The rows of a `.npy` file of that shape, read once and never in memory as a whole; size in bytes and BLAKE3 of what was
    read, which the caller compares with what they should be. Raises DataLoss when it is no such file, OSError.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size_bytes = os.fstat(descriptor).st_size
        offset = _begin_of_rows(descriptor, (rows, dimension))
        if offset is None or size_bytes != offset + 4 * rows * dimension:
            raise DataLoss(f"the file {path.name} does not hold {rows} vectors of {dimension} dimensions")
        hasher = blake3.blake3(os.pread(descriptor, offset, 0))
        quantized = Quantized(rows, dimension, metric, storage)
        weights = np.frombuffer(secrets.token_bytes(8 * dimension), dtype=np.uint64) | np.uint64(1)
        checksums: Checksums = np.empty(rows, dtype=np.uint64)
        buffer: Matrix = np.empty((max(1, _BLOCK_BYTES // (4 * dimension)), dimension), dtype=np.float32)
        for start in range(0, rows, len(buffer)):
            block = buffer[: min(len(buffer), rows - start)]
            content = block.data.cast("B")
            read_fully(descriptor, content, offset + 4 * start * dimension)
            hasher.update(content)
            quantized.put(start, block)
            checksums[start : start + len(block)] = _checksums(block, weights)
    except BaseException:
        os.close(descriptor)
        raise
    return CompactMatrix(quantized, descriptor, offset, checksums, weights), size_bytes, hasher.hexdigest()


def read_fully(descriptor: int, into: memoryview, offset: int) -> None:
    """Fill the buffer from the file. Raises OSError, also when the file is too short."""
    while len(into):
        count = os.preadv(descriptor, [into], offset)
        if not count:
            raise OSError(f"the file ends {len(into)} bytes too early")
        into, offset = into[count:], offset + count


def _begin_of_rows(descriptor: int, shape: tuple[int, int]) -> int | None:
    """Where in the `.npy` file the rows begin; None unless its header says that they are float32 rows of that shape."""
    with os.fdopen(os.dup(descriptor), "rb") as file:
        try:
            np.lib.format.read_magic(file)
            found, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
        except ValueError:
            return None
        return file.tell() if (found, fortran_order, dtype) == (shape, False, np.dtype("<f4")) else None


def _checksums(matrix: Matrix, weights: Checksums) -> Checksums:
    """A number a row: the sum of its words, each times an odd number nobody outside knows. Another row has another one."""
    sums: Checksums = np.empty(len(matrix), dtype=np.uint64)
    block = max(1, _BLOCK_BYTES // (4 * matrix.shape[1]))
    for start in range(0, len(matrix), block):
        words = matrix[start : start + block].view(np.uint32)
        np.matmul(words, weights, out=sums[start : start + block])
    return sums
