"""The writer's turn: two byte locks that let several processes write one SQLite file fairly.

Owned by each process's `Writer`; the checkpointer borrows it. Locks are open-file-description locks on `store.lock`, so a
killed holder frees them at once and two openings in one process exclude each other. One thread at a time per Turn.

Taking: lock byte 0, lock byte 1, unlock byte 0. Byte 1 is the turn; byte 0 is the door where the next one waits, so a holder
can see that somebody waits, and whoever waits longest goes next. BEGIN IMMEDIATE with a busy timeout starved the API instead
(0.2 writes/s against a busy mount).
"""

import fcntl
import os
from pathlib import Path

from vexfs.store import ofd

_DOOR = 0
_TURN = 1
_CHECKPOINTER = 2


_TAKE_DOOR = ofd.flock(fcntl.F_WRLCK, _DOOR, _DOOR)
_LEAVE_DOOR = ofd.flock(fcntl.F_UNLCK, _DOOR, _DOOR)
_TAKE_TURN = ofd.flock(fcntl.F_WRLCK, _TURN, _TURN)
_LEAVE_TURN = ofd.flock(fcntl.F_UNLCK, _TURN, _TURN)


class Turn:
    """This opening's handle on the volume's turn."""

    def __init__(self, folder: Path) -> None:
        self._fd = os.open(folder / "store.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self) -> None:
        """Wait for the turn; returns holding it."""
        fcntl.fcntl(self._fd, ofd.F_OFD_SETLKW, _TAKE_DOOR)
        try:
            fcntl.fcntl(self._fd, ofd.F_OFD_SETLKW, _TAKE_TURN)
        finally:
            fcntl.fcntl(self._fd, ofd.F_OFD_SETLK, _LEAVE_DOOR)

    def leave(self) -> None:
        """Give the turn back."""
        fcntl.fcntl(self._fd, ofd.F_OFD_SETLK, _LEAVE_TURN)

    def somebody_waits(self) -> bool:
        """Whether another opening stands at the door (1.1 µs)."""
        return ofd.conflict(self._fd, fcntl.F_WRLCK, _DOOR, _DOOR) is not None

    def try_checkpointer(self) -> bool:
        """Become the one checkpointer of the volume; False while somebody else is."""
        return ofd.set_lock(self._fd, fcntl.F_WRLCK, _CHECKPOINTER, _CHECKPOINTER)

    def leave_checkpointer(self) -> None:
        ofd.set_lock(self._fd, fcntl.F_UNLCK, _CHECKPOINTER, _CHECKPOINTER)

    def close(self) -> None:
        """Idempotent; frees whatever is held."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
