"""Open-file-description locks on ranges of bytes, which Python's fcntl has no names for.

Used by the writer's turn and by the mount's lock table. Such a lock belongs to a descriptor: a process that dies frees it at
once, two descriptors in one process exclude each other, and closing another descriptor of the file frees nothing. Stateless.
"""

import fcntl
import os
import struct

F_OFD_GETLK = 36
F_OFD_SETLK = 37
F_OFD_SETLKW = 38
LAST_BYTE = (1 << 63) - 1
"""A range that ends here reaches to the end of every file."""

_FLOCK = struct.Struct("hh4xqqi4x")


def flock(kind: int, first: int, last: int) -> bytes:
    """The struct flock of a lock (F_RDLCK, F_WRLCK, F_UNLCK) on the bytes from `first` to `last`, both included."""
    return _FLOCK.pack(kind, os.SEEK_SET, first, 0 if last >= LAST_BYTE else last - first + 1, 0)


def set_lock(fd: int, kind: int, first: int, last: int) -> bool:
    """Take, change or free a lock; False when another descriptor holds what is in the way."""
    try:
        fcntl.fcntl(fd, F_OFD_SETLK, flock(kind, first, last))
    except BlockingIOError:
        return False
    return True


def conflict(fd: int, kind: int, first: int, last: int) -> tuple[int, int, int] | None:
    """A lock of another descriptor that stands in the way: kind, first and last byte; None when there is none."""
    found, _, start, length, _ = _FLOCK.unpack(fcntl.fcntl(fd, F_OFD_GETLK, flock(kind, first, last)))
    if found == fcntl.F_UNLCK:
        return None
    return found, start, LAST_BYTE if length == 0 else start + length - 1
