"""Every request the protocol module knows: sent through a real mount here, or not sent and why, or refused and why."""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vexfs.mount import wire

from . import syscalls
from .conftest import MakeMount, Mounted
from .opcodes import OPCODES
from .test_budget import COUNTING, Meter

#: Handled, but no kernel that is tested here sends them to this mount; test_requests.py sends them through a socket.
NOT_SENT = {
    wire.FUSE_DESTROY: "sent to mounts of block devices only",
    wire.FUSE_READDIR: "where readdirplus was agreed on, the kernel always asks that",
    wire.FUSE_COPY_FILE_RANGE: "sent by kernels before 6.18, which do not know FUSE_COPY_FILE_RANGE_64",
}
#: Answered ENOSYS, after which the kernel does not ask again.
REFUSED = {
    wire.FUSE_ACCESS: "the kernel checks permissions itself, or only root can reach the mount and may do everything",
}
#: Handled before the loop begins, by the session: without it there is no mount.
AGREED = {wire.FUSE_INIT}

_WAITING = """
import fcntl, sys
with open(sys.argv[1], "r+") as file:
    print("waits", flush=True)
    fcntl.lockf(file, fcntl.LOCK_EX)
"""


def open_file(path: Path, flags: int = os.O_RDWR) -> int:
    path.touch()
    return os.open(path, flags)


def closed(path: Path, use: Callable[[int], object]) -> None:
    fd = open_file(path)
    try:
        use(fd)
    finally:
        os.close(fd)


def copied(path: Path) -> None:
    path.write_bytes(b"x" * 8192)
    with path.open("rb") as source, path.with_suffix(".copy").open("wb") as target:
        syscalls.copy_file_range(source.fileno(), 0, target.fileno(), 0, 8192)


def renamed(path: Path, flags: int) -> None:
    path.touch()
    if flags:
        syscalls.renameat2(path, path.with_suffix(".new"), flags)
    else:
        path.rename(path.with_suffix(".new"))


def interrupted(path: Path) -> None:
    """A program that waits for a lock gets a signal."""
    with path.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        with subprocess.Popen([sys.executable, "-c", _WAITING, path], stdout=subprocess.PIPE) as program:
            assert program.stdout is not None
            program.stdout.readline()
            time.sleep(0.1)
            program.send_signal(signal.SIGTERM)
            program.wait(30)


def getlk(fd: int) -> None:
    fcntl.fcntl(fd, fcntl.F_GETLK, b"\0" * 32)


def tree_removed(path: Path) -> None:
    """Many files leave the kernel's memory at about the same time."""
    folders = [path / str(number) for number in range(8)]
    for folder in folders:
        folder.mkdir(parents=True)
        for number in range(20):
            (folder / str(number)).touch()

    def remove(folder: Path) -> None:
        for file in folder.iterdir():
            file.unlink()

    removers = [threading.Thread(target=remove, args=(folder,)) for folder in folders]
    for remover in removers:
        remover.start()
    for remover in removers:
        remover.join()


def statx(path: Path) -> None:
    """As `stat`, for the time of creation."""
    path.touch()
    answer = ctypes.create_string_buffer(256)
    assert ctypes.CDLL(None).statx(syscalls.AT_FDCWD, os.fsencode(path), 0, wire.STATX_BTIME, answer) == 0


def stat_through_descriptor(path: Path) -> None:
    path.write_bytes(b"x")
    with path.open("r+b", buffering=0) as file:
        file.write(b"y")
        path.stat()


def directory_synced(path: Path) -> None:
    path.mkdir()
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def read_again(path: Path) -> None:
    path.write_bytes(b"x" * 8192)
    closed(path, lambda fd: (os.fsync(fd), os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED), os.pread(fd, 10, 0)))


def with_xattr(path: Path, use: Callable[[Path], object]) -> None:
    path.touch()
    os.setxattr(path, "user.a", b"1")
    use(path)


