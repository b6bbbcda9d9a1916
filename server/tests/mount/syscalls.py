"""System calls that Python's `os` does not have, by their own names."""

import ctypes
import os
from pathlib import Path

FALLOC_FL_KEEP_SIZE = 1
FALLOC_FL_PUNCH_HOLE = 2
FALLOC_FL_COLLAPSE_RANGE = 8
FALLOC_FL_ZERO_RANGE = 16
FALLOC_FL_INSERT_RANGE = 32
FALLOC_FL_UNSHARE_RANGE = 64
RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT = 1, 2, 4
AT_FDCWD = -100
AT_SYMLINK_FOLLOW = 0x400
FICLONE = 0x40049409
UTIME_NOW, UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2

_libc = ctypes.CDLL(None, use_errno=True)
_long, _size, _int = ctypes.c_int64, ctypes.c_size_t, ctypes.c_int
_libc.fallocate64.argtypes = [_int, _int, _long, _long]
_libc.copy_file_range.argtypes = [_int, ctypes.POINTER(_long), _int, ctypes.POINTER(_long), _size, ctypes.c_uint]
_libc.copy_file_range.restype = _long


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def fallocate(fd: int, mode: int, offset: int, length: int) -> None:
    _checked(_libc.fallocate64(fd, mode, offset, length))


def copy_file_range(fd_in: int, offset_in: int, fd_out: int, offset_out: int, length: int) -> int:
    places = _long(offset_in), _long(offset_out)
    return _checked(_libc.copy_file_range(fd_in, ctypes.byref(places[0]), fd_out, ctypes.byref(places[1]), length, 0))


def renameat2(old: Path, new: Path, flags: int) -> None:
    _checked(_libc.renameat2(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags))


def link_descriptor(fd: int, path: Path) -> None:
    """Give an open file a name."""
    _checked(_libc.linkat(AT_FDCWD, b"/proc/self/fd/%d" % fd, AT_FDCWD, os.fsencode(path), AT_SYMLINK_FOLLOW))


def utimensat(path: Path, atime: tuple[int, int], mtime: tuple[int, int]) -> None:
    """Each time as seconds and nanoseconds."""
    times = (_long * 4)(*atime, *mtime)
    _checked(_libc.utimensat(AT_FDCWD, os.fsencode(path), times, 0))
