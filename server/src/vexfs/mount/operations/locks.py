"""Locks of programs, where the mounts of a volume share them: getlk, setlk, setlkw, and what closing a file frees.

Made only for a mount that shares its locks; else the kernel keeps them, each mount for itself, and none of these requests
comes. Called by the loop. Who has a lock sees what was written under the one before, on whatever mount: before a lock is freed,
what is pending of the file is in the volume, and before one is granted, the kernel has dropped what others changed.

A program that waits is asked again whenever a lock of this mount is freed, and every few milliseconds for those of others.
FUSE_INTERRUPT ends its wait. What ends a lock: the kernel tells of every close with FLUSH (POSIX locks of that process) and of
the last one of an opening with RELEASE (flock, open-file-description locks). Read-only openings are closed without FLUSH, to
save a round trip, unless the file was seen to be locked; a lock taken through one of those lasts until RELEASE, or until its
process is gone.
"""

import errno
import fcntl
import logging
import threading
import time
from typing import NamedTuple

from vexfs.mount import wire
from vexfs.mount.engine import Engine
from vexfs.mount.lock_table import FLOCK, POSIX, Key, LockTable
from vexfs.mount.requests import BODY, DONE, Answer, RequestBuffer, Table
from vexfs.mount.writeback import Writeback

logger = logging.getLogger(__name__)

WAITING_MAX = 1024
LOCKED_MAX = 4096
"""So many files are remembered as ones that programs lock."""
_POLL_S = 0.002
_POLL_MAX_S = 0.02
_TYPES = (fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK)


class _Wanted(NamedTuple):
    """A lock somebody asks for."""

    key: Key
    owner: int
    type: int
    first: int
    last: int
    pid: int
    handle: int


