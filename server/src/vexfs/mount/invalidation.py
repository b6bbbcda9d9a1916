"""Telling the kernel what changed without it: the log's records of other processes, and lost groups.

One Invalidator a mount, with a thread of its own: a notification takes locks that a request waiting for the loop may hold, so
the loop must never wait for one. The log itself is the queue: records are read in pages, this mount's own skipped, and a
reader that falls far behind, or behind the log's tail, makes the kernel look everything up again instead. What the loop asks
for goes through a bounded list with the same way out.
"""

import contextlib
import errno
import logging
import threading
from collections import deque
from collections.abc import Callable

from vexfs.core.errors import VexfsError
from vexfs.core.types import (
    CHANGE_CONTENT,
    CHANGE_ENTRY_ADDED,
    CHANGE_ENTRY_REMOVED,
    CHANGE_NODE,
    CHANGE_NODE_REMOVED,
    LogRecord,
    Revision,
)
from vexfs.mount.session import Session
from vexfs.store import nodes
from vexfs.store.volume import Volume

logger = logging.getLogger(__name__)

PAGE_RECORDS = 500
BEHIND_MAX = 20_000
"""Records behind the head from which on everything is looked up again instead of one by one."""
ASKED_MAX = 10_000
_RETRY_S = 0.25
_NAMES = (CHANGE_ENTRY_ADDED, CHANGE_ENTRY_REMOVED, CHANGE_NODE_REMOVED)


