"""Bytes that a program has written and the volume does not have yet, counted against its quota when they are taken.

Used by `Writeback`; the loop's thread. So write(2) itself fails when there is no room. What is counted is how much more the
volume holds once the bytes are stored: nothing for what is overwritten, whole blocks for what goes into holes. Each buffer
carries its share, which is let go when its rows are about to be written, because the core counts exactly then. What another
process adds to the volume in between, or does to the same file, is found out there: the file reports it at its next write, at
fsync or at close. Where no limit is set, nothing is counted and nothing asked.
"""

from vexfs.core import files, holes, quotas
from vexfs.core.errors import NotFound
from vexfs.core.types import BLOCK_BYTES, Ino, Node
from vexfs.mount.dirty import DirtyBuffer
from vexfs.mount.open_files import OpenFile
from vexfs.store.usage import UNLIMITED, Usage
from vexfs.store.writer import Writer


class Reservations:
    """See the module."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._usage = writer.usage

    @property
    def limited(self) -> bool:
        """Whether bytes have to be counted at all, as far as the last group of transactions knew."""
        return self._usage.limit_bytes != UNLIMITED

    def usage(self) -> Usage:
        """What the volume holds now, what other processes have committed included."""
        if not self._writer.group_open:
            self._usage.load(self._writer)
        return self._usage

    def take(self, file: OpenFile, offset: int, length: int) -> int:
        """How much is to be added to the share of the buffer that gets these bytes. Raises QuotaExceeded, taking nothing."""
        if not file.pending or file.end_bytes < 0:
            try:
                node = files.stat(self._writer, file.ino)
            except NotFound:
                return 0  # the bytes have nowhere to go, which is found out when they are stored
            file.end_bytes, file.dense = file.shown(node).size_bytes, node.hole_bytes == 0 and not file.pending
        end = offset + length
        file.dense = file.dense and offset // BLOCK_BYTES <= holes.end_of(file.end_bytes)
        growth = max(0, end - file.end_bytes) if file.dense else self._sparse_growth(file, offset, end)
        if growth:
            quotas.check_bytes(self.usage(), growth)
            self._usage.reserved_bytes += growth
        file.end_bytes = max(file.end_bytes, end)
        return growth

    def _sparse_growth(self, file: OpenFile, offset: int, end: int) -> int:
        """What these bytes add to a file with holes, or make it one."""
        try:
            node = files.stat(self._writer, file.ino)
        except NotFound:
            return 0
        size, grown = file.end_bytes, max(file.end_bytes, end)
        blocks = set(range(offset // BLOCK_BYTES, holes.end_of(end)))
        if grown > size > 0:
            blocks.add((size - 1) // BLOCK_BYTES)  # it counts up to the end of the file
        growth = 0
        for block in blocks:
            start, stop = block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES
            stored = self._has_bytes(file, node, block)
            if stored or (start < end and stop > offset):
                growth += min(stop, grown) - (min(stop, size) if stored else start)
        return growth

    def _has_bytes(self, file: OpenFile, node: Node, block: int) -> bool:
        """Whether something of the block is pending or stored."""
        start, stop = block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES
        pending = (*file.layers, file.dirty) if file.dirty is not None else file.layers
        if any(buffer.touches(start, stop) for buffer in pending):
            return True
        return bool(holes.runs_with_data(self._writer, node, block, block + 1))

    def recount(self, file: OpenFile, size_bytes: int) -> None:
        """The file was cut or extended to that size, its only buffer cut with it: what that buffer will add now.

        Refuses nothing: cutting is always possible.
        """
        buffer = file.dirty
        if buffer is None:
            return
        self.release(buffer)
        file.end_bytes, file.dense = size_bytes, size_bytes == 0
        if buffer.byte_count == 0 or not self.limited:
            return
        node = files.stat(self._writer, Ino(file.ino))
        blocks = {block for start, end in buffer.spans() for block in range(start // BLOCK_BYTES, holes.end_of(end))}
        missing = [block for block in blocks if not holes.runs_with_data(self._writer, node, block, block + 1)]
        self.hold(buffer, sum(min((block + 1) * BLOCK_BYTES, size_bytes) - block * BLOCK_BYTES for block in missing))

    def hold(self, buffer: DirtyBuffer, count: int) -> None:
        """Count so much for the buffer, again or anew."""
        buffer.reserved_bytes += count
        self._usage.reserved_bytes += count

    def release(self, buffer: DirtyBuffer) -> int:
        """The buffer's bytes are about to be stored, or are gone: let go of its share, and return it."""
        count, buffer.reserved_bytes = buffer.reserved_bytes, 0
        self._usage.reserved_bytes -= count
        return count
