"""Which files the mounts have open: each tells it in a table in shared memory, whoever takes a file's last name looks.

A mount owns an `OpenTable`, used by its loop; a `Writer` owns an `OpenElsewhere`, used by its thread. A table counts the
open files by number, modulo SLOTS: it may say of a closed file that it is open, never the reverse. A file that it names is kept
as an orphan of that mount, which forgets it at the last close, or at once when it is not open. A table is good as long as its
process lives, which holds a lock on it. The processes never ask each other: who removes a file holds the writer's turn, and
the mount may be waiting for that.

Crash here → the lock is free and the table counts no more; the next mount or the maintenance removes the orphans.
"""

import contextlib
import fcntl
import logging
import mmap
import os
import time
from pathlib import Path

from vexfs.store import doorbell, ofd

logger = logging.getLogger(__name__)

SLOTS = 16_384
_MASK = SLOTS - 1
_BYTES = SLOTS * 4
_SUFFIX = ".open"
_FOLDER = "openings"
_COARSE_NS = 50_000_000
"""Two changes of a folder within this time may have one time stamp."""


class OpenTable:
    """What one mount has open. `opened` and `closed` are for the first opening of a file and the last."""

    def __init__(self, folder: Path, origin: int) -> None:
        self._path = folder / _FOLDER / f"{origin:016x}{_SUFFIX}"
        self._fd = -1
        try:
            memory = self._make()
        except OSError as error:  # a full disk, most likely, and a mount is the way to empty it
            logger.warning("files that are open here do not outlive their removal elsewhere", extra={"reason": str(error)})
            memory = mmap.mmap(-1, _BYTES)
        self._counts = memoryview(memory).cast("I")

    def _make(self) -> mmap.mmap:
        """The table, whole and locked before it has the name under which others look for it."""
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        for left in self._path.parent.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(FileNotFoundError), contextlib.closing(_Table(left)) as table:
                table.lives()
        new = self._path.with_suffix(".new")
        fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, _BYTES)  # no store into the map may find the disk full
            memory = mmap.mmap(fd, _BYTES)
            ofd.set_lock(fd, fcntl.F_WRLCK, 0, ofd.LAST_BYTE)
            new.rename(self._path)
        except BaseException:
            os.close(fd)
            new.unlink(missing_ok=True)
            raise
        self._fd = fd
        return memory

    def opened(self, ino: int) -> None:
        self._counts[ino & _MASK] += 1

    def closed(self, ino: int) -> None:
        self._counts[ino & _MASK] -= 1

    def close(self) -> None:
        """Nothing is open any more; idempotent."""
        if self._fd >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1


class _Table:
    """Another mount's table, to look at."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.origin = int(path.stem, 16)
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._memory = mmap.mmap(self._fd, _BYTES, access=mmap.ACCESS_READ)
        except BaseException:
            os.close(self._fd)
            raise
        self._counts = memoryview(self._memory).cast("I")

    def has(self, ino: int) -> bool:
        return self._counts[ino & _MASK] > 0 and self.lives()

    def lives(self) -> bool:
        """Whether its mount does. The file of a dead one is removed: its name is never used again."""
        if ofd.conflict(self._fd, fcntl.F_WRLCK, 0, ofd.LAST_BYTE) is not None:
            return True
        self._path.unlink(missing_ok=True)
        return False

    def close(self) -> None:
        self._counts.release()
        self._memory.close()
        os.close(self._fd)


class OpenElsewhere:
    """What the volume's mounts have open, but for the mount of `origin`."""

    def __init__(self, folder: Path, origin: int) -> None:
        self._volume = folder
        self._folder = folder / _FOLDER
        self._own = f"{origin:016x}{_SUFFIX}"
        self._tables: dict[str, _Table] = {}
        self._listed_ns = 0
        """Time of the folder's last change that is known here."""
        self._group = 0

    def holder(self, ino: int, group: int) -> int | None:
        """The origin of a mount that has the file open, as far as can be told, or None.

        `group` is any value that another group of transactions does not have: new mounts are looked for once in each. A group
        is shorter than the start of a mount.
        """
        self._look(group)
        for table in self._tables.values():
            if table.has(ino):
                return table.origin
        return None

    def keeps(self, ino: int, origin: int, group: int) -> bool:
        """Whether that opening of the volume lives and may have the file open; `group` as for `holder`."""
        self._look(group)
        if not doorbell.answers(self._volume, origin):
            return False
        table = self._tables.get(f"{origin:016x}{_SUFFIX}")
        return table is None or table.has(ino)

    def _look(self, group: int) -> None:
        if group == self._group:
            return
        self._group = group
        try:
            changed_ns = self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if changed_ns == self._listed_ns:
            return
        self._listed_ns = changed_ns if time.time_ns() - changed_ns > _COARSE_NS else 0
        names = {path.name: path for path in self._folder.glob(f"*{_SUFFIX}") if path.name != self._own}
        for gone in self._tables.keys() - names.keys():
            self._tables.pop(gone).close()
        for name in names.keys() - self._tables.keys():
            with contextlib.suppress(FileNotFoundError):  # that mount has just ended
                self._tables[name] = _Table(names[name])

    def close(self) -> None:
        """Idempotent."""
        for table in self._tables.values():
            table.close()
        self._tables.clear()
