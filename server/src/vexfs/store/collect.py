"""Collecting blobs: files that no extent names any more are unlinked after a grace period.

Called by the maintenance thread. Order: condemned in some transaction → that transaction durable → inside the turn: still
condemned and unnamed → unlink → row deleted. A writer that wants the same bytes takes the blob back inside its own
transaction, and looks that the file is still there.

Crash here → unlinked but the row still there: condemned and absent, the next pass deletes the row; a writer finds the file
absent and writes it again.
"""

import time

from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

GRACE_NS = 600 * 1_000_000_000
ABANDONED_S = 24 * 3600.0
"""A temporary file untouched for this long belongs to nobody."""
BATCH = 50


def collect(volume: Volume, *, grace_ns: int = GRACE_NS) -> int:
    """Unlink one batch of condemned blobs; returns how many. Blocks for one commit; not for the turn's holder."""
    before_ns = time.time_ns() - grace_ns
    with volume.snapshot() as view:
        sql = "SELECT hash FROM blob WHERE condemned_ns<=? LIMIT ?"
        condemned = [bytes(row[0]) for row in view.execute(sql, (before_ns, BATCH))]
    if not condemned:
        return 0
    # The extents' deletion must not be lost to a power cut after the unlink: make it durable first.
    volume.syncer.sync().result()
    return volume.queue.submit("collect", lambda txn: _unlink(txn, condemned)).result().value or 0


def _unlink(txn: Transaction, condemned: list[bytes]) -> int:
    count = 0
    for blob in condemned:
        sql = "SELECT 1 FROM blob WHERE hash=? AND condemned_ns IS NOT NULL AND NOT EXISTS(SELECT 1 FROM extent WHERE blob=?)"
        if txn.execute(sql, (blob, blob)).fetchall():
            txn.blobs.unlink(blob)
            txn.execute("DELETE FROM blob WHERE hash=?", (blob,))
            count += 1
    return count


def sweep_incoming(volume: Volume, *, older_than_s: float = ABANDONED_S) -> int:
    """Remove temporary files that a crash left; returns how many."""
    abandoned = volume.blobs.abandoned(older_than_s, time.time())
    for file in abandoned:
        file.unlink(missing_ok=True)
    return len(abandoned)
