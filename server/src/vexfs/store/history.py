"""The history window: deleting versions that no revision inside the window shows, and the log rows that tell of them.

Called by the maintenance thread. Trimming is driven by the log: each row names what it changed, so only those rows are
visited. One slice is one transaction of at most SLICE_REVISIONS revisions, in the writer's turn for a few milliseconds.

Crash here → floor and deletions commit together: either the slice is trimmed and its revisions refused, or neither.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from vexfs.core import types
from vexfs.core.types import Change, LogRecord
from vexfs.store import content, log, reader, versioned
from vexfs.store.log import Executes
from vexfs.store.writer import Transaction

SLICE_REVISIONS = 200
_FIXED_SLACK_BYTES = 64 * 1024 * 1024
_NODE_OVERHEAD_BYTES = 1024
_NO_CHANGES = log.pack([])


@dataclass(frozen=True, slots=True)
class Window:
    """How much of the past is kept: what is younger than `age_ns`, unless that is more than `bytes_ratio` of the live bytes."""

    age_ns: int = 7 * 24 * 3600 * 1_000_000_000
    bytes_ratio: float = 0.2


def floor(view: Executes) -> int:
    """The oldest revision that can still be shown."""
    return int(view.execute("SELECT value FROM meta WHERE key='history_floor'").fetchall()[0][0])


def target_floor(view: "reader.Snapshot", window: Window, *, now_ns: int) -> int:
    """The revision up to which the past is outside the window; the current floor when nothing is."""
    lowest = floor(view)
    young = "SELECT revision FROM log WHERE time_ns>=? ORDER BY revision LIMIT 1"
    first_young = next((int(row[0]) for row in view.execute(young, (now_ns - window.age_ns,))), view.revision + 1)
    target = max(lowest, first_young - 1)
    past_bytes = _past_beyond_its_share(view, window)
    if past_bytes:
        # Slowly, so that what was deleted by mistake can be had back for a while; not where the disk is running full for it.
        divisor = 10 if past_bytes < view.blobs.free_bytes() else 2
        target = max(target, lowest + max(1, (view.revision - lowest) // divisor))
    # Rows of earlier trims hold no changes: trimming only those would gain nothing and add a row of its own, for ever.
    gain = view.execute("SELECT 1 FROM log WHERE revision<=? AND changes<>? LIMIT 1", (target, _NO_CHANGES)).fetchall()
    return min(target, view.revision) if gain else lowest


def _past_beyond_its_share(view: Executes, window: Window) -> int:
    """How many bytes the past takes, when that is more than its share; 0 otherwise."""
    pages, free, page_bytes = (
        view.execute(f"PRAGMA {name}").fetchall()[0][0] for name in ("page_count", "freelist_count", "page_size")
    )
    blobs = view.execute("SELECT total(size_bytes) FROM blob WHERE condemned_ns IS NULL").fetchall()[0][0]
    files, file_bytes = view.execute("SELECT count(*), total(size_bytes-hole_bytes) FROM node").fetchall()[0]
    stored = (pages - free) * page_bytes + blobs
    live = file_bytes + files * _NODE_OVERHEAD_BYTES + _FIXED_SLACK_BYTES
    if stored <= live * (1 + window.bytes_ratio):
        return 0
    vectors = view.execute(
        "SELECT total(length(data)) FROM vector v WHERE born=(SELECT max(born) FROM vector WHERE ino=v.ino AND name=v.name)"
    ).fetchall()[0][0]
    # A vector's row stands once in its table and twice in indexes; metadata is small beside it.
    live += 1.3 * vectors
    return int(stored - live) if stored > live * (1 + window.bytes_ratio) else 0


def trim_slice(txn: Transaction, target: int) -> int:
    """Move the floor towards `target` by one slice; returns the new floor."""
    lowest = floor(txn)
    records = log.read(txn, after=lowest, limit=SLICE_REVISIONS)
    if not records:
        return lowest
    new_floor = _end_of_commit(txn, records[-1].revision)
    if new_floor > target:
        new_floor = log.newest_shown(txn, target)
    records = log.read(txn, after=lowest, limit=new_floor - lowest)
    if not records:
        return lowest
    blobs = _trim_changes(txn, _distinct(records), new_floor)
    content.condemn_unreferenced(txn, blobs, now_ns=time.time_ns())
    txn.execute("DELETE FROM log WHERE revision<=?", (new_floor,))
    txn.execute("UPDATE meta SET value=? WHERE key='history_floor'", (new_floor,))
    return new_floor


def _end_of_commit(view: Executes, revision: int) -> int:
    """The first revision from `revision` on that can be shown: a floor inside a commit could not."""
    # `base` never falls as revisions rise, so the first row found has the lowest one.
    sql = "SELECT base FROM log WHERE revision>? AND base>=? ORDER BY revision LIMIT 1"
    for (base,) in view.execute(sql, (revision, revision)):
        return int(base)
    return log.head(view)


def _distinct(records: Iterable[LogRecord]) -> list[Change]:
    return list(dict.fromkeys(change for record in records for change in record.changes))


def _trim_changes(txn: Transaction, changes: list[Change], new_floor: int) -> set[bytes]:
    """Delete what is invisible from `new_floor` on; returns the blobs that lost an extent."""
    removed = {change.ino for change in changes if change.kind == types.CHANGE_NODE_REMOVED}
    blobs: set[bytes] = set()
    for ino in removed:
        blobs.update(_forget_file(txn, ino))
    touched: set[int] = set()
    for change in changes:
        if change.kind in (types.CHANGE_ENTRY_ADDED, types.CHANGE_ENTRY_REMOVED):
            txn.execute(
                "DELETE FROM dentry_history WHERE parent=? AND name=? AND died<=?", (change.parent, change.name, new_floor)
            )
            touched.add(change.parent)
        touched.add(change.ino)
    for ino in touched:
        txn.execute("DELETE FROM node_history WHERE ino=? AND died<=?", (ino, new_floor))
    for kind, trim in _TRIMMERS.items():
        for ino in {change.ino for change in changes if change.kind == kind} - removed:
            blobs.update(trim(txn, ino, new_floor))
    return blobs


def _forget_file(txn: Transaction, ino: int) -> list[bytes]:
    versioned.forget(txn, ino)
    txn.execute("DELETE FROM symlink WHERE ino=?", (ino,))
    return content.forget(txn, ino)


def _trim_xattrs(txn: Transaction, ino: int, new_floor: int) -> Iterable[bytes]:
    txn.execute(
        "DELETE FROM xattr WHERE ino=?1"
        " AND born<(SELECT max(born) FROM xattr x WHERE x.ino=?1 AND x.name=xattr.name AND x.born<=?2)",
        (ino, new_floor),
    )
    txn.execute("DELETE FROM xattr WHERE ino=? AND born<=? AND value IS NULL", (ino, new_floor))
    return ()


def _trim_metadata(txn: Transaction, ino: int, new_floor: int) -> Iterable[bytes]:
    newest = "(SELECT max(born) FROM metadata WHERE ino=?1 AND born<=?2)"
    txn.execute(f"DELETE FROM metadata WHERE ino=?1 AND born<{newest}", (ino, new_floor))
    txn.execute("DELETE FROM metadata WHERE ino=? AND born<=? AND json IS NULL", (ino, new_floor))
    return ()


def _trim_vectors(txn: Transaction, ino: int, new_floor: int) -> Iterable[bytes]:
    txn.execute(
        "DELETE FROM vector WHERE ino=?1"
        " AND born<(SELECT max(born) FROM vector x WHERE x.ino=?1 AND x.name=vector.name AND x.born<=?2)",
        (ino, new_floor),
    )
    txn.execute("DELETE FROM vector WHERE ino=? AND born<=? AND data IS NULL", (ino, new_floor))
    return ()


def _trim_schema(txn: Transaction, ino: int, new_floor: int) -> Iterable[bytes]:
    newest = "(SELECT max(born) FROM collection WHERE ino=?1 AND born<=?2)"
    txn.execute(f"DELETE FROM collection WHERE ino=?1 AND born<{newest}", (ino, new_floor))
    txn.execute("DELETE FROM collection WHERE ino=? AND born<=? AND schema IS NULL", (ino, new_floor))
    return ()


def _trim_content(txn: Transaction, ino: int, new_floor: int) -> Iterable[bytes]:
    return content.trim(txn, ino, new_floor)


_TRIMMERS = {
    types.CHANGE_XATTR: _trim_xattrs,
    types.CHANGE_METADATA: _trim_metadata,
    types.CHANGE_VECTORS: _trim_vectors,
    types.CHANGE_COLLECTION: _trim_schema,
    types.CHANGE_CONTENT: _trim_content,
    types.CHANGE_STORED: _trim_content,
}
