"""One opened volume: the parts of the store put together, and their life.

The entry to the store for core, views and surfaces. A process opens a volume once per role; each opening has its own locks,
connections, threads (tail, syncer, write queue when used) and a random origin that marks its log records. Thread-safe but
for `writer`.
"""

import os
import secrets
from functools import cached_property
from pathlib import Path

from vexfs.core.errors import NotFound, VexfsError
from vexfs.core.types import Revision
from vexfs.store import schema, sqlite
from vexfs.store.blobs import BlobFolder, sync_folder
from vexfs.store.doorbell import Doorbell
from vexfs.store.durability import Syncer
from vexfs.store.queue import WriteQueue
from vexfs.store.reader import Snapshot, SnapshotPool
from vexfs.store.tail import LogTail
from vexfs.store.turn import Turn
from vexfs.store.writer import Writer

DATABASE = "vexfs.db"


class Volume:
    """See the module. Use `Volume.open`."""

    def __init__(self, folder: Path, role: str) -> None:
        self.folder = folder
        self.role = role
        self.origin = secrets.randbits(62)
        self.database = folder / DATABASE
        self.blobs = BlobFolder(folder / "blobs")
        self.turn = Turn(folder)
        self._closed = False
        self._doorbell: Doorbell | None = None
        self._prepare_database()
        self._pool = SnapshotPool(self.database, self.blobs)
        self._doorbell = Doorbell(folder, self.origin)
        self.tail = LogTail(self._pool, self._doorbell, role)
        self.syncer = Syncer(self.database, role, self._fail)

    @classmethod
    def open(cls, folder: Path, role: str, *, create: bool = False) -> "Volume":
        """Open the volume in `folder`; `role` names the opening in logs ("api", "mount", "indexer", "check" …).

        With `create` an absent one is made. Raises NotFound without it, FormatTooNew, UnsafeSqlite.
        """
        sqlite.refuse_unsafe_library()
        if not (folder / DATABASE).exists():
            if not create:
                raise NotFound(f"there is no volume in {folder}: start `vexfs serve` once to make one", path=str(folder))
            _make_folder(folder)
        return cls(folder, role)

    def _prepare_database(self) -> None:
        """Create or migrate inside the turn, so that two processes starting together do it once."""
        self.turn.take()
        try:
            self.blobs.prepare()
            connection = sqlite.connect(self.database, create=True)
            try:
                if schema.format_of(connection) != schema.FORMAT:
                    schema.migrate(connection, uid=os.getuid(), gid=os.getgid())
                    _sync_file_and_folder(self.database)
            finally:
                connection.close()
        finally:
            self.turn.leave()

    def snapshot(self, at_revision: int | None = None) -> Snapshot:
        """A consistent view for reading, now or as of a revision inside the history window (else RevisionNotAvailable).

        A context manager; keep it under a second.
        """
        return self._pool.snapshot(at_revision)

    def head(self) -> Revision:
        """The newest committed revision, read from the log itself."""
        with self.snapshot() as view:
            return view.revision

    @cached_property
    def writer(self) -> Writer:
        """The writing connection, for a process that groups by itself (the mount); not together with `queue`."""
        connection = sqlite.connect(self.database)
        return Writer(
            connection, self.turn, self.blobs, origin=self.origin, coalesce=self.role == "mount", on_commit=self._committed
        )

    @cached_property
    def queue(self) -> WriteQueue:
        """The write queue, started at its first use; it owns `writer` from then on."""
        return WriteQueue(self.writer, self.syncer, self.role)

    def _committed(self, head: Revision) -> None:
        assert self._doorbell is not None
        self._doorbell.ring()
        self.tail.moved_to(head)

    def _fail(self, error: VexfsError) -> None:
        if "writer" in self.__dict__:
            self.writer.fail(error)

    @property
    def failure(self) -> VexfsError | None:
        """Why this opening takes no writes, or None."""
        return self.writer.failure if "writer" in self.__dict__ else None

    def close(self) -> None:
        """Finish the queue, commit and sync what is open, stop the threads. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if "queue" in self.__dict__:
            self.queue.close()
        if "writer" in self.__dict__:
            self._close_writer()
        self.syncer.close()
        self.tail.close()
        if self._doorbell is not None:
            self._doorbell.close()
        self._pool.close()
        self.turn.close()

    def _close_writer(self) -> None:
        writer = self.writer
        if writer.failure is None and writer.commit() is not None:
            self.syncer.sync().result()
        writer.close()

    def __enter__(self) -> "Volume":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _make_folder(folder: Path) -> None:
    """Make a folder with its parents, each durable in the one above."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)


def _sync_file_and_folder(path: Path) -> None:
    """A new database is durable with its folder entry, before anything is promised on it."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    sync_folder(path.parent)
