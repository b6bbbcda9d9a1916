"""Getting a FUSE connection: open `/dev/fuse` and mount it, as root by mount(2), as anybody else by `fusermount3`.

Called once at the start of the mount process. Knows nothing of requests. When `open_and_mount` returns, the kernel has queued
INIT and everybody who touches the mount point waits for it to be answered.
"""

import array
import contextlib
import ctypes
import errno
import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from vexfs.core.errors import InvalidRequest, NotADirectory, NotFound, NotSupported, Unavailable
from vexfs.mount import lifecycle

DEVICE = "/dev/fuse"
_MS_RDONLY = 1
_MS_NOSUID = 2
_MS_NODEV = 4
_SOURCE = "vexfs"

DEVICE_MISSING = (
    "there is no /dev/fuse: load the kernel's fuse module (modprobe fuse); in a container start it with --device /dev/fuse "
    "--cap-add SYS_ADMIN"
)


@dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """`allow_other`: every local user may use the mount. `kernel_permissions`: the kernel checks modes and owners.
    `read_only`: the kernel refuses every change.
    """

    allow_other: bool
    kernel_permissions: bool
    read_only: bool = False


def open_and_mount(mountpoint: Path, options: DeviceOptions) -> int:
    """Mount on `mountpoint` (an existing directory) and return the connection's descriptor.

    A dead VexFS mount there is detached first. Raises Unavailable when a living one is there, NotFound, NotADirectory, or
    NotSupported with what is missing on this machine.
    """
    _clear(mountpoint)
    if not mountpoint.exists():
        raise NotFound(f"the mount point {mountpoint} does not exist", path=str(mountpoint))
    if not mountpoint.is_dir():
        raise NotADirectory(f"the mount point {mountpoint} is not a directory", path=str(mountpoint))
    target = Path(os.path.realpath(mountpoint))
    if os.geteuid() == 0:
        return _mount_as_root(target, options)
    return _mount_as_user(target, options)


def widen_readahead(mountpoint: Path, size_bytes: int) -> None:
    """Have the kernel read that far ahead on the mount, once INIT is answered, and so ask for as much at a time.

    A new mount begins with 128 KiB, of which INIT can only take. Only root may set more; for anybody else, and in a container
    that may not change /sys, it stays.
    """
    with contextlib.suppress(OSError):
        lifecycle.readahead_file(mountpoint).write_text(str(size_bytes // 1024))


def _clear(mountpoint: Path) -> None:
    if lifecycle.is_dead(mountpoint):
        lifecycle.detach(mountpoint)
    elif lifecycle.is_mounted(mountpoint):
        raise Unavailable(f"VexFS is mounted on {mountpoint} already", path=str(mountpoint))


def _mount_as_root(target: Path, options: DeviceOptions) -> int:
    try:
        fd = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise NotSupported(
            DEVICE_MISSING if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO) else _refused(error)
        ) from error
    data = f"fd={fd},rootmode=40755,user_id={os.getuid()},group_id={os.getgid()}{_flags(options)}".encode()
    libc = ctypes.CDLL(None, use_errno=True)
    kind = lifecycle.FILE_SYSTEM_TYPE.encode()
    flags = _MS_NOSUID | _MS_NODEV | (_MS_RDONLY if options.read_only else 0)
    if libc.mount(_SOURCE.encode(), os.fsencode(target), kind, ctypes.c_ulong(flags), data) != 0:
        number = ctypes.get_errno()
        os.close(fd)
        raise NotSupported(f"mount(2) on {target} failed: {os.strerror(number)}; a container needs --cap-add SYS_ADMIN")
    return fd


def _refused(error: OSError) -> str:
    return f"{DEVICE} cannot be opened: {error.strerror}; a container needs --device /dev/fuse --cap-add SYS_ADMIN"


def _flags(options: DeviceOptions) -> str:
    flags = ",default_permissions" if options.kernel_permissions else ""
    return flags + (",allow_other" if options.allow_other else "")


def _mount_as_user(target: Path, options: DeviceOptions) -> int:
    """fusermount3 mounts and hands the descriptor over a socket whose number it finds in _FUSE_COMMFD."""
    program = lifecycle.find_fusermount()
    if "," in str(target):
        raise InvalidRequest(f"a mount point with a comma in its path cannot be mounted by fusermount3: {target}")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.closing(ours), contextlib.closing(theirs):
        words = f"fsname={_SOURCE},subtype=vexfs,nosuid,nodev{',ro' if options.read_only else ''}{_flags(options)}"
        outcome = subprocess.run(
            [program, "-o", words, "--", str(target)],
            env={**os.environ, "_FUSE_COMMFD": str(theirs.fileno())},
            pass_fds=[theirs.fileno()],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        if outcome.returncode != 0:
            raise NotSupported(f"fusermount3 could not mount on {target}: {outcome.stderr.strip()}")
        return _receive_descriptor(ours)


def _receive_descriptor(connection: socket.socket) -> int:
    connection.settimeout(10)
    size = array.array("i").itemsize
    _, ancillary, _, _ = connection.recvmsg(1, socket.CMSG_LEN(size))
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fd = array.array("i", data[:size])[0]
            os.set_inheritable(fd, False)
            return fd
    raise NotSupported("fusermount3 mounted but handed over no descriptor")
