"""Files without a name that nobody has open any more: they go.

Whoever has such a file open forgets it at the last close (`vexfs.core.files.forget_orphan`); this is for what a process left
that was killed. Called at the start of a mount and by the maintenance thread. Crash here → the rest goes the next time.
"""

import logging

from vexfs.core.types import CHANGE_NODE_REMOVED, Change, Ino
from vexfs.store import nodes
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

logger = logging.getLogger(__name__)

BATCH = 200


def forget_abandoned(txn: Transaction) -> int:
    """Remove one batch of them; returns how many."""
    abandoned = [Ino(ino) for ino, origin in nodes.orphans(txn) if not txn.writer.keeps(ino, origin)][:BATCH]
    for ino in abandoned:
        nodes.remove_orphan(txn, ino)
        node = nodes.get(txn, ino)
        if node is not None and node.nlink == 0:
            nodes.remove(txn, node, died=txn.revision, keep_from=txn.keep_from)
            txn.note(Change(CHANGE_NODE_REMOVED, ino))
    if abandoned:
        logger.info("swept deleted files that nobody has open any more", extra={"files": len(abandoned)})
    return len(abandoned)


def sweep(volume: Volume) -> int:
    """Remove all of them, through the write queue; returns how many. Writes nothing where no file lacks a name."""
    count = 0
    while _listed(volume):
        batch = volume.queue.submit("forget", forget_abandoned, durable=False).result().value or 0
        count += batch
        if batch < BATCH:
            break
    return count


def _listed(volume: Volume) -> bool:
    with volume.snapshot() as view:
        return bool(nodes.orphans(view))
