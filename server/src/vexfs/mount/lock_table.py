"""Locks on files that several mounts of one volume share: a table outside the database, kept by the kernel of this machine.

Every lock of a program becomes an open-file-description lock (`store.ofd`) on the same bytes of a small file that stands for
the inode, RUN/locks/VOLUME/INO.p for POSIX locks and INO.f for those of flock, through a descriptor that stands for the lock's
owner. So the kernel splits, joins and compares ranges, owners of one mount and of several exclude each other alike, and a mount
that dies frees what its programs held at once. Nothing is written and nothing durable: locks end with the machine.

Two others were thought of. Rows in the database would cost a commit a lock, and outlive a dead mount. A service in the API
process would be one more thing a mount depends on; a mount works without a server.

A lock's file is removed with its last owner. That nobody removes it while another opens it is the gate's business: who has the
file open holds byte 2·INO (+ 1 for flock) of `gate` shared, and who removes it has to get that byte for itself. One table a
mount, used by the loop's thread alone. Never waits for a lock. Deadlocks among programs are not looked for.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vexfs.store import ofd

POSIX, FLOCK = 0, 1
_SUFFIXES = ("p", "f")
_SHARED_BYTE, _LOCAL_BYTE = 1 << 62, (1 << 62) + 1
"""Of `gate`: held shared by each mount that serves its locks from here, and by each that does not."""


class Key(NamedTuple):
    """What is locked: an inode, in one of two worlds that do not see each other."""

    ino: int
    kind: int
    """POSIX or FLOCK."""


class Conflict(NamedTuple):
    """A lock that stands in the way. `pid` is 0 when a program of another mount holds it."""

    type: int
    first: int
    last: int
    pid: int


class Owner:
    """Who holds locks on one file: the kernel's number for a process's files or for one opening."""

    __slots__ = ("fd", "handles", "pid", "surely_flushed")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.pid = 0
        self.handles: set[int] = set()
        """The openings through which the locks were taken."""
        self.surely_flushed = True
        """Whether closing any of them is told; else it is only once nobody has it any more."""


class Gate:
    """The file whose bytes say who uses what. Also how the mounts of a volume learn of each other's way with locks."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self._fd = os.open(folder / "gate", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def announce(self, *, shared: bool) -> None:
        """Say, as long as this lives, whether this mount's locks are the table's."""
        byte = _SHARED_BYTE if shared else _LOCAL_BYTE
        ofd.set_lock(self._fd, fcntl.F_RDLCK, byte, byte)

    def others(self, *, shared: bool) -> bool:
        """Whether another mount has announced that."""
        byte = _SHARED_BYTE if shared else _LOCAL_BYTE
        return ofd.conflict(self._fd, fcntl.F_WRLCK, byte, byte) is not None

    def enter(self, key: Key) -> Path:
        """Before the file of `key` is opened; returns its path. Waits only while somebody is just removing it."""
        byte = 2 * key.ino + key.kind
        fcntl.fcntl(self._fd, ofd.F_OFD_SETLKW, ofd.flock(fcntl.F_RDLCK, byte, byte))
        return self.folder / f"{key.ino}.{_SUFFIXES[key.kind]}"

    def leave(self, key: Key) -> None:
        """The file is closed here: it goes when nobody else has it."""
        byte = 2 * key.ino + key.kind
        if ofd.set_lock(self._fd, fcntl.F_WRLCK, byte, byte):
            (self.folder / f"{key.ino}.{_SUFFIXES[key.kind]}").unlink(missing_ok=True)
        ofd.set_lock(self._fd, fcntl.F_UNLCK, byte, byte)

    def sweep(self) -> None:
        """Remove the files that dead mounts have left."""
        for path in self.folder.glob("*.[pf]"):
            with contextlib.suppress(ValueError):
                self.leave(Key(int(path.stem), _SUFFIXES.index(path.suffix[1:])))

    def close(self) -> None:
        """Idempotent; frees every byte."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class LockTable:
    """The locks of this mount's programs."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._files: dict[Key, dict[int, Owner]] = {}

    def __bool__(self) -> bool:
        return bool(self._files)

    def owner(self, key: Key, owner: int) -> Owner | None:
        """Who that is, if it holds, or held, locks on the file."""
        owners = self._files.get(key)
        return None if owners is None else owners.get(owner)

    def knows(self, ino: int) -> bool:
        """Whether somebody here has POSIX locks on the file."""
        return Key(ino, POSIX) in self._files

    def lock(self, key: Key, owner: int, kind: int, first: int, last: int) -> Owner | None:
        """Take or change a lock (F_RDLCK, F_WRLCK) on bytes `first` to `last`; None when one of somebody else is in the way.

        Raises OSError when there are too many open files.
        """
        known = self.owner(key, owner)
        found = known or self._add(key, owner)
        if ofd.set_lock(found.fd, kind, first, last):
            return found
        if known is None:
            self.release(key, owner)
        return None

    def unlock(self, key: Key, owner: int, first: int, last: int) -> None:
        """Free bytes; those that are not locked are passed over."""
        found = self.owner(key, owner)
        if found is not None:
            ofd.set_lock(found.fd, fcntl.F_UNLCK, first, last)

    def conflict(self, key: Key, owner: int, kind: int, first: int, last: int) -> Conflict | None:
        """What would be in the way of such a lock."""
        known = self.owner(key, owner)
        found = known or self._add(key, owner)
        try:
            held = ofd.conflict(found.fd, kind, first, last)
        finally:
            if known is None:
                self.release(key, owner)
        return None if held is None else Conflict(*held, self._pid(key, owner, held))

    def _pid(self, key: Key, asker: int, held: tuple[int, int, int]) -> int:
        """The process here that holds exactly that lock, or 0."""
        for number, owner in self._files.get(key, {}).items():
            if number != asker and held in _held(owner.fd):
                return owner.pid
        return 0

    def release(self, key: Key, owner: int) -> None:
        """Everything the owner has on the file is free."""
        owners = self._files.get(key)
        if owners is None:
            return
        gone = owners.pop(owner, None)
        if gone is not None:
            os.close(gone.fd)
        if not owners:
            del self._files[key]
            self._gate.leave(key)

    def owners_through(self, key: Key, handle: int) -> list[int]:
        """Owners who took locks on the file through that opening, which is over: those who have no other."""
        alone = []
        for number, owner in self._files.get(key, {}).items():
            if handle in owner.handles:
                owner.handles.discard(handle)
                if not owner.handles:
                    alone.append(number)
        return alone

    def ended_owners(self, key: Key) -> list[int]:
        """Owners of whom the kernel may not have told that they closed the file, and whose process is no more."""
        return [
            number
            for number, owner in self._files.get(key, {}).items()
            if not owner.surely_flushed and owner.pid and not Path(f"/proc/{owner.pid}").exists()
        ]

    def _add(self, key: Key, owner: int) -> Owner:
        path = self._gate.enter(key)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            if key not in self._files:
                self._gate.leave(key)
            raise
        found = self._files.setdefault(key, {})[owner] = Owner(fd)
        return found

    def close(self) -> None:
        """Free everything; idempotent."""
        for key, owners in list(self._files.items()):
            for owner in list(owners):
                self.release(key, owner)


def _held(fd: int) -> Iterator[tuple[int, int, int]]:
    """The locks of one descriptor, as /proc tells them: kind, first and last byte."""
    for line in Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines():
        if line.startswith("lock:"):
            words = line.split()
            kind = fcntl.F_WRLCK if "WRITE" in words else fcntl.F_RDLCK
            yield kind, int(words[-2]), ofd.LAST_BYTE if words[-1] == "EOF" else int(words[-1])