class Invalidator:
    """See the module. `mark_stale(ino)` tells the mount's own table that others changed a file's content; None asks for all.
    `mark_nameless(ino)` tells it that others took a file's last name and kept the file, as it may be open here.
    """

    def __init__(
        self,
        volume: Volume,
        session: Session,
        mark_stale: Callable[[int | None], None],
        mark_nameless: Callable[[int], None],
    ) -> None:
        self._volume = volume
        self._session = session
        self._mark_stale = mark_stale
        self._mark_nameless = mark_nameless
        self._position = int(volume.head())
        self._own: deque[tuple[int, int]] = deque()
        self._own_lock = threading.Lock()
        self._asked: deque[Callable[[], object]] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._loop_thread = threading.get_ident()
        self._awaited: list[tuple[int, Callable[[], object]]] = []
        #: Content born in (from, to] may be cached stale by the kernel: no KEEP_CACHE for it at the next open.
        self.uncertain: tuple[int, int] = (0, 0)
        self._unsubscribe = volume.tail.subscribe(self._moved)
        self._thread = threading.Thread(target=self._run, name="vexfs-invalidation", daemon=True)

    def start(self) -> None:
        self._thread.start()

    # -- from the loop ---------------------------------------------------------------------------------

    def skip_own(self, base: int, head: int) -> None:
        """The records in (base, head] are this mount's: they need not even be read."""
        with self._own_lock:
            known = self._own[-1][1] if self._own else self._position
            if self._own and known == base:
                base = self._own.pop()[0]
            self._own.append((base, head))
        if known < base:
            # Others committed just before, and the tail may never tell: by the time it looks, the head is this commit.
            self._wake.set()

    def has_told(self, revision: int) -> bool:
        """Whether the kernel has heard of everything up to that revision that was not its own doing."""
        with self._own_lock:
            position = self._position
            for base, head in self._own:
                if base > position:
                    break
                position = max(position, head)
        return position >= revision

    def when_told(self, revision: int, work: Callable[[], object]) -> None:
        """Run `work` in the thread once `has_told`; the log is committed up to that revision."""
        with self._own_lock:
            self._awaited.append((revision, work))
        self._volume.tail.moved_to(Revision(revision))
        self._wake.set()

    def forget_inode(self, ino: int) -> None:
        """Have the kernel drop a file's attributes and pages."""
        self._ask(lambda: self._session.invalidate_inode(ino, content=True))

    def forget_entry(self, parent: int, name: bytes) -> None:
        """Have the kernel drop a name."""
        self._ask(lambda: self._session.invalidate_entry(parent, name))

    def _ask(self, notify: Callable[[], object]) -> None:
        if len(self._asked) >= ASKED_MAX:
            self._asked.clear()
            self._asked.append(lambda: self._forget_everything(0))
        else:
            self._asked.append(notify)
        self._wake.set()

    # -- the thread ------------------------------------------------------------------------------------

    def _moved(self, _head: Revision) -> None:
        """Called in the loop's thread after its own commits, which are no news, else in the tail's."""
        if threading.get_ident() != self._loop_thread:
            self._wake.set()

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait()
            self._wake.clear()
            try:
                self._work()
                self._tell_who_waits()
            except Exception:
                logger.exception("invalidation failed; trying again")
                self._wake.wait(_RETRY_S)
                self._wake.set()

    def _work(self) -> None:
        while self._asked and not self._closing:
            self._asked.popleft()()
        while not self._closing:
            self._skip()
            head = int(self._volume.tail.head())
            if head <= self._position:
                return
            records = [] if head - self._position > BEHIND_MAX else self._volume.tail.read(self._position, PAGE_RECORDS)
            if not records or records[0].revision != self._position + 1:  # too far behind, even behind the log's tail
                self._forget_everything(head)
                continue
            for record in records:
                if record.origin != self._volume.origin:
                    self._announce(record)
                self._position = int(record.revision)

    def _tell_who_waits(self) -> None:
        with self._own_lock:
            ready = [work for revision, work in self._awaited if revision <= self._position]
            self._awaited = [awaited for awaited in self._awaited if awaited[0] > self._position]
        for work in ready:
            work()

    def _skip(self) -> None:
        """Move over ranges of own records that begin where we stand."""
        with self._own_lock:
            while self._own and self._own[0][0] <= self._position:
                self._position = max(self._position, self._own.popleft()[1])

    def _announce(self, record: LogRecord) -> None:
        nameless = self._nameless(record)
        removed = nameless | {change.ino for change in record.changes if change.kind == CHANGE_NODE_REMOVED}
        parents: set[int] = set()
        for change in record.changes:
            if change.kind == CHANGE_CONTENT:
                self._mark_stale(change.ino)
                self._session.invalidate_inode(change.ino, content=True)
            elif change.kind in (CHANGE_NODE, CHANGE_NODE_REMOVED):
                self._session.invalidate_inode(change.ino, content=False)
            elif change.kind == CHANGE_ENTRY_ADDED:
                parents.add(change.parent)
                self._session.invalidate_entry(change.parent, change.name)
            elif change.kind == CHANGE_ENTRY_REMOVED:
                parents.add(change.parent)
                self._session.invalidate_inode(change.ino, content=False)
                self._remove_entry(change.parent, change.name, change.ino if change.ino in removed else 0)
        for parent in parents:
            self._session.invalidate_inode(parent, content=True)
        for ino in nameless:  # last: who opens it from here on knows that it has no name
            self._mark_nameless(ino)

    def _nameless(self, record: LogRecord) -> set[int]:
        """Files that lost their last name and are kept, for whom has them open."""
        inos = {kind: {change.ino for change in record.changes if change.kind == kind} for kind in _NAMES}
        lost = inos[CHANGE_ENTRY_REMOVED] - inos[CHANGE_ENTRY_ADDED] - inos[CHANGE_NODE_REMOVED]
        if not lost:
            return lost
        with self._volume.snapshot() as view:
            return {ino for ino, node in nodes.get_many(view, list(lost)).items() if node.nlink == 0}

    def _remove_entry(self, parent: int, name: bytes, gone: int) -> None:
        """A deletion can be watched (inotify); a name whose file lives on elsewhere is only forgotten."""
        if gone and self._session.delete_entry(parent, gone, name) in (0, errno.ENOENT):
            return
        self._session.invalidate_entry(parent, name)

    def _forget_everything(self, head: int) -> None:
        """Too far behind: every name is looked up again, open files are read again."""
        head = head or int(self._volume.tail.head())
        logger.warning("the kernel's cache is dropped as a whole", extra={"behind": head - self._position})
        self.uncertain = (min(self._position, self.uncertain[0] or self._position), head)
        self._mark_stale(None)
        if not self._session.new_epoch():
            logger.warning("this kernel cannot drop all names at once; stale names may last until they expire")
        with self._volume.snapshot() as view:
            nameless = nodes.orphans(view)
        for ino, _ in nameless:
            self._mark_nameless(ino)
        self._position = max(self._position, head)

    def close(self, timeout_s: float = 1.0) -> bool:
        """Stop the thread; idempotent. False when the kernel still holds a notification up after the time.

        A notification about a page that programs have changed in a mapping waits, unkillably, until the loop has taken that
        page: a process that ended meanwhile would stay for ever, and whoever waits for its mount with it.
        """
        self._closing = True
        self._wake.set()
        with contextlib.suppress(ValueError, VexfsError):
            self._unsubscribe()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()
