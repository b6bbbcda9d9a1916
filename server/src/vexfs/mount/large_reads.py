"""Reads of files too large for rows: straight from their blobs into the answer.

Called by the loop's content operations. What the page cache has is read and answered in the loop, into one buffer that is used
again: no thread is woken and no memory made for it. What has to come from the disk is read by a worker, for the loop does not
wait for that; but of a few pages, which a fast disk brings before a worker were awake, it looks for a moment whether they have
come. Blobs stay open while their file is open here, so that the kernel sees them read in sequence and reads ahead.
Never reads rows: a range of which a part stands in rows is the caller's. Never gives the kernel a blob to read by itself
(FUSE_PASSTHROUGH): as long as a file is open like that, the kernel refuses to open it for writing.
"""

import errno
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from vexfs.core.content import BlobPart
from vexfs.core.errors import CorruptContent, VexfsError
from vexfs.mount import wire
from vexfs.mount.session import Session
from vexfs.store.blobs import BlobFolder
from vexfs.store.open_blobs import OpenBlob, OpenBlobs

logger = logging.getLogger(__name__)

_READERS = 2
_SOON_BYTES = 65_536
"""Up to here the loop looks again for what the cache did not have: having looked, it has the disk reading already."""
_SOON_NS = 60_000
"""How long it looks: about what waking a worker takes."""
_PASSED_OVER_MAX = 64
"""After looking in vain, so many reads at most are left to the workers at once before the loop looks again."""
_HEADER = wire.OUT_HEADER_BYTES
_ZEROS = memoryview(bytes(wire.MAX_READ_BYTES))


class _Part(NamedTuple):
    """A BlobPart whose blob is open."""

    at: int
    blob: OpenBlob
    offset: int
    length: int


class LargeReads:
    """See the module."""

    def __init__(self, session: Session, blobs: BlobFolder) -> None:
        self._session = session
        self._blobs = OpenBlobs(blobs)
        self._memory = _new_buffer()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="vexfs-read")
        self._reader_memories = deque(_new_buffer() for _ in range(_READERS))
        """As many as there are readers, so one that begins always finds one."""
        self._cached_only = os.RWF_NOWAIT
        """The flag that makes a read end where the disk would have to be waited for; 0 once this disk did not know it."""
        self._pass_over = self._passed_over = 0
        """How many reads are left to the workers before the loop looks again, and how many it was to be last time."""

    def answer(self, unique: int, ino: int, length: int, parts: Sequence[BlobPart]) -> None:
        """Answer a READ with `length` bytes: what no part gives is zeros. Raises CorruptContent when a blob is missing."""
        opened = [_Part(part.at, self._blobs.get(ino, part.blob), part.offset, part.length) for part in parts]
        if self._cached_only and (self._fill_from_cache(length, opened) or self._comes_soon(length, opened)):
            self._send(unique, length, self._memory)
        else:
            self._readers.submit(self._read_later, unique, length, opened)

    def submit(self, work: Callable[[], None]) -> None:
        """Have a reader do other work that may wait for a disk."""
        self._readers.submit(work)

    def closed(self, ino: int) -> None:
        """Nobody has the file open any more: let go of its blobs, which may be collected then."""
        self._blobs.close_of(ino)

    def close(self) -> None:
        """Answer what is being read, then stop the readers; idempotent."""
        self._readers.shutdown(wait=True)
        self._blobs.close()

    def _fill_from_cache(self, length: int, parts: Sequence[_Part]) -> bool:
        try:
            return _fill(self._memory, length, parts, self._cached_only)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            self._cached_only = 0
            return False

    def _comes_soon(self, length: int, parts: Sequence[_Part]) -> bool:
        """Whether the disk brings in a moment what `_fill_from_cache` has asked it for."""
        if length > _SOON_BYTES or not self._cached_only:
            return False
        if self._pass_over:
            self._pass_over -= 1
            return False
        until_ns = time.monotonic_ns() + _SOON_NS
        while time.monotonic_ns() < until_ns:
            if self._fill_from_cache(length, parts):
                self._passed_over = 0
                return True
        self._pass_over = self._passed_over = min(2 * self._passed_over + 1, _PASSED_OVER_MAX)
        return False

    def _read_later(self, unique: int, length: int, parts: Sequence[_Part]) -> None:
        """In a reader's thread."""
        memory = self._reader_memories.pop()
        try:
            if not _fill(memory, length, parts, 0):
                raise CorruptContent("a blob is shorter than its rows say: run `vexfs check`")
            self._send(unique, length, memory)
        except VexfsError as error:
            logger.error("a read failed", extra={"reason": error.reason})
            self._session.fail(unique, error.errno)
        except Exception:
            logger.exception("a read failed")
            self._session.fail(unique, errno.EIO)
        finally:
            self._reader_memories.append(memory)

    def _send(self, unique: int, length: int, memory: memoryview) -> None:
        wire.fuse_out_header.pack_into(memory, 0, _HEADER + length, 0, unique)
        self._session.send(memory[: _HEADER + length])


def _new_buffer() -> memoryview:
    """Room for one answer; the system gives memory for it as it is used."""
    return memoryview(bytearray(_HEADER + wire.MAX_READ_BYTES))


def _fill(memory: memoryview, length: int, parts: Sequence[_Part], flags: int) -> bool:
    """Lay the parts, in order, into the payload of `memory`, and zeros between them, for it holds an earlier answer's bytes.
    False when a part gave less than it should.
    """
    position = 0
    for at, blob, offset, size in parts:
        _clear(memory, position, at)
        position = at + size
        got = 0
        while got < size:
            count = os.preadv(blob.fd, [memory[_HEADER + at + got : _HEADER + position]], offset + got, flags)
            if count == 0 or (flags and count < size - got):
                return False
            got += count
    _clear(memory, position, length)
    return True


def _clear(memory: memoryview, start: int, end: int) -> None:
    if start < end:
        memory[_HEADER + start : _HEADER + end] = _ZEROS[: end - start]
