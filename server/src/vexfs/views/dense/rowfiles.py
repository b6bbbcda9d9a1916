"""The rows of a generation as files: how do they get to the disk without all being in memory?

    keys.npy       the rows' keys, ascending
    vectors.npy    the rows, prepared for the metric

The builder writes the pages of a source as they come, and maps what it wrote to train over it: mapped rows are the kernel's to
drop and read again, and the builder gives them back itself, for ScaNN has copied them. Who serves the rows reads them whole
(`read`): a mapped file that is cut short kills the process, which a builder may suffer and a server may not.
"""

import contextlib
import mmap
import struct
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vexfs.views.dense.rows import Keys, Matrix, Rows

KEYS, VECTORS = "keys.npy", "vectors.npy"
_HEADER_BYTES = 128
"""Whatever the number of rows: that of `vectors.npy` is filled in at the end."""
GIVE_BACK_S = 0.25
"""A disk's worth of rows in that time is what stays, at most."""


def write(folder: Path, pages: Iterable[Rows]) -> int:
    """Write the rows of all pages, ascending by key, into an existing folder, not synced; answers how many there are.

    Raises ValueError when they do not ascend, and what the pages raise.
    """
    keys: list[Keys] = []
    count, last = 0, -1
    with (folder / VECTORS).open("wb") as file:
        for page in pages:
            if not len(page):
                continue
            if page.keys[0] <= last or np.any(page.keys[1:] <= page.keys[:-1]):
                raise ValueError("the rows of a source do not ascend by key")
            if not count:
                file.write(_header(page.matrix.dtype, (0, page.matrix.shape[1])))
            file.write(np.ascontiguousarray(page.matrix).data)
            keys.append(page.keys)
            count, last = count + len(page), int(page.keys[-1])
        if count:
            file.seek(0)
            file.write(_header(page.matrix.dtype, (count, page.matrix.shape[1])))
    (folder / KEYS).write_bytes(_header(np.dtype(np.int64), (count,)) + b"".join(part.tobytes() for part in keys))
    return count


@contextlib.contextmanager
def mapped(folder: Path) -> Iterator[Matrix]:
    """The vectors that `write` has written, as pages of their file; there is at least one.

    While the context lasts, a thread gives back what was read of them: what is used again is read again.
    """
    with (folder / VECTORS).open("rb") as file:
        pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    matrix = np.frombuffer(pages, dtype=np.float32, offset=_HEADER_BYTES).reshape(len(read_keys(folder)), -1)
    ended = threading.Event()

    def give_back() -> None:
        while not ended.wait(GIVE_BACK_S):
            pages.madvise(mmap.MADV_DONTNEED)

    thread = threading.Thread(target=give_back, name="vexfs-give-back", daemon=True)
    thread.start()
    try:
        yield matrix
    finally:
        ended.set()
        thread.join()


def read(folder: Path) -> Rows:
    """The rows, in memory. Raises OSError, ValueError when they cannot be read."""
    return Rows(read_keys(folder), np.load(folder / VECTORS))


def read_keys(folder: Path) -> Keys:
    """Their keys alone. Raises as `read`."""
    keys: Keys = np.load(folder / KEYS)
    return keys


def _header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """In numpy's format, and always of one length."""
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    magic = np.lib.format.magic(1, 0)
    length = _HEADER_BYTES - len(magic) - 2
    return magic + struct.pack("<H", length) + repr(described).encode().ljust(length - 1) + b"\n"
