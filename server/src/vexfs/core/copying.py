"""Copying a range of one file into another: blocks that lie in blobs are shared, holes stay holes, the rest is moved.

Called by the mount for copy_file_range, inside a transaction. One call is bounded, so that it does not keep the writer's turn;
the caller asks for the rest. Everything is read before anything is written: source and target may be one file.
"""

from collections.abc import Iterator
from itertools import groupby

from vexfs.core import content, holes, quotas
from vexfs.core.errors import InvalidRequest
from vexfs.core.types import BLOCK_BYTES, Ino, Node
from vexfs.store import content as rows
from vexfs.store.extents import EXTENT_MAX_BLOCKS, Extent
from vexfs.store.writer import Transaction

CALL_MAX_BYTES = 256 << 20
MOVED_MAX_BYTES = 4 << 20
"""What one call moves at most of blocks that cannot be shared."""


def copy_range(txn: Transaction, source: Ino, offset: int, target: Ino, target_offset: int, length: int) -> int:
    """Copy bytes from `offset` on to `target_offset`; returns how many, fewer than `length` at the source's end or when it is
    too much for one transaction.

    Raises InvalidRequest for places that overlap, TooLarge, QuotaExceeded, NotFound, NotARegularFile.
    """
    node, into = content.regular(txn, source), content.regular(txn, target)
    if offset < 0 or target_offset < 0 or length < 0:
        raise InvalidRequest("a range begins at 0 or behind it")
    if source == target and abs(offset - target_offset) < length:
        raise InvalidRequest("a range cannot be copied over itself")
    length = min(length, CALL_MAX_BYTES, node.size_bytes - offset)
    if length <= 0:
        return 0
    content.check_size(target_offset + length)
    return _Copy(txn, node, into, offset, target_offset, length).run()


class _Copy:
    """One call. Places are those in the target; `_shift` leads there from the source."""

    def __init__(self, txn: Transaction, source: Node, target: Node, offset: int, target_offset: int, length: int) -> None:
        self._txn, self._source, self._target = txn, source, target
        self._start, self._end = target_offset, target_offset + length
        self._shift = target_offset - offset

    def run(self) -> int:
        shared = self._shareable()
        moved = self._moved(shared)
        size_bytes = max(self._target.size_bytes, self._end)
        first_block, end_block = self._start // BLOCK_BYTES, holes.end_of(self._end)
        asked = holes.union([(first_block, end_block)], holes.last_block(self._target, size_bytes))
        before = [run for first, end in asked for run in holes.runs_with_data(self._txn, self._target, first, end)]
        filled = _runs(block for block in range(first_block, end_block) if block in shared or moved[block] is not None)
        after = holes.union(holes.outside(before, first_block, end_block), filled)
        hole_bytes = holes.count(self._target, size_bytes, before, after)
        quotas.check_growth(self._txn, self._target, size_bytes, hole_bytes)
        self._write(shared, moved, end_block)
        content.changed(self._txn, self._target, size_bytes, hole_bytes)
        return self._end - self._start

    # -- finding out ---------------------------------------------------------------------------------

    def _shareable(self) -> dict[int, Extent]:
        """The target's blocks that can show a part of one of the source's blobs."""
        first_block = (self._start - self._shift) // BLOCK_BYTES
        end_block = holes.end_of(self._end - self._shift)
        sizes: dict[bytes, int] = {}
        found: dict[int, Extent] = {}
        for piece in rows.visible(self._txn, self._source.ino, first_block, end_block):
            if piece.blob is None:
                continue
            if piece.blob not in sizes:
                sizes[piece.blob] = rows.blob_size(self._txn, piece.blob)
            begin = piece.first_block * BLOCK_BYTES + self._shift
            blob_end = begin + sizes[piece.blob] - piece.blob_offset
            end = min(blob_end, begin + piece.block_count * BLOCK_BYTES, self._end)
            for block in range(holes.end_of(max(begin, self._start)), holes.end_of(end)):
                if (block + 1) * BLOCK_BYTES <= end or self._is_last(end, blob_end):
                    offset = piece.blob_offset + block * BLOCK_BYTES - begin
                    found[block] = Extent(block, self._txn.revision, 1, piece.blob, offset)
        return found

    def _is_last(self, end: int, blob_end: int) -> bool:
        """Whether the blob ends where the copy and the target do, so that nothing of it lies behind the target's end."""
        return end == blob_end == self._end >= self._target.size_bytes

    def _moved(self, shared: dict[int, Extent]) -> dict[int, bytes | None]:
        """New content of the other blocks, None for a hole. Ends the copy early when it is too much."""
        first_block, end_block = self._start // BLOCK_BYTES, holes.end_of(self._end)
        found: dict[int, bytes | None] = {}
        moved_bytes = 0
        for block in range(first_block, end_block):
            if block in shared:
                continue
            found[block] = content_of = self._merged(block)
            moved_bytes += len(content_of or b"")
            if moved_bytes >= MOVED_MAX_BYTES and block + 1 < end_block:
                self._end = (block + 1) * BLOCK_BYTES
                return found
        return found

    def _merged(self, block: int) -> bytes | None:
        """What the target's block holds after the copy."""
        begin, end = max(block * BLOCK_BYTES, self._start), min((block + 1) * BLOCK_BYTES, self._end)
        first, behind = begin - self._shift, end - self._shift
        whole = begin == block * BLOCK_BYTES and (end == (block + 1) * BLOCK_BYTES or end >= self._target.size_bytes)
        if whole and not holes.runs_with_data(self._txn, self._source, first // BLOCK_BYTES, holes.end_of(behind)):
            return None
        data = content.read_node(self._txn, self._source, first, behind - first)
        if whole:
            return data
        old = rows.read_block(self._txn, self._target.ino, block)
        place = begin - block * BLOCK_BYTES
        return old[:place].ljust(place, b"\0") + data + old[place + len(data) :]

    # -- writing ---------------------------------------------------------------------------------------

    def _write(self, shared: dict[int, Extent], moved: dict[int, bytes | None], end_block: int) -> None:
        ino, born = self._target.ino, self._txn.revision
        for first, end in _runs(block for block, data in moved.items() if data is None):
            rows.clear(self._txn, ino, first, end, born=born)
        rows.put_extents(self._txn, ino, _joined([extent for block, extent in shared.items() if block < end_block]))
        for block, data in moved.items():
            if data is not None:
                rows.put_chunk(self._txn, ino, block, data, born=born)


def _runs(blocks: Iterator[int]) -> Iterator[tuple[int, int]]:
    for _, group in groupby(enumerate(blocks), key=lambda pair: pair[1] - pair[0]):
        members = [block for _, block in group]
        yield members[0], members[-1] + 1


def _joined(extents: list[Extent]) -> Iterator[Extent]:
    """Neighbouring parts of one blob as one extent, none longer than an extent may be. `extents` are in order."""
    current: Extent | None = None
    for extent in extents:
        if current is not None:
            count = extent.first_block - current.first_block
            follows = extent.blob == current.blob and extent.blob_offset == current.blob_offset + count * BLOCK_BYTES
            if follows and count == current.block_count < EXTENT_MAX_BLOCKS:
                current = current._replace(block_count=count + 1)
                continue
            yield current
        current = extent
    if current is not None:
        yield current
