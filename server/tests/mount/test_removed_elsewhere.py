"""A file that is open on a mount and loses its name over the API or on another mount lives on until it is closed."""

import errno
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from vexfs.core import files
from vexfs.core.types import ROOT_INO
from vexfs.store import nodes, orphans
from vexfs.store.check import check_volume
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

from .conftest import MakeMount, Mounted, eventually
from .test_files import raises
from .test_nameless import orphans as count_orphans
from .test_two_processes import change, put

STORED = {"in rows": b"durable before " * 100, "as blobs": os.urandom(3_000_000)}


def remove(volume: Volume, name: bytes) -> None:
    """As RemoveFile does it."""
    change(volume, lambda txn: files.remove(txn, ROOT_INO, name))


def is_there(volume: Volume, ino: int) -> bool:
    with volume.snapshot() as view:
        return nodes.get(view, ino) is not None


@pytest.fixture
def opened(root: Path, request: pytest.FixtureRequest) -> Iterator[int]:
    """The file `f`, written, durable and open."""
    fd = os.open(root / "f", os.O_RDWR | os.O_CREAT, 0o644)
    os.write(fd, STORED[getattr(request, "param", "in rows")])
    os.fsync(fd)
    yield fd
    try:
        os.close(fd)
    except OSError as error:  # closed by the test, or its mount is gone
        assert error.errno in (errno.EBADF, errno.ENOTCONN)


@pytest.mark.parametrize("opened", list(STORED), indirect=True)
def test_everything_can_be_done_with_it_until_it_is_closed(root: Path, beside: Volume, opened: int) -> None:
    data = next(data for data in STORED.values() if len(data) == os.fstat(opened).st_size)
    ino = os.fstat(opened).st_ino
    os.pwrite(opened, b"pending", 0)
    remove(beside, b"f")
    eventually(lambda: not (root / "f").exists())
    eventually(lambda: os.fstat(opened).st_nlink == 0)
    assert os.pread(opened, len(data) + 1, 0) == b"pending" + data[7:]
    os.pwrite(opened, b"written", len(data))
    os.fsync(opened)
    assert os.pread(opened, 100, len(data) - 3) == data[-3:] + b"written"
    os.ftruncate(opened, 10)
    os.fchmod(opened, 0o600)
    os.setxattr(opened, "user.a", b"1")
    facts = os.fstat(opened)
    assert (facts.st_size, facts.st_mode & 0o777, facts.st_ino) == (10, 0o600, ino)
    with mmap.mmap(opened, 0) as mapped:
        mapped[:3] = b"abc"
        mapped.flush()
    again = os.open(f"/proc/self/fd/{opened}", os.O_RDWR)
    assert os.pread(again, 20, 0) == b"abcding" + data[7:10]
    (root / "f").write_bytes(b"another file")
    assert os.pread(opened, 3, 0) == b"abc"
    os.close(opened)
    assert os.pread(again, 3, 0) == b"abc"
    assert is_there(beside, ino)
    os.close(again)
    eventually(lambda: not is_there(beside, ino))
    assert count_orphans(beside) == 0
    assert (root / "f").read_bytes() == b"another file"


def test_it_lives_on_when_something_is_moved_over_it(root: Path, beside: Volume, opened: int) -> None:
    put(beside, b"new", b"new")
    change(beside, lambda txn: files.rename(txn, ROOT_INO, b"new", ROOT_INO, b"f"))
    eventually(lambda: (root / "f").read_bytes() == b"new")
    assert os.pread(opened, 7, 0) == b"durable"
    ino = os.fstat(opened).st_ino
    os.close(opened)
    eventually(lambda: not is_there(beside, ino))


def test_closed_before_the_mount_has_heard_of_it_it_goes_all_the_same(root: Path, beside: Volume) -> None:
    for number in range(30):
        name = f"f{number}"
        fd = os.open(root / name, os.O_RDWR | os.O_CREAT, 0o644)
        os.fsync(fd)
        ino = os.fstat(fd).st_ino
        remove(beside, name.encode())
        os.close(fd)
        eventually(lambda ino=ino: not is_there(beside, ino))  # type: ignore[misc]
    assert count_orphans(beside) == 0


