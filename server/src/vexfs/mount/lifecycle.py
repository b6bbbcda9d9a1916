"""Mount points from outside: is something mounted there, does it still answer, and how does it come off?

Called by the mount process, by `vexfs mount`, `vexfs umount` and the supervisor. Plain functions over /proc/self/mountinfo and
umount2(2), or `fusermount3` for an ordinary user. Never touches what is not a VexFS mount.
"""

import ctypes
import errno
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from vexfs.core.errors import NotSupported, Unavailable

FILE_SYSTEM_TYPE = "fuse.vexfs"
_MNT_DETACH = 2
_POLL_S = 0.02
_DEAD_ERRNOS = (errno.ENOTCONN, errno.ECONNABORTED)
_OCTAL = re.compile(rb"\\([0-7]{3})")
_FUSERMOUNT_TIMEOUT_S = 10

FUSERMOUNT_MISSING = (
    "an ordinary user needs the program fusermount3 to mount: install the package fuse3 (Debian, Ubuntu: apt install fuse3; "
    "Fedora: dnf install fuse3), or run as root"
)


def is_mounted(mountpoint: Path | str) -> bool:
    """Whether a VexFS mount, alive or dead, is the topmost mount on that path."""
    return _topmost_type(_real(mountpoint)) == FILE_SYSTEM_TYPE


def is_dead(mountpoint: Path | str) -> bool:
    """Whether a VexFS mount is there whose process has gone ("Transport endpoint is not connected")."""
    if not is_mounted(mountpoint):
        return False
    try:
        os.statvfs(mountpoint)
    except OSError as error:
        return error.errno in _DEAD_ERRNOS
    return False


def detach(mountpoint: Path | str) -> None:
    """Take the mount off the tree at once, even when it is dead or in use; no mount is fine.

    Open files stay usable as long as the process serves. Raises Unavailable when the system refuses.
    """
    path = _real(mountpoint)
    if _topmost_type(path) != FILE_SYSTEM_TYPE:
        return
    if os.geteuid() == 0:
        _umount2(path, _MNT_DETACH)
    else:
        _fusermount("-u", "-z", "-q", "--", os.fsdecode(path))


def unmount(mountpoint: Path | str, timeout_s: float = 3.0) -> None:
    """Unmount in order: what was written is in the volume when this returns; no mount is fine.

    Raises Unavailable when files of it are still in use after `timeout_s`. A dead mount is detached.
    """
    path = _real(mountpoint)
    deadline = time.monotonic() + timeout_s
    while _topmost_type(path) == FILE_SYSTEM_TYPE:
        if is_dead(mountpoint):
            detach(mountpoint)
            continue
        try:
            _umount_once(path)
        except Unavailable:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_POLL_S)


def sync(mountpoint: Path | str) -> None:
    """Have the kernel hand over what programs changed in their mappings; its process must serve meanwhile."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(mountpoint, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if libc.syncfs(fd) != 0:
            raise OSError(ctypes.get_errno(), "cannot sync", os.fspath(mountpoint))
    finally:
        os.close(fd)


def readahead_file(mountpoint: Path | str) -> Path:
    """Where the kernel says, and root may set, how many KiB of a file it reads ahead on the mount there."""
    return Path("/sys/class/bdi") / _topmost(_real(mountpoint))[1] / "read_ahead_kb"


def _umount_once(path: bytes) -> None:
    if os.geteuid() == 0:
        _umount2(path, 0)
    else:
        _fusermount("-u", "-q", "--", os.fsdecode(path))


def _umount2(path: bytes, flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(ctypes.c_char_p(path), flags) != 0:
        number = ctypes.get_errno()
        if number == errno.EINVAL:  # somebody else was faster
            return
        raise Unavailable(f"cannot unmount {os.fsdecode(path)}: {os.strerror(number)}", path=os.fsdecode(path))


def _fusermount(*arguments: str) -> None:
    program = find_fusermount()
    outcome = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=_FUSERMOUNT_TIMEOUT_S, check=False)
    if outcome.returncode != 0 and _topmost_type(os.fsencode(arguments[-1])) == FILE_SYSTEM_TYPE:
        reason = outcome.stderr.strip() or "the device is busy"
        raise Unavailable(f"cannot unmount {arguments[-1]}: {reason}", path=arguments[-1])


def find_fusermount() -> str:
    """The path of fusermount3; raises NotSupported, saying how to get it."""
    program = shutil.which("fusermount3")
    if program is None:
        raise NotSupported(FUSERMOUNT_MISSING)
    return program


def _real(mountpoint: Path | str) -> bytes:
    """The absolute path with symlinks resolved, without touching the last component: a dead mount cannot be looked at."""
    path = Path(mountpoint).absolute()
    return os.path.normpath(os.fsencode(Path(os.path.realpath(path.parent)) / path.name))


def _topmost_type(path: bytes) -> str | None:
    """The file system type of the last mount on exactly that path, or None."""
    return _topmost(path)[0]


def _topmost(path: bytes) -> tuple[str | None, str]:
    """The file system type and the device, as MAJOR:MINOR, of the last mount on exactly that path; (None, "") without one."""
    found: tuple[str | None, str] = None, ""
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        described, _, rest = line.partition(b" - ")
        fields = described.split(b" ")
        if _OCTAL.sub(lambda match: bytes([int(match[1], 8)]), fields[4]) == path:
            found = rest.split(b" ", 1)[0].decode(), fields[2].decode()
    return found
