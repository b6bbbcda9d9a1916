"""The writer's turn: two byte locks that let several processes write one SQLite file fairly.

Owned by each process's `Writer`; the checkpointer borrows it. Locks are open-file-description locks on `store.lock`, so a
killed holder frees them at once and two openings in one process exclude each other. One thread at a time per Turn.

Taking: lock byte 0, lock byte 1, unlock byte 0. Byte 1 is the turn; byte 0 is the door where the next one waits, so a holder
can see that somebody waits, and whoever waits longest goes next. BEGIN IMMEDIATE with a busy timeout starved the API instead
(0.2 writes/s against a busy mount).
"""

import fcntl
import os
import struct
from pathlib import Path

_FLOCK = struct.Struct("hh4xqqi4x")
_F_OFD_GETLK = 36
_F_OFD_SETLK = 37
_F_OFD_SETLKW = 38

_DOOR = 0
_TURN = 1
_CHECKPOINTER = 2


def _lock(byte: int, kind: int) -> bytes:
    return _FLOCK.pack(kind, os.SEEK_SET, byte, 1, 0)


_TAKE_DOOR = _lock(_DOOR, fcntl.F_WRLCK)
_LEAVE_DOOR = _lock(_DOOR, fcntl.F_UNLCK)
_TAKE_TURN = _lock(_TURN, fcntl.F_WRLCK)
_LEAVE_TURN = _lock(_TURN, fcntl.F_UNLCK)
_TAKE_CHECKPOINTER = _lock(_CHECKPOINTER, fcntl.F_WRLCK)
_LEAVE_CHECKPOINTER = _lock(_CHECKPOINTER, fcntl.F_UNLCK)


class Turn:
    """This opening's handle on the volume's turn."""

    def __init__(self, folder: Path) -> None:
        self._fd = os.open(folder / "store.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self) -> None:
        """Wait for the turn; returns holding it."""
        fcntl.fcntl(self._fd, _F_OFD_SETLKW, _TAKE_DOOR)
        try:
            fcntl.fcntl(self._fd, _F_OFD_SETLKW, _TAKE_TURN)
        finally:
            fcntl.fcntl(self._fd, _F_OFD_SETLK, _LEAVE_DOOR)

    def leave(self) -> None:
        """Give the turn back."""
        fcntl.fcntl(self._fd, _F_OFD_SETLK, _LEAVE_TURN)

    def somebody_waits(self) -> bool:
        """Whether another opening stands at the door (1.1 µs)."""
        answer = fcntl.fcntl(self._fd, _F_OFD_GETLK, _TAKE_DOOR)
        return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)

    def try_checkpointer(self) -> bool:
        """Become the one checkpointer of the volume; False while somebody else is."""
        try:
            fcntl.fcntl(self._fd, _F_OFD_SETLK, _TAKE_CHECKPOINTER)
        except BlockingIOError:
            return False
        return True

    def leave_checkpointer(self) -> None:
        fcntl.fcntl(self._fd, _F_OFD_SETLK, _LEAVE_CHECKPOINTER)

    def close(self) -> None:
        """Idempotent; frees whatever is held."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