def test_what_nobody_has_open_goes_at_once(root: Path, beside: Volume, opened: int) -> None:
    ino = put(beside, b"closed", b"x")
    assert (root / "closed").read_bytes() == b"x"
    eventually(lambda: (os.fstat(opened).st_nlink, is_open(beside, ino)) == (1, False))
    remove(beside, b"closed")
    assert not is_there(beside, ino)


def is_open(volume: Volume, ino: int) -> bool:
    """What whoever removes it would think; the answer to close(2) does not wait for it."""
    return bool(change(volume, lambda txn: txn.writer.holder(ino) is not None))


def test_with_two_names_it_stays_an_ordinary_file(root: Path, beside: Volume, opened: int) -> None:
    os.link(root / "f", root / "g")
    os.fsync(opened)
    remove(beside, b"f")
    eventually(lambda: os.fstat(opened).st_nlink == 1)
    os.pwrite(opened, b"written", 0)
    os.close(opened)
    assert (root / "g").read_bytes()[:7] == b"written"
    assert count_orphans(beside) == 0


@pytest.mark.parametrize("last", ["remover", "other"])
def test_two_mounts_that_have_it_open_keep_it_until_both_closed_it(make_mount: MakeMount, last: str) -> None:
    one, two = make_mount(), make_mount()
    (one.path / "f").write_bytes(b"content")
    eventually((two.path / "f").exists)
    fds = {"remover": os.open(one.path / "f", os.O_RDWR), "other": os.open(two.path / "f", os.O_RDWR)}
    ino = os.fstat(fds["other"]).st_ino
    (one.path / "f").unlink()
    eventually(lambda: os.fstat(fds["other"]).st_nlink == 0)
    first = next(name for name in fds if name != last)
    os.close(fds[first])
    with Volume.open(one.data / "volumes" / "main", "api") as volume:
        eventually(lambda: not is_open_by_two(volume, ino))
        os.pwrite(fds[last], b"written", 0)
        os.fsync(fds[last])
        assert os.pread(fds[last], 20, 0) == b"written"
        os.close(fds[last])
        eventually(lambda: not is_there(volume, ino))
        assert count_orphans(volume) == 0


def is_open_by_two(volume: Volume, ino: int) -> bool:
    def ask(txn: Transaction) -> int:
        holder = txn.writer.holder(ino)
        assert holder is not None
        return sum(table.has(ino) for table in txn.writer._openings._tables.values())

    return int(change(volume, ask)) > 1


def test_a_mount_that_is_killed_leaves_nothing_behind(root: Path, mount: Mounted, beside: Volume, opened: int) -> None:
    ino = os.fstat(opened).st_ino
    remove(beside, b"f")
    mount.kill()
    assert is_there(beside, ino)
    assert not check_volume(mount.data / "volumes" / "main")
    mount.restart()
    assert not is_there(beside, ino)
    with raises(errno.ENOENT):
        (root / "f").stat()
    assert len(list((mount.data / "volumes" / "main" / "openings").iterdir())) == 1


def test_without_another_mount_the_housekeeping_removes_it(mount: Mounted, beside: Volume, opened: int) -> None:
    ino = os.fstat(opened).st_ino
    remove(beside, b"f")
    assert orphans.sweep(beside) == 0
    assert os.pread(opened, 7, 0) == b"durable"
    mount.kill()
    assert orphans.sweep(beside) == 1
    assert not is_there(beside, ino)


def test_who_removed_it_may_be_gone_before_it_is_closed(root: Path, mount: Mounted, opened: int) -> None:
    ino = os.fstat(opened).st_ino
    with Volume.open(mount.data / "volumes" / "main", "api") as volume:
        remove(volume, b"f")
    eventually(lambda: os.fstat(opened).st_nlink == 0)
    os.close(opened)
    with Volume.open(mount.data / "volumes" / "main", "api") as volume:
        eventually(lambda: not is_there(volume, ino))
