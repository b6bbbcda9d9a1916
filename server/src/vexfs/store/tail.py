"""Following the log: what has happened since a revision, and waiting for more.

One LogTail a Volume, with one thread that listens to the doorbell and polls as a safety net. Any thread may read, wait or
subscribe. Never writes.
"""

import logging
import threading
import time
from collections.abc import Callable

from vexfs.core.types import LogRecord, Revision
from vexfs.store import log
from vexfs.store.doorbell import Doorbell
from vexfs.store.reader import SnapshotPool

logger = logging.getLogger(__name__)

POLL_S = 0.25
"""How late a lost ring is made up for."""
REST_S = 0.015
REST_MAX_S = 0.03
"""Between two looks at the log, and between those of a long burst. A single commit is heard of at once; waking the listeners
for each of a burst took a tenth of a mount's time while it created files on one core, beside what they did with it."""


class LogTail:
    def __init__(self, pool: SnapshotPool, doorbell: Doorbell, name: str) -> None:
        self._pool = pool
        self._doorbell = doorbell
        self._moved = threading.Condition()
        self._subscribers: list[Callable[[Revision], None]] = []
        self._closing = False
        with pool.snapshot() as view:
            self._head = view.revision
        self._thread = threading.Thread(target=self._listen, name=f"vexfs-tail-{name}", daemon=True)
        self._thread.start()

    def head(self) -> Revision:
        """The newest revision heard of: at most one poll interval behind the log, usually under a millisecond."""
        return self._head

    def read(self, after: int, limit: int = 1000) -> list[LogRecord]:
        """Up to `limit` records above revision `after`, in order."""
        with self._pool.snapshot() as view:
            return log.read(view, after=after, limit=limit)

    def oldest(self) -> int:
        """The lowest revision `after` from which the log can still be followed without a gap."""
        with self._pool.snapshot() as view:
            return int(view.execute("SELECT value FROM meta WHERE key='history_floor'").fetchall()[0][0])

    def wait(self, after: int, timeout_s: float) -> bool:
        """Wait until the log holds a revision above `after`; False when the time is over (or the volume closes) before."""
        deadline = time.monotonic() + timeout_s
        with self._moved:
            while self._head <= after and not self._closing:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return False
                self._moved.wait(remaining)
            return self._head > after

    def subscribe(self, callback: Callable[[Revision], None]) -> Callable[[], None]:
        """Call `callback(head)` from the tail's or the writer's thread whenever the log grew; returns the way to stop that.

        The callback must be quick and must not raise (an asyncio loop passes `call_soon_threadsafe`).
        """
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def moved_to(self, head: Revision) -> None:
        """The log has grown to `head`: called by this opening's writer after its commit, and by the listening thread."""
        with self._moved:
            if head <= self._head:
                return
            self._head = head
            self._moved.notify_all()
        for callback in tuple(self._subscribers):
            callback(head)

    def _listen(self) -> None:
        rest_s = REST_S
        while not self._closing:
            began = time.monotonic()
            self._doorbell.wait(POLL_S)
            if self._closing:
                return
            rest_s = REST_MAX_S if time.monotonic() - began < REST_S else REST_S  # it rang while we rested, or soon after
            try:
                with self._pool.snapshot() as view:
                    head = view.revision
                self.moved_to(head)
                time.sleep(rest_s)
            except Exception:
                logger.exception("the log could not be read; trying again")
                time.sleep(POLL_S)

    def close(self) -> None:
        """Idempotent; wakes whoever waits."""
        with self._moved:
            self._closing = True
            self._moved.notify_all()
        self._doorbell.ring_self()
        self._thread.join(timeout=2)
