"""Sparse files, fallocate, lseek for holes, and copies that move no bytes, on a real mount."""

import contextlib
import errno
import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from vexfs.core.types import BLOCK_BYTES
from vexfs.store.volume import Volume

from .conftest import Mounted, eventually
from .syscalls import (
    FALLOC_FL_COLLAPSE_RANGE,
    FALLOC_FL_INSERT_RANGE,
    FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_PUNCH_HOLE,
    FALLOC_FL_UNSHARE_RANGE,
    FALLOC_FL_ZERO_RANGE,
    FICLONE,
    copy_file_range,
    fallocate,
)
from .test_files import raises

B = BLOCK_BYTES
GIB = 1 << 30
LARGE = os.urandom(20 * B + 999)


@pytest.fixture
def fd(root: Path) -> Iterator[int]:
    opened = os.open(root / "f", os.O_RDWR | os.O_CREAT, 0o644)
    yield opened
    with contextlib.suppress(OSError):  # a test may have ended the mount
        os.close(opened)


def data_runs(fd: int) -> list[tuple[int, int]]:
    """What lseek says of where there is data."""
    found, place = [], 0
    while True:
        try:
            place = os.lseek(fd, place, os.SEEK_DATA)
        except OSError as error:
            assert error.errno == errno.ENXIO
            return found
        end = os.lseek(fd, place, os.SEEK_HOLE)
        found.append((place, end))
        place = end


# -- sparse files --------------------------------------------------------------------------------------


def test_a_file_of_many_gibibytes_takes_room_for_what_was_written_only(root: Path, fd: int, mount: Mounted) -> None:
    os.ftruncate(fd, 64 * GIB)
    os.pwrite(fd, b"hello", 5 * GIB)
    facts = os.fstat(fd)
    assert (facts.st_size, facts.st_blocks) == (64 * GIB, 1)  # not flushed yet: the bytes themselves
    os.fsync(fd)
    assert os.fstat(fd).st_blocks == B // 512
    assert os.pread(fd, 7, 5 * GIB - 1) == b"\0hello\0"
    assert data_runs(fd) == [(5 * GIB, 5 * GIB + B)]
    assert subprocess.run(["du", "-k", root / "f"], check=True, capture_output=True, text=True).stdout.startswith("64\t")
    assert sum(path.stat().st_size for path in mount.data.rglob("*") if path.is_file()) < 10_000_000
    mount.stop()
    mount.restart()
    assert (root / "f").stat().st_blocks == B // 512


def test_data_and_holes_are_told_of_what_was_just_written(fd: int) -> None:
    os.pwrite(fd, b"a", 0)
    os.pwrite(fd, b"b", 10 * B)
    assert data_runs(fd) == [(0, B), (10 * B, 10 * B + 1)]
    os.pwrite(fd, LARGE, 20 * B)  # large: a worker has it in hand
    assert data_runs(fd) == [(0, B), (10 * B, 11 * B), (20 * B, 20 * B + len(LARGE))]
    with raises(errno.ENXIO):
        os.lseek(fd, 20 * B + len(LARGE), os.SEEK_HOLE)


def test_a_sparse_copy_stays_sparse(root: Path, fd: int) -> None:
    os.pwrite(fd, b"x", 3 * GIB)
    os.fsync(fd)
    subprocess.run(["cp", "--sparse=auto", root / "f", root / "copy"], check=True)
    assert (root / "copy").stat().st_size == 3 * GIB + 1
    assert (root / "copy").stat().st_blocks <= B // 512


# -- fallocate -----------------------------------------------------------------------------------------


def test_allocating_extends_the_file_unless_it_shall_keep_its_size(fd: int) -> None:
    os.write(fd, b"abc")
    fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 10 * B)
    assert os.fstat(fd).st_size == 3
    os.posix_fallocate(fd, 0, 10 * B)
    assert os.fstat(fd).st_size == 10 * B
    assert os.pread(fd, 10, 0) == b"abc" + bytes(7)


def test_more_than_the_disk_has_cannot_be_allocated(fd: int) -> None:
    with raises(errno.ENOSPC):
        fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100 << 40)
    with raises(errno.EFBIG):
        fallocate(fd, 0, 1 << 47, 1)


