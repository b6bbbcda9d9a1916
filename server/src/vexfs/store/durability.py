"""Making commits durable: one thread that calls fdatasync on the write-ahead log and then answers everybody who waited.

One Syncer a Volume. `sync` may be called from any thread; the futures resolve in the syncer's thread. A COMMIT with
synchronous=NORMAL writes the WAL without an fsync; a commit is durable once an fdatasync that began after it has ended. A
second descriptor of the WAL is harmless (SQLite's POSIX locks lie on the database file and `-shm`).

Crash here → before the fdatasync ended nobody was answered, so nothing promised is lost.

A failure is for good: the kernel drops the pages it could not write, so a later fdatasync would succeed without them.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from vexfs.core.errors import DataLoss, Unavailable

logger = logging.getLogger(__name__)


class Syncer:
    def __init__(self, database: Path, name: str, on_failure: Callable[[DataLoss], None]) -> None:
        self._wal = Path(f"{database}-wal")
        self._on_failure = on_failure
        self._wake = threading.Condition()
        self._waiting: list[Future[None]] = []
        self._closing = False
        self._loss: DataLoss | None = None
        self._fd = -1
        self._identity: tuple[int, int] | None = None
        #: Fdatasyncs done so far, for metrics and budgets.
        self.count = 0
        #: When the one under way began, of time.monotonic.
        self.began_s: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"vexfs-sync-{name}", daemon=True)
        self._thread.start()

    def sync(self) -> Future[None]:
        """A future that resolves when everything committed before this call is durable; DataLoss when the disk refuses.

        Raises Unavailable once the volume is closed.
        """
        future: Future[None] = Future()
        with self._wake:
            if self._closing:
                raise Unavailable("the volume is closed")
            self._waiting.append(future)
            self._wake.notify()
        return future

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting:
                    if self._closing:
                        return
                    self._wake.wait()
                group, self._waiting = self._waiting, []
            self._answer(group)

    def _answer(self, group: list[Future[None]]) -> None:
        if self._loss is None:
            try:
                self._fdatasync()
            except OSError as error:
                self._loss = DataLoss(f"the disk did not confirm the write-ahead log: {error.strerror}")
                logger.critical("fdatasync of the write-ahead log failed", exc_info=error)
                self._on_failure(self._loss)
        for future in group:
            if self._loss is None:
                future.set_result(None)
            else:
                future.set_exception(self._loss)

    def _fdatasync(self) -> None:
        """Sync the WAL file that has the name now; its name is durable since SQLite wrote its first frame."""
        try:
            status = self._wal.stat()
        except FileNotFoundError:
            return  # no WAL: the last connection that closed checkpointed it into the synced database
        identity = (status.st_dev, status.st_ino)
        if identity != self._identity:
            self._reopen(identity)
        self.began_s = time.monotonic()
        try:
            os.fdatasync(self._fd)
        finally:
            self.began_s = None
        self.count += 1

    def _reopen(self, identity: tuple[int, int]) -> None:
        fd = os.open(self._wal, os.O_RDWR | os.O_CLOEXEC)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd
        self._identity = identity

    def close(self) -> None:
        """Answer what waits, then stop; idempotent."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
