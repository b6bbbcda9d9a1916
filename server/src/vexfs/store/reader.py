"""What a reading operation needs of the store: statements, the moment it looks at, and the blobs.

`Snapshot` (a consistent view for reading) lives here; `Writer` and `Transaction` satisfy the same protocol, so that every
operation of `vexfs.core` reads alike through all three. One thread at a time uses a Snapshot.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import apsw

from vexfs.core.errors import RevisionNotAvailable, Unavailable
from vexfs.core.types import Node, Revision
from vexfs.store import log, sqlite
from vexfs.store.blobs import BlobFolder

logger = logging.getLogger(__name__)

LONG_READ_S = 1.0
"""A reader that stays longer keeps the WAL from being reset; it is named in the log."""
_IDLE_CONNECTIONS_MAX = 16


class Reader(Protocol):
    """A moment of the volume that can be asked."""

    @property
    def at_revision(self) -> int | None:
        """The past revision this view shows; None for the present."""

    @property
    def touched(self) -> Mapping[int, Node]:
        """Directories whose new times stand in memory until the group commits; they hide their rows."""

    @property
    def blobs(self) -> BlobFolder: ...

    @property
    def execute(self) -> Callable[..., Any]:
        """Runs a statement: `execute(sql, bindings)` gives an iterable cursor with `fetchall`."""


_NOTHING_TOUCHED: Mapping[int, Node] = {}


class Snapshot:
    """The volume as of one revision; a context manager. Keep it under a second: page by key instead.

    A past revision that lies inside one commit of a mount shows the state before that commit: the mount keeps one version a
    commit. An SQLite error inside the `with` leaves it as the domain error it stands for.
    """

    touched = _NOTHING_TOUCHED

    def __init__(self, pool: "SnapshotPool", connection: apsw.Connection, at_revision: int | None) -> None:
        self._pool = pool
        self._connection = connection
        self._opened = time.monotonic()
        self._closed = False
        self.blobs = pool.blobs
        self.at_revision = at_revision
        self.execute: Callable[..., Any] = connection.execute
        connection.execute("BEGIN")
        self.revision: Revision = log.head(self)
        """The newest revision this snapshot sees."""
        if at_revision is not None:
            self._check_window(at_revision)
            self.at_revision = log.newest_shown(self, at_revision)

    def _check_window(self, at_revision: int) -> None:
        floor = self.execute("SELECT value FROM meta WHERE key='history_floor'").fetchall()[0][0]
        if not floor <= at_revision <= self.revision:
            raise RevisionNotAvailable(
                f"revision {at_revision} is outside the history window: this volume can show {floor} to {self.revision}",
                oldest=str(floor),
                newest=str(self.revision),
            )

    def __enter__(self) -> "Snapshot":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
        if isinstance(error, apsw.Error):
            raise sqlite.translate(error) from error

    def close(self) -> None:
        """Give the connection back; idempotent."""
        if self._closed:
            return
        self._closed = True
        if (seconds := time.monotonic() - self._opened) > LONG_READ_S:
            logger.warning("long read", extra={"seconds": round(seconds, 3), "revision": self.revision})
        self._pool.give_back(self._connection)


class SnapshotPool:
    """Read-only connections, reused. Thread-safe."""

    def __init__(self, path: Path, blobs: BlobFolder) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._idle: list[apsw.Connection] = []
        self._closed = False
        self.blobs = blobs

    def snapshot(self, at_revision: int | None = None) -> Snapshot:
        """Raises RevisionNotAvailable, Unavailable once the volume is closed, and DataLoss when the database is damaged."""
        try:
            connection = self._take()
            try:
                return Snapshot(self, connection, at_revision)
            except BaseException:
                self.give_back(connection)
                raise
        except apsw.Error as error:
            raise sqlite.translate(error) from error

    def _take(self) -> apsw.Connection:
        with self._lock:
            if self._closed:
                raise Unavailable("the volume is closed")
            if self._idle:
                return self._idle.pop()
        return sqlite.connect(self._path, read_only=True)

    def give_back(self, connection: apsw.Connection) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        with self._lock:
            if not self._closed and len(self._idle) < _IDLE_CONNECTIONS_MAX:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


class TellingPool(SnapshotPool):
    """A pool that tells of every moment it opens, for an opening whose news all comes from other processes.

    A snapshot shows a commit as soon as it is made; its bell may be heard some 30 ms later. Whoever asks how far the log is,
    after opening a snapshot, then never hears of less than the snapshot shows.
    """

    def __init__(self, path: Path, blobs: BlobFolder) -> None:
        super().__init__(path, blobs)
        self.tell: Callable[[Revision], None] = lambda _: None
        """Called with the revision of each snapshot, in the thread that opens it."""

    def snapshot(self, at_revision: int | None = None) -> Snapshot:
        snapshot = super().snapshot(at_revision)
        self.tell(snapshot.revision)
        return snapshot