#: What makes the kernel send it.
SENT: dict[int, Callable[[Path], object]] = {
    wire.FUSE_LOOKUP: lambda path: path.exists(),
    wire.FUSE_FORGET: tree_removed,
    wire.FUSE_BATCH_FORGET: tree_removed,
    wire.FUSE_GETATTR: stat_through_descriptor,
    wire.FUSE_SETATTR: lambda path: (path.touch(), path.chmod(0o600)),
    wire.FUSE_READLINK: lambda path: (path.symlink_to("x"), path.readlink()),
    wire.FUSE_SYMLINK: lambda path: path.symlink_to("x"),
    wire.FUSE_MKNOD: os.mkfifo,
    wire.FUSE_MKDIR: Path.mkdir,
    wire.FUSE_UNLINK: lambda path: (path.touch(), path.unlink()),
    wire.FUSE_RMDIR: lambda path: (path.mkdir(), path.rmdir()),
    wire.FUSE_RENAME: lambda path: renamed(path, 0),
    wire.FUSE_LINK: lambda path: (path.touch(), path.with_suffix(".link").hardlink_to(path)),
    wire.FUSE_OPEN: lambda path: closed(path, lambda _: None),
    wire.FUSE_READ: read_again,
    wire.FUSE_WRITE: lambda path: path.write_bytes(b"x"),
    wire.FUSE_STATFS: lambda path: os.statvfs(path.parent),
    wire.FUSE_RELEASE: Path.touch,
    wire.FUSE_FSYNC: lambda path: closed(path, os.fsync),
    wire.FUSE_SETXATTR: lambda path: with_xattr(path, lambda _: None),
    wire.FUSE_GETXATTR: lambda path: with_xattr(path, lambda path: os.getxattr(path, "user.a")),
    wire.FUSE_LISTXATTR: lambda path: with_xattr(path, os.listxattr),
    wire.FUSE_REMOVEXATTR: lambda path: with_xattr(path, lambda path: os.removexattr(path, "user.a")),
    wire.FUSE_FLUSH: lambda path: path.write_bytes(b"x"),
    wire.FUSE_OPENDIR: lambda path: list(path.parent.iterdir()),
    wire.FUSE_RELEASEDIR: lambda path: list(path.parent.iterdir()),
    wire.FUSE_FSYNCDIR: directory_synced,
    wire.FUSE_GETLK: lambda path: closed(path, getlk),
    wire.FUSE_SETLK: lambda path: closed(path, lambda fd: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)),
    wire.FUSE_SETLKW: lambda path: closed(path, lambda fd: fcntl.lockf(fd, fcntl.LOCK_EX)),
    wire.FUSE_CREATE: Path.touch,
    wire.FUSE_INTERRUPT: interrupted,
    wire.FUSE_FALLOCATE: lambda path: closed(path, lambda fd: syscalls.fallocate(fd, 0, 0, 100)),
    wire.FUSE_READDIRPLUS: lambda path: list(path.parent.iterdir()),
    wire.FUSE_RENAME2: lambda path: renamed(path, syscalls.RENAME_NOREPLACE),
    wire.FUSE_LSEEK: lambda path: (path.write_bytes(b"x"), closed(path, lambda fd: os.lseek(fd, 0, os.SEEK_DATA))),
    wire.FUSE_TMPFILE: lambda path: os.close(os.open(path.parent, os.O_TMPFILE | os.O_RDWR)),
    wire.FUSE_STATX: statx,
    wire.FUSE_COPY_FILE_RANGE_64: copied,
}


#: Requests that came later, and the kernel's protocol from which on they exist.
SINCE = {wire.FUSE_TMPFILE: 37, wire.FUSE_STATX: 39, wire.FUSE_COPY_FILE_RANGE_64: 45}
#: How often the kernel gets the chance to send what it sends as it likes.
ATTEMPTS = 30


def test_every_request_is_sent_here_or_there_is_a_reason() -> None:
    groups = [set(SENT), set(NOT_SENT), set(REFUSED), AGREED]
    assert sum(map(len, groups)) == len(set().union(*groups))
    assert set().union(*groups) == set(OPCODES)
    assert set(SENT) | set(NOT_SENT) == set(wire.SHAPES)


@pytest.fixture
def meter(make_mount: MakeMount, folder: Path) -> Meter:
    mount = make_mount("--spin-us", "0", "--shared-locks", program=[sys.executable, "-c", COUNTING])
    return Meter(mount, folder / "counts")


def agreed_minor(mount: Mounted) -> int:
    for line in mount.log.read_text().splitlines():
        if '"minor": ' in line:
            return int(line.partition('"minor": ')[2].partition(",")[0])
    raise AssertionError("the mount's log does not say what was agreed on")


def test_each_goes_through_a_real_mount(meter: Meter) -> None:
    minor = agreed_minor(meter.mount)
    for opcode, cause in SENT.items():
        if minor < SINCE.get(opcode, 0):
            continue
        before = meter.counts().requests[opcode]
        for attempt in range(ATTEMPTS):
            cause(meter.mount.path / f"{OPCODES[opcode]}-{attempt}")
            if meter.counts().requests[opcode] > before:
                break
        else:
            pytest.fail(f"{OPCODES[opcode]} was not sent")
    assert meter.mount.errors() == []
