"""Collecting blobs: files that no extent names any more are unlinked after a grace period.

Called by the maintenance thread. Order: condemned in some transaction → that transaction durable → inside the turn: still
condemned and unnamed → unlink → row deleted. A writer that wants the same bytes takes the blob back inside its own
transaction, and looks that the file is still there.

Crash here → unlinked but the row still there: condemned and absent, the next pass deletes the row; a writer finds the file
absent and writes it again.
"""

import contextlib
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


def condemn_strays(volume: Volume, *, older_than_s: float = ABANDONED_S) -> int:
    """Condemn blobs no row knows, written long ago for a write that never came; returns how many.

    Whoever still wants one takes it back from the condemned, as any other. Blocks for one commit a batch.
    """
    before_s = time.time() - older_than_s
    strays: list[tuple[bytes, int]] = []
    for blob in volume.blobs.all_hashes():
        with contextlib.suppress(FileNotFoundError):  # collected since it was listed
            status = volume.blobs.path(blob).stat()
            if status.st_mtime < before_s and not _is_known(volume, blob):
                strays.append((blob, status.st_size))
    for start in range(0, len(strays), BATCH):
        batch = strays[start : start + BATCH]
        volume.queue.submit("condemn", lambda txn, batch=batch: _condemn(txn, batch), durable=False).result()  # type: ignore[misc]
    return len(strays)


def _is_known(volume: Volume, blob: bytes) -> bool:
    with volume.snapshot() as view:
        return bool(view.execute("SELECT 1 FROM blob WHERE hash=?", (blob,)).fetchall())


def _condemn(txn: Transaction, strays: list[tuple[bytes, int]]) -> None:
    for blob, size_bytes in strays:
        txn.execute("INSERT OR IGNORE INTO blob VALUES(?, ?, ?)", (blob, size_bytes, txn.now_ns))


def sweep_incoming(volume: Volume, *, older_than_s: float = ABANDONED_S) -> int:
    """Remove temporary files that a crash left; returns how many."""
    abandoned = volume.blobs.abandoned(older_than_s, time.time())
    for file in abandoned:
        file.unlink(missing_ok=True)
    return len(abandoned)
