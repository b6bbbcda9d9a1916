"""Marks of log records in `derived.db`: does it tell of the history that the volume has?

A power cut can take the volume back and leave `derived.db`; the volume then gives the same revisions to other changes. So the
indexer keeps, with its positions, what tells the newest records that it has read and seen; it looks for them when it starts,
and the API before it believes a position. Stateless; reads short snapshots.
"""

from vexfs.core.types import LogRecord
from vexfs.store.volume import Volume


def mark_of(record: LogRecord) -> str:
    """What tells a record from one of another history with the same revision."""
    return f"{record.revision}:{record.origin}:{record.time_ns}"


def holds(volume: Volume, revision: int, mark: str | None) -> bool:
    """Whether the volume's log has the marked record at the revision; of one that was trimmed nobody can tell."""
    if revision > volume.head():
        return False
    records = volume.tail.read(revision - 1, 1) if revision else []
    return not records or records[0].revision != revision or mark is None or mark == mark_of(records[0])
