"""Reading large files through the mount: from the page cache and from the disk, over holes, beside rows, with damage."""

import errno
import mmap
import os
import sys
from pathlib import Path

import pytest

from vexfs.core.types import BLOCK_BYTES, Ino
from vexfs.mount import lifecycle
from vexfs.store.compact import compact
from vexfs.store.volume import Volume

from .conftest import MakeMount, Mounted, eventually

LARGE = os.urandom(5_000_000)
MIB = 1 << 20

#: The mount process on a disk whose reads cannot be told not to wait.
ALWAYS_WAITING = """
import errno, os, sys
from vexfs.mount import large_reads, process
def preadv(fd, buffers, offset, flags=0):
    if flags:
        raise OSError(errno.EOPNOTSUPP, "not on this file system")
    return os.preadv(fd, buffers, offset)
large_reads.os = type("os", (), {**vars(os), "preadv": staticmethod(preadv)})
sys.exit(process.main(sys.argv[1:]))
"""


#: The mount process on a disk that takes its time: what the cache does not have is not there soon either. It counts the looks.
SLOW = """
import os, sys, time
from vexfs.mount import large_reads, process
def preadv(fd, buffers, offset, flags=0):
    if not flags:
        time.sleep(0.002)
        return os.preadv(fd, buffers, offset)
    with open({looks!r}, "a") as looks:
        looks.write("x")
    time.sleep(0.0001)
    raise BlockingIOError
large_reads.os = type("os", (), {{**vars(os), "preadv": staticmethod(preadv)}})
sys.exit(process.main(sys.argv[1:]))
"""


def blobs(mount: Mounted) -> list[Path]:
    folder = mount.data / "volumes" / "main" / "blobs"
    return [path for path in folder.rglob("*") if path.is_file()]


def forget_pages(*paths: Path) -> None:
    """Take what the kernel has cached of the files, so that the next read is a request, or goes to the disk."""
    os.sync()
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def read_direct(path: Path, offset: int, length: int) -> bytes:
    """Past the kernel's cache, and so with exactly that offset and length in the request."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        with mmap.mmap(-1, length + mmap.PAGESIZE) as memory, memoryview(memory) as view, view[:length] as target:
            return bytes(target[: os.preadv(fd, [target], offset)])
    finally:
        os.close(fd)


def write_durably(path: Path, data: bytes, offset: int = 0) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    os.pwrite(fd, data, offset)
    os.fsync(fd)
    os.close(fd)


@pytest.mark.parametrize("program", [None, [sys.executable, "-c", ALWAYS_WAITING]], ids=["a disk", "a disk that always waits"])
def test_a_large_file_reads_back_from_the_cache_and_from_the_disk(make_mount: MakeMount, program: list[str] | None) -> None:
    mount = make_mount(program=program)
    path = mount.path / "f"
    write_durably(path, LARGE)
    forget_pages(path)
    assert path.read_bytes() == LARGE
    forget_pages(path, *blobs(mount))
    assert path.read_bytes() == LARGE
    assert mount.errors() == []


def test_small_reads_here_and_there_that_come_from_the_disk(mount: Mounted) -> None:
    path = mount.path / "f"
    write_durably(path, LARGE)
    forget_pages(path, *blobs(mount))
    for number in range(300):
        offset = number * 7_919 * 4096 % 4_990_000
        assert read_direct(path, offset // 512 * 512, 4096) == LARGE[offset // 512 * 512 :][:4096], offset
    assert mount.errors() == []


def test_where_the_disk_is_slow_the_loop_soon_stops_looking(make_mount: MakeMount, tmp_path: Path) -> None:
    looks = tmp_path / "looks"
    mount = make_mount(program=[sys.executable, "-c", SLOW.format(looks=str(looks))])
    path = mount.path / "f"
    write_durably(path, LARGE)
    for number in range(200):
        assert read_direct(path, number * 8192, 4096) == LARGE[number * 8192 :][:4096]
    # One look finds that the cache has nothing; another, now and then, whether it comes soon.
    assert 200 < len(looks.read_text()) <= 210
    assert mount.errors() == []


def test_content_that_lies_elsewhere_by_now_is_read_there(mount: Mounted, beside: Volume) -> None:
    """Compaction moves a scattered file while somebody has it open, and the blobs it lay in are collected."""
    path = mount.path / "f"
    piece = 4 * BLOCK_BYTES
    for offset in range(0, 16 * piece, piece):
        write_durably(path, LARGE[offset : offset + piece], offset)
    before = blobs(mount)
    assert len(before) == 16
    fd = os.open(path, os.O_RDONLY)
    try:
        assert os.pread(fd, 1000, 0) == LARGE[:1000]
        assert compact(beside, Ino(path.stat().st_ino))
        for blob in before:
            blob.unlink()
        forget_pages(path)
        assert os.pread(fd, 16 * piece, 0) == LARGE[: 16 * piece]
    finally:
        os.close(fd)
    assert mount.errors() == []


def test_any_offset_and_length(mount: Mounted) -> None:
    path = mount.path / "f"
    write_durably(path, LARGE)
    for offset, length in ((0, 1), (65_535, 3), (131_071, 65_538), (999_999, MIB), (4_999_990, 100), (5_000_000, 10)):
        assert read_direct(path, offset, length) == LARGE[offset : offset + length], (offset, length)


def test_holes_are_zeros_whatever_was_read_before(mount: Mounted) -> None:
    """The answer is made in memory that held other files' bytes."""
    full, sparse = mount.path / "full", mount.path / "sparse"
    write_durably(full, LARGE)
    write_durably(sparse, LARGE[:400_000])
    write_durably(sparse, LARGE[:400_001], 3_000_000)
    os.truncate(sparse, 5_000_000)
    expected = LARGE[:400_000].ljust(3_000_000, b"\0") + LARGE[:400_001] + bytes(1_599_999)
    for _ in range(3):
        assert read_direct(full, 0, MIB) == LARGE[:MIB]
        for start in range(0, 5_000_000, MIB):
            assert read_direct(sparse, start, MIB) == expected[start : start + MIB], start
            assert read_direct(full, start, MIB) == LARGE[start : start + MIB]


