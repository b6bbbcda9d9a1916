"""The volume's housekeeping: checkpoints, the history window, blob collection, compaction, old request results, files without
a name.

Owned by the indexer process. Two threads: the Checkpointer's and one that does the rest in small slices, each its own
short turn, so that it never holds up a writer. Never serves requests.
"""

import logging
import threading
import time
from dataclasses import dataclass, field

from vexfs.core.errors import VexfsError
from vexfs.core.types import CHANGE_CONTENT, Ino
from vexfs.store import collect, compact, history, orphans, requests
from vexfs.store.checkpoint import Checkpointer
from vexfs.store.history import Window
from vexfs.store.volume import Volume

logger = logging.getLogger(__name__)

COMPACT_QUIET_S = 10.0
"""A file is compacted when nobody wrote it for this long."""
_COMPACT_CANDIDATES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Settings:
    """How often and how much; the defaults are what `vexfs serve` uses."""

    interval_s: float = 5.0
    window: Window = field(default_factory=Window)
    window_interval_s: float = 60.0
    blob_grace_ns: int = collect.GRACE_NS
    sweep_interval_s: float = 24 * 3600.0
    abandoned_s: float = collect.ABANDONED_S


class Maintenance:
    """See the module. `start`, then `close` before the volume closes."""

    def __init__(self, volume: Volume, settings: Settings | None = None) -> None:
        self._volume = volume
        self._settings = settings or Settings()
        self._stop = threading.Event()
        self._checkpointer = Checkpointer(volume.folder, volume.database, volume.tail)
        self._thread = threading.Thread(target=self._run, name="vexfs-maintenance", daemon=True)
        self._seen = volume.tail.head()
        self._written: dict[int, float] = {}
        self._window_due = 0.0
        self._sweep_due = 0.0

    def start(self) -> None:
        self._checkpointer.start()
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(self._settings.interval_s):
            try:
                self.run_once()
            except (VexfsError, OSError):
                logger.exception("maintenance failed; trying again")

    def run_once(self) -> None:
        """One round of everything that is due. Blocks for several short turns."""
        now = time.monotonic()
        self._note_written(now)  # before the trim takes the log rows that tell of it
        if now >= self._window_due:
            self._window_due = now + self._settings.window_interval_s
            self.trim()
            self._expire_requests()
            orphans.sweep(self._volume)
        if now >= self._sweep_due:
            self._sweep_due = now + self._settings.sweep_interval_s
            collect.sweep_incoming(self._volume, older_than_s=self._settings.abandoned_s)
            collect.condemn_strays(self._volume, older_than_s=self._settings.abandoned_s)
        while collect.collect(self._volume, grace_ns=self._settings.blob_grace_ns) and not self._stop.is_set():
            pass
        self._compact(now)

    def trim(self) -> int:
        """Trim what is outside the window; returns the new floor."""
        with self._volume.snapshot() as view:
            lowest = history.floor(view)
            target = history.target_floor(view, self._settings.window, now_ns=time.time_ns())
        while lowest < target and not self._stop.is_set():
            trimmed = (
                self._volume.queue.submit("trim", lambda txn: history.trim_slice(txn, target), durable=False).result().value
            )
            if trimmed is None or trimmed <= lowest:
                break
            lowest = trimmed
        return lowest

    def _expire_requests(self) -> None:
        now_ns = time.time_ns()
        with self._volume.snapshot() as view:
            sql = "SELECT 1 FROM request WHERE time_ns<? LIMIT 1"
            due = view.execute(sql, (now_ns - requests.KEPT_NS,)).fetchall()
        if due:
            self._volume.queue.submit("expire", lambda txn: requests.expire(txn, now_ns=now_ns), durable=False).result()

    def _note_written(self, now: float) -> None:
        for record in self._volume.tail.read(self._seen):
            self._seen = record.revision
            for change in record.changes:
                if change.kind == CHANGE_CONTENT and len(self._written) < _COMPACT_CANDIDATES_MAX:
                    self._written[change.ino] = now

    def _compact(self, now: float) -> None:
        quiet = [ino for ino, written in self._written.items() if now - written >= COMPACT_QUIET_S]
        for ino in quiet:
            del self._written[ino]
            if self._stop.is_set():
                return
            compact.compact(self._volume, Ino(ino))

    def close(self) -> None:
        """Stop both threads; idempotent."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._checkpointer.close()