@pytest.mark.parametrize("synced", [True, False])
def test_punching_gives_room_back_and_leaves_the_rest(fd: int, synced: bool) -> None:
    os.pwrite(fd, LARGE, 0)
    assert os.pread(fd, 10, B) == LARGE[B : B + 10]  # in the kernel's cache
    if synced:
        os.fsync(fd)
    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, B + 10, 5 * B)
    expected = LARGE[: B + 10] + bytes(5 * B) + LARGE[6 * B + 10 :]
    assert os.pread(fd, len(LARGE) + 1, 0) == expected
    assert data_runs(fd) == [(0, 2 * B), (6 * B, len(LARGE))]
    assert os.fstat(fd).st_blocks == (len(LARGE) - 4 * B + 511) // 512
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    assert os.pread(fd, len(LARGE) + 1, 0) == expected


def test_a_zeroed_range_may_reach_behind_the_end(fd: int) -> None:
    os.write(fd, b"x" * 100)
    fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 50, 1000)
    assert os.fstat(fd).st_size == 100
    fallocate(fd, FALLOC_FL_ZERO_RANGE, 60, 1000)
    assert os.pread(fd, 2000, 0) == b"x" * 50 + bytes(1010)


@pytest.mark.parametrize(
    "mode",
    [FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_UNSHARE_RANGE, FALLOC_FL_PUNCH_HOLE, 1 << 30],
)
def test_other_kinds_of_allocation_are_refused(fd: int, mode: int) -> None:
    os.write(fd, b"x" * 2 * B)
    with raises(errno.EOPNOTSUPP):
        fallocate(fd, mode, 0, B)
    assert os.fstat(fd).st_size == 2 * B


# -- copying -------------------------------------------------------------------------------------------


def copy(source: int, target: int, length: int, *, offset: int = 0, target_offset: int = 0) -> int:
    done = 0
    while done < length and (step := copy_file_range(source, offset + done, target, target_offset + done, length - done)):
        done += step
    return done


def stored_bytes(mount: Mounted) -> int:
    return sum(path.stat().st_size for path in (mount.data / "volumes" / "main" / "blobs").rglob("*") if path.is_file())


def test_copying_large_content_moves_no_bytes(root: Path, fd: int, mount: Mounted) -> None:
    data = os.urandom(70 << 20)
    os.pwrite(fd, data, 0)
    os.fsync(fd)
    stored = stored_bytes(mount)
    assert stored >= len(data)
    with (root / "copy").open("w+b") as target:
        assert copy(fd, target.fileno(), len(data)) == len(data)
        assert target.read() == data
    subprocess.run(["cp", root / "f", root / "again"], check=True)
    assert (root / "again").read_bytes() == data
    assert stored_bytes(mount) == stored


@pytest.mark.parametrize("size", [5, 100_000, len(LARGE)])
def test_any_range_is_copied_at_once_after_it_was_written(root: Path, fd: int, size: int) -> None:
    os.pwrite(fd, LARGE[:size], 0)
    with (root / "copy").open("w+b") as target:
        target.write(b"start and end")
        target.flush()
        assert copy(fd, target.fileno(), size, offset=1, target_offset=6) == size - 1
        target.seek(0)
        assert target.read() == (b"start " + LARGE[1:size]).ljust(13, b"\0")[:6] + LARGE[1:size] + b"start and end"[5 + size :]


def test_a_copy_over_itself_is_refused_and_within_one_file_is_not(fd: int) -> None:
    os.pwrite(fd, LARGE, 0)
    with raises(errno.EINVAL):
        copy_file_range(fd, 0, fd, 10, 11)
    assert copy(fd, fd, len(LARGE), target_offset=len(LARGE)) == len(LARGE)
    assert os.pread(fd, 3 * len(LARGE), 0) == LARGE * 2


def test_a_clone_is_refused_and_programs_copy_instead(root: Path, fd: int) -> None:
    os.pwrite(fd, LARGE, 0)
    with (root / "copy").open("wb") as target, raises(errno.EOPNOTSUPP):
        fcntl.ioctl(target.fileno(), FICLONE, fd)
    subprocess.run(["cp", "--reflink=auto", root / "f", root / "copy"], check=True)
    assert (root / "copy").read_bytes() == LARGE


def test_a_copy_of_a_deleted_file_that_is_open(root: Path, fd: int, beside: Volume) -> None:
    os.pwrite(fd, LARGE, 0)
    (root / "f").unlink()
    with (root / "copy").open("w+b") as target:
        assert copy(fd, target.fileno(), len(LARGE)) == len(LARGE)
        assert target.read() == LARGE
    eventually(lambda: (root / "copy").read_bytes() == LARGE)