def test_small_changes_of_a_large_file_are_read_with_the_rest(mount: Mounted) -> None:
    path = mount.path / "f"
    write_durably(path, LARGE)
    expected = bytearray(LARGE)
    for offset in (10, 200_000, 4_100_000):
        write_durably(path, b"changed", offset)
        expected[offset : offset + 7] = b"changed"
    forget_pages(path)
    assert path.read_bytes() == expected
    assert read_direct(path, 100_000, MIB) == expected[100_000 : 100_000 + MIB]


def test_a_short_or_missing_blob_is_an_io_error_and_other_files_are_read(mount: Mounted) -> None:
    path, other = mount.path / "f", mount.path / "other"
    write_durably(path, LARGE)
    (blob,) = blobs(mount)
    write_durably(other, LARGE[::-1])
    os.truncate(blob, 1_000_000)
    assert read_direct(path, 0, 65_536) == LARGE[:65_536]
    for damage in (lambda: None, blob.unlink):
        damage()
        with pytest.raises(OSError, check=lambda error: error.errno == errno.EIO):
            read_direct(path, 2_000_000, 65_536)
    assert read_direct(other, 2_000_000, 65_536) == LARGE[::-1][2_000_000:2_065_536]


def test_a_closed_file_keeps_no_blob_open(mount: Mounted) -> None:
    path = mount.path / "f"
    write_durably(path, LARGE)
    forget_pages(path)
    assert mount.process is not None
    descriptors = Path(f"/proc/{mount.process.pid}/fd")
    (blob,) = blobs(mount)

    def opened() -> int:
        return sum(fd.is_symlink() and fd.readlink() == blob for fd in descriptors.iterdir())

    with path.open("rb", buffering=0) as file:
        for _ in range(4):
            file.read(MIB)
        assert opened() == 1
    eventually(lambda: opened() == 0)


def test_the_kernel_reads_a_request_ahead_where_root_mounts(mount: Mounted) -> None:
    file = lifecycle.readahead_file(mount.path)
    if os.geteuid() != 0 or not os.access(file, os.W_OK):
        pytest.skip("only root may have the kernel read further ahead, where /sys can be written")
    assert file.read_text().strip() == "1024"
