"""One opened volume: the parts of the store put together, and their life.

The entry to the store for core, views and surfaces. A process opens a volume once per role; each opening has its own locks,
connections, threads (tail, syncer, stalls, write queue when used) and a random origin that marks its log records. Thread-safe
but for `writer`.
"""

import contextlib
import os
import secrets
import threading
from pathlib import Path

import apsw

from vexfs.core.errors import NotFound, NotSupported, Unavailable, VexfsError
from vexfs.core.types import Revision
from vexfs.store import schema, sqlite
from vexfs.store.blobs import BlobFolder, sync_folder
from vexfs.store.doorbell import Doorbell
from vexfs.store.durability import Syncer
from vexfs.store.openings import OpenElsewhere
from vexfs.store.queue import WriteQueue
from vexfs.store.reader import Snapshot, SnapshotPool, TellingPool
from vexfs.store.stalls import Stalls
from vexfs.store.tail import LogTail
from vexfs.store.turn import Turn
from vexfs.store.writer import Writer

DATABASE = "vexfs.db"


class Volume:
    """See the module. Use `Volume.open`."""

    def __init__(self, folder: Path, role: str, *, read_only: bool = False) -> None:
        self.folder = folder
        self.role = role
        self.read_only = read_only
        self.origin = secrets.randbits(62)
        self.database = folder / DATABASE
        self.blobs = BlobFolder(folder / "blobs")
        self.turn = Turn(folder)
        self._closed = False
        self._opening = threading.Lock()
        self._writer: Writer | None = None
        self._queue: WriteQueue | None = None
        with contextlib.ExitStack() as undo:
            undo.callback(self.turn.close)
            if not read_only:
                self._prepare_database()
            telling = TellingPool(self.database, self.blobs) if read_only else None
            self._pool = telling or SnapshotPool(self.database, self.blobs)
            undo.callback(self._pool.close)
            self._doorbell = Doorbell(folder, self.origin)
            undo.callback(self._doorbell.close)
            self.tail = LogTail(self._pool, self._doorbell, role)
            undo.callback(self.tail.close)
            if telling is not None:
                telling.tell = self.tail.moved_to
            self.syncer = Syncer(self.database, role, self._fail)
            undo.callback(self.syncer.close)
            self.stalls = Stalls(role)
            undo.callback(self.stalls.close)
            self.stalls.watch("the disk makes the write-ahead log durable", lambda: self.syncer.began_s)
            self._parts = undo.pop_all()

    @classmethod
    def open(cls, folder: Path, role: str, *, create: bool = False, read_only: bool = False) -> "Volume":
        """Open the volume in `folder`; `role` names the opening in logs ("api", "mount", "indexer", "check" …).

        With `create` an absent one is made. With `read_only` it is opened beside a process that has prepared it: this opening
        waits for no turn, writes nothing and hears of the log from its snapshots, too. Raises NotFound without `create`,
        FormatTooNew, UnsafeSqlite, DataLoss for what is no database (any more), VolumeFull.
        """
        sqlite.refuse_unsafe_library()
        if not (folder / DATABASE).exists():
            if not create:
                raise NotFound(f"there is no volume in {folder}: start `vexfs serve` once to make one", path=str(folder))
            _make_folder(folder)
        return cls(folder, role, read_only=read_only)

    def _prepare_database(self) -> None:
        """Create or migrate inside the turn, so that two processes starting together do it once."""
        self.turn.take()
        try:
            self.blobs.prepare()
            connection = sqlite.connect(self.database, create=True)
            try:
                if schema.format_of(connection) != schema.FORMAT:
                    schema.migrate(connection, uid=os.getuid(), gid=os.getgid())
            finally:
                connection.close()
        except apsw.Error as error:
            raise sqlite.translate(error) from error
        finally:
            self.turn.leave()

    def snapshot(self, at_revision: int | None = None) -> Snapshot:
        """A consistent view for reading, now or as of a revision inside the history window (else RevisionNotAvailable).

        A context manager; keep it under a second. Raises Unavailable once the volume is closed.
        """
        return self._pool.snapshot(at_revision)

    def head(self) -> Revision:
        """The newest committed revision, read from the log itself."""
        with self.snapshot() as view:
            return view.revision

    @property
    def writer(self) -> Writer:
        """The writing connection, for a process that groups by itself (the mount); not together with `queue`.

        Raises Unavailable once the volume is closed.
        """
        return self._writer or self._open_writer()

    @property
    def queue(self) -> WriteQueue:
        """The write queue, started at its first use; it owns `writer` from then on. Raises Unavailable as `writer`."""
        return self._queue or self._open_queue()

    def _open_writer(self) -> Writer:
        with self._opening:
            if self._closed:
                raise Unavailable("the volume is closed")
            if self.read_only:
                raise NotSupported("this process opened the volume to read only")
            if self._writer is None:
                writer = Writer(
                    sqlite.connect(self.database),
                    self.turn,
                    self.blobs,
                    OpenElsewhere(self.folder, self.origin),
                    origin=self.origin,
                    coalesce=self.role == "mount",
                    on_commit=self._committed,
                )
                self.stalls.watch("waiting for the turn to write, which another process has", lambda: writer.asked_s)
                self._writer = writer
            return self._writer

    def _open_queue(self) -> WriteQueue:
        writer = self.writer
        with self._opening:
            if self._closed:
                raise Unavailable("the volume is closed")
            if self._queue is None:
                self._queue = WriteQueue(writer, self.syncer, self.role)
            return self._queue

    def _committed(self, head: Revision) -> None:
        self._doorbell.ring()
        self.tail.moved_to(head)

    def _fail(self, error: VexfsError) -> None:
        if self._writer is not None:
            self._writer.fail(error)

    @property
    def failure(self) -> VexfsError | None:
        """Why this opening takes no writes, or None."""
        return None if self._writer is None else self._writer.failure

    def close(self) -> None:
        """Finish the queue, commit and sync what is open, stop the threads. Idempotent.

        Raises what the last commit or sync raised; everything is closed then, too.
        """
        with self._opening:
            if self._closed:
                return
            self._closed = True
        with self._parts:
            if self._queue is not None:
                self._queue.close()
            if self._writer is not None:
                self._close_writer(self._writer)

    def _close_writer(self, writer: Writer) -> None:
        try:
            if writer.failure is None and writer.commit() is not None:
                self.syncer.sync().result()
        finally:
            writer.close()

    def __enter__(self) -> "Volume":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _make_folder(folder: Path) -> None:
    """Make a volume's folder and the one above, durably, also where they exist: who made them may not have lived to sync."""
    for made in (*reversed(folder.parents), folder):
        if not made.is_dir():
            made.mkdir(mode=0o700, exist_ok=True)
    for made in (folder, folder.parent):
        sync_folder(made.parent)
