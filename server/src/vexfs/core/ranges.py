"""Ranges of a file: where it has content, making holes, and seeing that there is room.

Called by the mount for lseek and fallocate; `copying` copies ranges. Works in blocks of 64 KiB: whole blocks become holes, a
block of which something remains is written anew.
"""

from vexfs.core import content, holes, quotas
from vexfs.core.errors import InvalidRequest, VolumeFull
from vexfs.core.types import BLOCK_BYTES, Ino, Node
from vexfs.store import content as rows
from vexfs.store.reader import Reader
from vexfs.store.writer import Transaction

_WINDOW_BLOCKS = 4096
"""So far `next_data` and `next_hole` look at a time."""


# -- where there is content --------------------------------------------------------------------------


def next_data(view: Reader, node: Node, offset: int) -> int | None:
    """The first byte from `offset` on that lies in a block with content; None when there is none before the end."""
    if offset >= node.size_bytes:
        return None
    if node.hole_bytes == 0:
        return offset
    block = offset // BLOCK_BYTES
    while (found := rows.next_data_block(view, node.ino, block)) is not None and found < holes.end_of(node.size_bytes):
        runs = rows.data_runs(view, node.ino, found, min(found + _WINDOW_BLOCKS, holes.end_of(node.size_bytes)))
        if runs:
            return max(offset, runs[0][0] * BLOCK_BYTES)
        block = found + _WINDOW_BLOCKS
    return None


def next_hole(view: Reader, node: Node, offset: int) -> int | None:
    """The first byte from `offset` on that lies in a hole, or the file's end; None behind the end."""
    if offset >= node.size_bytes:
        return None
    if node.hole_bytes == 0:
        return node.size_bytes
    block = offset // BLOCK_BYTES
    while block * BLOCK_BYTES < node.size_bytes:
        runs = rows.data_runs(view, node.ino, block, block + _WINDOW_BLOCKS)
        if not runs or runs[0][0] > block:
            return max(offset, block * BLOCK_BYTES)
        if runs[0][1] < block + _WINDOW_BLOCKS:
            return min(runs[0][1] * BLOCK_BYTES, node.size_bytes)
        block += _WINDOW_BLOCKS
    return node.size_bytes


# -- reserving, taking out ---------------------------------------------------------------------------


def allocate(txn: Transaction, ino: Ino, offset: int, length: int, *, keep_size: bool) -> Node:
    """See that the range can be written: disk and quota have room for it now, and the file reaches its end unless `keep_size`.

    Nothing is set aside: content is written anew with every change, so no reservation could promise more. Raises VolumeFull,
    QuotaExceeded, TooLarge, InvalidRequest, NotFound, NotARegularFile.
    """
    node = content.regular(txn, ino)
    end = _end(offset, length)
    if length > txn.blobs.free_bytes():
        raise VolumeFull(f"the disk under the volume has no room for {length} bytes more: free some space, then try again")
    size_bytes = max(node.size_bytes, end)
    written = holes.after_write(txn, node, [(offset // BLOCK_BYTES, holes.end_of(end))], size_bytes)
    quotas.check_growth(txn, node, size_bytes, written)
    if keep_size or end <= node.size_bytes:
        return node
    return content.truncate(txn, ino, end)


def zero(txn: Transaction, ino: Ino, offset: int, length: int, *, keep_size: bool = True) -> Node:
    """Make the range read as zeros, whole blocks of it holes; the file reaches its end unless `keep_size`.

    Raises InvalidRequest, TooLarge, NotFound, NotARegularFile; QuotaExceeded where a longer file alone would be too much.
    """
    node = content.regular(txn, ino)
    end = _end(offset, length)
    size_bytes = node.size_bytes if keep_size else max(node.size_bytes, end)
    if size_bytes > node.size_bytes:
        quotas.check_growth(txn, node, size_bytes, holes.after_resize(txn, node, size_bytes))
    if end >= node.size_bytes:  # what is left of the last block is nothing
        end = max(offset, holes.end_of(node.size_bytes) * BLOCK_BYTES)
    first_block, end_block = holes.end_of(offset), end // BLOCK_BYTES
    asked = holes.union([(offset // BLOCK_BYTES, holes.end_of(end))], holes.last_block(node, size_bytes))
    before = [run for first, stop in asked for run in holes.runs_with_data(txn, node, first, stop)]
    edges = {
        block: _blanked(txn, node, block, offset, end)
        for block in {offset // BLOCK_BYTES, end_block}
        if not first_block <= block < end_block
    }
    rows.clear(txn, ino, first_block, end_block, born=txn.revision)
    for block, stored in edges.items():
        if stored is not None:
            rows.put_chunk(txn, ino, block, stored or None, born=txn.revision)
    after = [run for first, stop in asked for run in rows.data_runs(txn, ino, first, stop)]
    return content.changed(txn, node, size_bytes, holes.count(node, size_bytes, before, after))


def _end(offset: int, length: int) -> int:
    """Where the range ends. Raises InvalidRequest, TooLarge."""
    if offset < 0 or length <= 0:
        raise InvalidRequest("a range begins at 0 or behind, and is not empty")
    content.check_size(offset + length)
    return offset + length


def _blanked(txn: Transaction, node: Node, block: int, offset: int, end: int) -> bytes | None:
    """What a block stores once the range is zeros; None when it stores nothing there, and so does not change."""
    start, stop = max(0, offset - block * BLOCK_BYTES), min(BLOCK_BYTES, end - block * BLOCK_BYTES)
    if start >= stop:
        return None
    stored = rows.read_block(txn, node.ino, block)
    if len(stored) <= start:
        return None
    return stored[:start] + (bytes(stop - start) + stored[stop:] if len(stored) > stop else b"")
