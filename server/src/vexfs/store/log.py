"""The log's rows: how a transaction's changes are packed, and how a reader gets them in order.

Called by the writer (pack) and by everything that tails the log (read). Stateless.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from vexfs.core.types import Change, LogRecord, Revision

if TYPE_CHECKING:
    from vexfs.store.usage import Usage

APPEND = "INSERT INTO log VALUES(?, ?, ?, ?, ?, ?)"

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Change, ...]).decode


class Executes(Protocol):
    """Anything that runs a statement."""

    @property
    def execute(self) -> Callable[..., Any]: ...


class Writes(Executes, Protocol):
    """A transaction, or its writer."""

    @property
    def execute_many(self) -> Callable[..., Any]:
        """Runs a statement for each of many bindings."""

    @property
    def append(self) -> Callable[[str, tuple[Any, ...]], object]: ...

    @property
    def usage(self) -> "Usage":
        """What the volume holds, kept along with its rows."""


def pack(changes: list[Change]) -> bytes:
    """A transaction's changes as the log stores them (MessagePack)."""
    return _encode(changes)


def unpack(data: bytes) -> tuple[Change, ...]:
    return _decode(data)


def head(view: Executes) -> Revision:
    """The newest revision `view` sees; 0 for an empty volume."""
    newest = view.execute("SELECT max(revision) FROM log").fetchall()[0][0]
    if newest is None:  # empty, or trimmed to the last row
        rows = view.execute("SELECT value FROM meta WHERE key='history_floor'").fetchall()
        return Revision(rows[0][0] if rows else 0)
    return Revision(newest)


def newest_shown(view: Executes, at_revision: int) -> int:
    """The newest revision up to `at_revision` whose state was kept: itself, or the end of the commit before its own."""
    for (base,) in view.execute("SELECT base FROM log WHERE revision=?", (at_revision + 1,)):
        return min(int(base), at_revision)
    return at_revision


def read(view: Executes, *, after: int, limit: int) -> list[LogRecord]:
    """Up to `limit` records with a revision above `after`, in order."""
    rows = view.execute(
        "SELECT revision, time_ns, operation, origin, changes FROM log WHERE revision>? ORDER BY revision LIMIT ?",
        (after, limit),
    )
    return [
        LogRecord(Revision(revision), time_ns, operation, origin, unpack(changes))
        for revision, time_ns, operation, origin, changes in rows
    ]
