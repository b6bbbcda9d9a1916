"""Files without a name: O_TMPFILE, deleted and still open, a directory that somebody stands in."""

# ruff: noqa: PTH208 - these tests call the system calls by their own names
import errno
import fcntl
import mmap
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vexfs.store import nodes
from vexfs.store.volume import Volume

from .conftest import Mounted, eventually
from .syscalls import FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, fallocate, link_descriptor
from .test_files import raises

LARGE = os.urandom(1 << 20)


def orphans(volume: Volume) -> int:
    with volume.snapshot() as view:
        return len(nodes.orphans(view))


# -- O_TMPFILE -----------------------------------------------------------------------------------------


def test_a_temporary_file_has_no_name_and_goes_when_it_is_closed(root: Path, beside: Volume) -> None:
    fd = os.open(root, os.O_TMPFILE | os.O_RDWR, 0o640)
    os.write(fd, b"temporary")
    facts = os.fstat(fd)
    assert (facts.st_nlink, facts.st_size, stat.S_IMODE(facts.st_mode)) == (0, 9, 0o640)
    assert os.listdir(root) == []
    os.fsync(fd)
    assert os.pread(fd, 100, 0) == b"temporary"
    assert orphans(beside) == 1
    os.close(fd)
    eventually(lambda: orphans(beside) == 0)


@pytest.mark.parametrize("data", [b"", b"small", LARGE], ids=["empty", "small", "large"])
def test_a_temporary_file_becomes_an_ordinary_one(root: Path, mount: Mounted, beside: Volume, data: bytes) -> None:
    (root / "d").mkdir()
    fd = os.open(root / "d", os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(fd, data)
    link_descriptor(fd, root / "published")
    assert os.fstat(fd).st_nlink == 1
    assert (root / "published").read_bytes() == data
    with raises(errno.EEXIST):
        link_descriptor(fd, root / "published")
    link_descriptor(fd, root / "d" / "again")
    os.write(fd, b" and more")
    os.fsync(fd)
    assert orphans(beside) == 0
    os.close(fd)
    (root / "d" / "again").unlink()
    mount.stop()
    mount.restart()
    assert (root / "published").read_bytes() == data + b" and more"


def test_an_exclusive_temporary_file_never_gets_a_name(root: Path) -> None:
    fd = os.open(root, os.O_TMPFILE | os.O_RDWR | os.O_EXCL, 0o600)
    with raises(errno.ENOENT):
        link_descriptor(fd, root / "published")
    os.close(fd)
    assert os.listdir(root) == []


def test_a_temporary_file_of_a_killed_mount_is_swept(root: Path, mount: Mounted, beside: Volume) -> None:
    fd = os.open(root, os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(fd, LARGE)
    os.fsync(fd)
    mount.kill()
    with raises(errno.ENOTCONN):
        os.close(fd)
    mount.restart()
    assert orphans(beside) == 0


def test_a_temporary_file_is_made_as_the_directory_says(root: Path) -> None:
    (root / "d").mkdir()
    os.chown(root / "d", 0, 4242)
    (root / "d").chmod(0o2775)
    fd = os.open(root / "d", os.O_TMPFILE | os.O_RDWR, 0o600)
    assert os.fstat(fd).st_gid == 4242
    os.close(fd)


# -- deleted and open ----------------------------------------------------------------------------------


@pytest.fixture
def deleted(root: Path) -> Iterator[int]:
    """A large file that is open and has no name any more."""
    fd = os.open(root / "gone", os.O_RDWR | os.O_CREAT, 0o644)
    os.write(fd, LARGE)
    (root / "gone").unlink()
    yield fd
    os.close(fd)


def test_everything_can_be_done_with_a_deleted_file_that_is_open(root: Path, deleted: int) -> None:
    fd = deleted
    assert os.pread(fd, len(LARGE), 0) == LARGE
    os.ftruncate(fd, 50)
    os.fsync(fd)
    assert os.pread(fd, 100, 0) == LARGE[:50]
    os.pwrite(fd, LARGE, 100_000)
    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 65_536)
    assert os.lseek(fd, 0, os.SEEK_DATA) == 65_536
    os.fdatasync(fd)
    assert os.pread(fd, len(LARGE), 100_000) == LARGE
    os.fchmod(fd, 0o600)
    os.fchown(fd, 1, 2)
    os.utime(fd, ns=(1, 2))
    os.setxattr(fd, "user.a", b"1")
    assert (os.listxattr(fd), os.getxattr(fd, "user.a")) == (["user.a"], b"1")
    os.removexattr(fd, "user.a")
    facts = os.fstat(fd)
    assert (facts.st_nlink, facts.st_uid, facts.st_gid, facts.st_mtime_ns) == (0, 1, 2, 2)
    assert facts.st_size == 100_000 + len(LARGE)
    with mmap.mmap(fd, 0) as mapped:
        mapped[:3] = b"abc"
        mapped.flush()
    assert os.pread(fd, 3, 0) == b"abc"
    fcntl.lockf(fd, fcntl.LOCK_EX)
    with raises(errno.ENOENT):
        link_descriptor(fd, root / "again")


def test_a_deleted_file_can_be_opened_once_more_through_its_descriptor(deleted: int) -> None:
    again = os.open(f"/proc/self/fd/{deleted}", os.O_RDWR)
    os.pwrite(again, b"through the second", 0)
    os.close(again)
    assert os.pread(deleted, 18, 0) == b"through the second"


def test_a_name_made_anew_is_another_file(root: Path, deleted: int) -> None:
    (root / "gone").write_bytes(b"new")
    assert os.pread(deleted, 10, 0) == LARGE[:10]
    os.pwrite(deleted, b"old", 0)
    assert (root / "gone").read_bytes() == b"new"


def test_a_deleted_file_is_gone_once_nobody_has_it_mapped(root: Path, beside: Volume) -> None:
    with (root / "gone").open("w+b") as file:
        file.write(b"x" * 8192)
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0)
        (root / "gone").unlink()
    mapped[0:1] = b"y"
    mapped.flush()
    assert mapped[:2] == b"yx"
    assert orphans(beside) == 1
    mapped.close()
    eventually(lambda: orphans(beside) == 0)


# -- removed directories -------------------------------------------------------------------------------

IN_A_REMOVED_DIRECTORY = """
import os, sys
os.chdir(sys.argv[1])
os.rmdir(sys.argv[1])
before = os.stat(".")
assert (before.st_nlink, os.listdir(".")) == (0, [])
os.chmod(".", 0o711)
assert os.stat(".").st_mode & 0o777 == 0o711
try:
    open("new", "w")
except FileNotFoundError:
    sys.exit(0)
"""


def test_a_directory_that_somebody_stands_in_is_still_described(root: Path) -> None:
    (root / "d").mkdir()
    subprocess.run([sys.executable, "-c", IN_A_REMOVED_DIRECTORY, root / "d"], check=True)
    assert os.listdir(root) == []


def test_a_directory_that_was_replaced_is_still_described(root: Path) -> None:
    (root / "old").mkdir()
    (root / "new").mkdir()
    fd = os.open(root / "old", os.O_RDONLY)
    (root / "new").rename(root / "old")
    assert os.fstat(fd).st_nlink == 0
    os.fsync(fd)
    os.close(fd)
