"""The event log: what `recorder.c` writes, read back in order.

Called by the replayer and the tests. The two files agree on `_HEADER` and `Kind`.
"""

import enum
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_HEADER = struct.Struct("=IIQqIIQ")


class Kind(enum.IntEnum):
    CREATE = 1
    WRITE = 2
    TRUNCATE = 3
    SYNC_BEGIN = 4
    SYNC_END = 5
    RENAME = 6
    UNLINK = 7
    LINK = 8
    MKDIR = 9
    RMDIR = 10
    MARK = 11
    UNSOUND = 12
    EXCHANGE = 13


class Event(NamedTuple):
    """One finished call (a sync is two), in the order the processes saw them happen."""

    kind: Kind
    thread: int
    ino: int
    offset: int
    """Of a write; of a truncate the new size."""
    path: str
    """Relative to the root."""
    other: str
    """The new path of a rename or link."""
    data: bytes


class UnsoundLog(Exception):
    """The recorded program changed its files in a way the log does not carry."""


def read_events(log: Path) -> list[Event]:
    """All events of a log. A last event cut off by a kill is left out: its call has not returned to anybody."""
    return list(_parse(log.read_bytes()))


def _parse(raw: bytes) -> Iterator[Event]:
    at = 0
    while at + _HEADER.size <= len(raw):
        kind, thread, ino, offset, path_size, other_size, data_size = _HEADER.unpack_from(raw, at)
        start = at + _HEADER.size
        end = start + path_size + other_size + data_size
        if end > len(raw):
            return
        path = raw[start : start + path_size].decode()
        if kind == Kind.UNSOUND:
            raise UnsoundLog(f"{path} on inode {ino}")
        other = raw[start + path_size : start + path_size + other_size].decode()
        yield Event(Kind(kind), thread, ino, offset, path, other, raw[end - data_size : end])
        at = end