class LockOperations:
    def __init__(self, engine: Engine, writeback: Writeback, buffer: RequestBuffer, table: LockTable) -> None:
        self._engine = engine
        self._writeback = writeback
        self._view = buffer.view
        self._table = table
        self._next_handle = 1
        self._unflushed: set[int] = set()
        """Openings that are closed without FLUSH."""
        self._locked: dict[int, None] = {}
        """Files that programs lock, those of longest ago first."""
        self._waiting: dict[int, _Wanted] = {}
        """By the request's number, those who have waited longest first."""
        self._someone_waits = threading.Event()
        self._closing = False
        self._poller = threading.Thread(target=self._poll, name="vexfs-locks", daemon=True)
        self._poller.start()

    def table(self) -> Table:
        return {
            wire.FUSE_GETLK: self.getlk,
            wire.FUSE_SETLK: self.setlk,
            wire.FUSE_SETLKW: self.setlkw,
        }

    # -- openings, told by the other operations ------------------------------------------------------------

    def opened(self, ino: int, *, may_skip_flush: bool) -> tuple[int, bool]:
        """The number of a new opening, and whether it is to be closed with FLUSH."""
        handle = self._next_handle
        self._next_handle += 1
        flush = not may_skip_flush or ino in self._locked
        if not flush:
            self._unflushed.add(handle)
        return handle, flush

    def flushed(self, ino: int, owner: int) -> None:
        """A process has closed the file: its POSIX locks there end."""
        if self._table:
            self._free(Key(ino, POSIX), [owner])

    def released(self, ino: int, handle: int, *, flock_owner: int | None) -> None:
        """An opening is over, and with it the locks that were its own."""
        self._unflushed.discard(handle)
        if not self._table:
            return
        if flock_owner is not None:
            self._free(Key(ino, FLOCK), [flock_owner])
        self._free(Key(ino, POSIX), self._table.owners_through(Key(ino, POSIX), handle))

    def _free(self, key: Key, owners: list[int]) -> None:
        held = [owner for owner in owners if self._table.owner(key, owner) is not None]
        if held:
            self._engine.commit_quietly()
            for owner in held:
                self._table.release(key, owner)
            self._ask_again(key)

    # -- requests --------------------------------------------------------------------------------------------

    def _wanted(self, nodeid: int) -> _Wanted:
        handle, owner, first, last, kind, pid, flags = wire.fuse_lk_in.unpack_from(self._view, BODY)
        key = Key(nodeid, FLOCK if flags & wire.FUSE_LK_FLOCK else POSIX)
        return _Wanted(key, owner, kind, first, last, pid, handle)

    def getlk(self, _unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        wanted = self._wanted(nodeid)
        if wanted.type not in _TYPES or wanted.first > wanted.last:
            return -errno.EINVAL
        self._end_the_dead(wanted.key)
        found = self._table.conflict(wanted.key, wanted.owner, wanted.type, wanted.first, wanted.last)
        if found is None:
            return wire.fuse_lk_out.pack(wanted.first, wanted.last, fcntl.F_UNLCK, 0)
        return wire.fuse_lk_out.pack(found.first, found.last, found.type, found.pid)

    def setlk(self, unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        wanted = self._wanted(nodeid)
        if wanted.type not in _TYPES or wanted.first > wanted.last:
            return -errno.EINVAL
        if wanted.type == fcntl.F_UNLCK:
            return self._unlock(unique, wanted)
        try:
            return self._grant(unique) if self._try(wanted) else -errno.EAGAIN
        except OSError as error:
            logger.warning("a lock was refused", extra={"reason": str(error)})
            return -errno.ENOLCK

    def setlkw(self, unique: int, nodeid: int, end: int, uid: int, gid: int) -> Answer:
        answer = self.setlk(unique, nodeid, end, uid, gid)
        if answer != -errno.EAGAIN:
            return answer
        if len(self._waiting) >= WAITING_MAX:
            return -errno.ENOLCK
        self._waiting[unique] = self._wanted(nodeid)
        self._engine.interruptible[unique] = lambda: self._give_up(unique)
        self._someone_waits.set()
        return None

    # -- taking ------------------------------------------------------------------------------------------------

    def _try(self, wanted: _Wanted) -> bool:
        key = wanted.key
        self._locked.pop(key.ino, None)
        self._locked[key.ino] = None
        if len(self._locked) > LOCKED_MAX:
            del self._locked[next(iter(self._locked))]
        return self._take(wanted) or (self._end_the_dead(key) and self._take(wanted))

    def _take(self, wanted: _Wanted) -> bool:
        owner = self._table.lock(wanted.key, wanted.owner, wanted.type, wanted.first, wanted.last)
        if owner is None:
            return False
        owner.pid = wanted.pid
        owner.handles.add(wanted.handle)
        owner.surely_flushed = owner.surely_flushed and wanted.handle not in self._unflushed
        return True

    def _end_the_dead(self, key: Key) -> bool:
        """Free what processes left that are gone while another still has their opening; whether there was any."""
        dead = self._table.ended_owners(key)
        for owner in dead:
            self._table.release(key, owner)
        return bool(dead)

    def _grant(self, unique: int) -> Answer:
        """Answer once the kernel has heard of everything that was committed when the lock was taken."""
        head = int(self._engine.volume.head())
        invalidator = self._engine.invalidator
        if invalidator.has_told(head):
            return DONE
        invalidator.when_told(head, lambda: self._engine.session.reply(unique, DONE))
        return None

    # -- freeing -----------------------------------------------------------------------------------------------

    def _unlock(self, unique: int, wanted: _Wanted) -> Answer:
        if self._table.owner(wanted.key, wanted.owner) is None:
            return DONE
        file = self._engine.open_files.get(wanted.key.ino)

        def work() -> bytes:
            self._engine.commit_quietly()
            self._table.unlock(wanted.key, wanted.owner, wanted.first, wanted.last)
            self._ask_again(wanted.key)
            return DONE

        if file is None or self._writeback.settle([file], lambda: self._engine.answer_with(unique, work)):
            return work()
        return None

    # -- waiting -------------------------------------------------------------------------------------------------

    def _ask_again(self, key: Key | None = None) -> None:
        """See who of those who wait for a file, or for any, can have it now."""
        for unique, wanted in list(self._waiting.items()):
            if key is not None and wanted.key != key:
                continue
            try:
                if not self._try(wanted):
                    continue
                answer = self._grant(unique)
            except Exception:
                logger.exception("a lock could not be given")
                answer = -errno.ENOLCK
            self._stop_waiting(unique)
            if answer is not None:
                self._engine.session.answer(unique, answer)

    def _give_up(self, unique: int) -> None:
        if unique in self._waiting:
            self._stop_waiting(unique)
            self._engine.session.fail(unique, errno.EINTR)

    def _stop_waiting(self, unique: int) -> None:
        del self._waiting[unique]
        self._engine.interruptible.pop(unique, None)
        if not self._waiting:
            self._someone_waits.clear()

    def _poll(self) -> None:
        """In a thread of its own: have the loop ask again, as long as somebody waits."""
        pause_s = _POLL_S
        while not self._closing:
            if not self._someone_waits.wait(1.0):
                pause_s = _POLL_S
                continue
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _POLL_MAX_S)
            if not self._closing:
                self._engine.post(self._ask_again)

    def close(self) -> None:
        """Free everything; idempotent."""
        self._closing = True
        self._someone_waits.set()
        self._poller.join(timeout=1)
        self._table.close()
