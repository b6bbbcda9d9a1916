"""Compaction: a large file that lies in many pieces becomes a few blobs again.

Called by the maintenance thread, for files that were quiet for a while. Content and content_revision stay; only where the
bytes lie changes, in one transaction that is dropped when the file was written meanwhile.
"""

from vexfs.core.content import BlobRun, StagedContent, read_node
from vexfs.core.types import BLOCK_BYTES, CHANGE_STORED, INLINE_MAX_BYTES, Change, Ino, Node
from vexfs.store import content, nodes
from vexfs.store.extents import EXTENT_MAX_BLOCKS, Extent
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

PIECES_SLACK = 8
"""Pieces a file may have above the least possible before it is worth rewriting."""
BLOCKS_A_PIECE = 8
"""A large file may have a piece for so many blocks: a database of which a few pages change is not rewritten each time."""
_READ_BYTES = 4 * 1024 * 1024


def compact(volume: Volume, ino: Ino) -> bool:
    """Rewrite the file's content when it is large and scattered; True when it was."""
    with volume.snapshot() as view:
        node = nodes.get(view, ino)
        if node is None or not node.is_regular or node.size_bytes <= INLINE_MAX_BYTES:
            return False
        if node.hole_bytes:
            return False  # sparse: holes stay holes
        blocks = -(-node.size_bytes // BLOCK_BYTES)
        pieces = content.visible(view, ino, 0, blocks)
    if len(pieces) <= -(-blocks // EXTENT_MAX_BLOCKS) + max(PIECES_SLACK, blocks // BLOCKS_A_PIECE):
        return False  # compact already
    runs = _stage(volume, node)
    if runs is None:
        return False
    return bool(volume.queue.submit("compact", lambda txn: _put(txn, node, runs), durable=False).result().value)


def _stage(volume: Volume, node: Node) -> tuple[BlobRun, ...] | None:
    """Copy the content into blobs; None when the file changed on the way."""
    with StagedContent(volume.blobs) as staged:
        for offset in range(0, node.size_bytes, _READ_BYTES):
            with volume.snapshot() as view:
                current = nodes.get(view, node.ino)
                if current is None or current.content_revision != node.content_revision:
                    return None
                staged.write(read_node(view, current, offset, _READ_BYTES))
        return staged.finish().runs


def _put(txn: Transaction, node: Node, runs: tuple[BlobRun, ...]) -> bool:
    current = nodes.get(txn, node.ino)
    if current is None or current.content_revision != node.content_revision:
        return False
    if not all(content.claim_blob(txn, run.blob, run.size_bytes) for run in runs):
        return False
    content.put_extents(txn, node.ino, (Extent(run.first_block, txn.revision, run.block_count, run.blob, 0) for run in runs))
    txn.note(Change(CHANGE_STORED, node.ino))
    return True
