"""The system calls that Python has no function for: renameat2(2), and utimensat(2) that leaves one of two times alone.

Called by the mount lane. Each raises OSError with the kernel's errno. Safe from any thread.
"""

import ctypes
import os
from functools import cache
from typing import Any

RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
_AT_FDCWD = -100
_AT_SYMLINK_NOFOLLOW = 0x100
_UTIME_OMIT = (1 << 30) - 2
_SECOND_NS = 1_000_000_000


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def rename(source: bytes, destination: bytes, flags: int) -> None:
    """rename(2); with flags renameat2(2)."""
    _done(_libc().renameat2(_AT_FDCWD, source, _AT_FDCWD, destination, ctypes.c_uint(flags)), source)


def set_times(path: bytes, atime_ns: int | None, mtime_ns: int | None, *, follow: bool) -> None:
    """Set the times since 1970 in nanoseconds; None leaves one as it is."""
    times = (_Timespec * 2)(_timespec(atime_ns), _timespec(mtime_ns))
    _done(_libc().utimensat(_AT_FDCWD, path, times, 0 if follow else _AT_SYMLINK_NOFOLLOW), path)


def _timespec(time_ns: int | None) -> _Timespec:
    return _Timespec(0, _UTIME_OMIT) if time_ns is None else _Timespec(*divmod(time_ns, _SECOND_NS))


def _done(result: int, path: bytes) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
