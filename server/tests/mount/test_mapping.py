"""Memory maps and O_DIRECT beside reads and writes: one content, whatever way it is looked at."""

import contextlib
import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Mounted, eventually

PAGE = mmap.PAGESIZE
SIZE = 40 * PAGE
CONTENT = os.urandom(SIZE)


@pytest.fixture
def fd(root: Path) -> Iterator[int]:
    (root / "f").write_bytes(CONTENT)
    opened = os.open(root / "f", os.O_RDWR)
    yield opened
    with contextlib.suppress(OSError):  # a test may have ended the mount
        os.close(opened)


def test_a_shared_map_and_writes_see_each_other(root: Path, fd: int) -> None:
    with mmap.mmap(fd, 0) as mapped:
        os.pwrite(fd, b"written", 5 * PAGE)
        assert mapped[5 * PAGE : 5 * PAGE + 7] == b"written"
        mapped[6 * PAGE : 6 * PAGE + 6] = b"mapped"
        assert os.pread(fd, 6, 6 * PAGE) == b"mapped"
        assert (root / "f").read_bytes()[6 * PAGE : 6 * PAGE + 6] == b"mapped"


def test_what_another_process_writes_into_its_map_is_seen_and_kept(root: Path, fd: int, mount: Mounted) -> None:
    script = "import mmap, sys\nf = open(sys.argv[1], 'r+b')\nm = mmap.mmap(f.fileno(), 0)\nm[100:105] = b'child'\n"
    with mmap.mmap(fd, 0) as mapped:
        subprocess.run([sys.executable, "-c", script, root / "f"], check=True)
        assert mapped[100:105] == b"child"
        mapped.flush()
    os.fsync(fd)
    mount.kill()
    mount.restart()
    assert (root / "f").read_bytes() == CONTENT[:100] + b"child" + CONTENT[105:]


def test_a_private_map_changes_nothing(root: Path, fd: int) -> None:
    with mmap.mmap(fd, 0, mmap.MAP_PRIVATE) as mapped:
        mapped[:7] = b"private"
        assert mapped[:7] == b"private"
        os.pwrite(fd, b"written", 9 * PAGE)
        assert mapped[9 * PAGE : 9 * PAGE + 7] == b"written"
    assert os.pread(fd, 7, 0) == CONTENT[:7]
    assert (root / "f").read_bytes()[:PAGE] == CONTENT[:PAGE]


def test_a_mapped_file_that_is_cut_ends_there(root: Path, fd: int) -> None:
    with mmap.mmap(fd, 0) as mapped:
        mapped[0:1] = b"x"
        os.ftruncate(fd, 10)
        assert mapped[:12] == b"x" + CONTENT[1:10] + b"\0\0"
        os.ftruncate(fd, SIZE)
        assert mapped[PAGE : PAGE + 4] == bytes(4)
    assert (root / "f").read_bytes() == b"x" + CONTENT[1:10] + bytes(SIZE - 10)


def test_a_program_runs_from_a_map_of_the_mount(root: Path) -> None:
    (root / "true").write_bytes(Path("/bin/true").read_bytes())
    (root / "true").chmod(0o755)
    subprocess.run([root / "true"], check=True)


@pytest.fixture
def direct(root: Path, fd: int) -> Iterator[int]:
    opened = os.open(root / "f", os.O_RDWR | os.O_DIRECT)
    yield opened
    os.close(opened)


def test_direct_reads_and_writes_go_past_the_cache_and_keep_it_true(fd: int, direct: int) -> None:
    buffer = mmap.mmap(-1, 4 * PAGE)
    assert os.pread(fd, SIZE, 0) == CONTENT
    assert os.preadv(direct, [buffer], PAGE) == 4 * PAGE
    assert buffer[:] == CONTENT[PAGE : 5 * PAGE]
    buffer[:] = b"d" * (4 * PAGE)
    assert os.pwritev(direct, [buffer], 2 * PAGE) == 4 * PAGE
    assert os.pread(fd, SIZE, 0) == CONTENT[: 2 * PAGE] + buffer[:] + CONTENT[6 * PAGE :]
    os.pwrite(fd, b"cached", 2 * PAGE)
    assert os.preadv(direct, [buffer], 2 * PAGE) == 4 * PAGE
    assert buffer[:6] == b"cached"


def test_direct_reads_end_with_the_file_and_direct_writes_extend_it(direct: int) -> None:
    buffer = mmap.mmap(-1, 4 * PAGE)
    assert os.preadv(direct, [buffer], SIZE - PAGE) == PAGE
    assert os.preadv(direct, [buffer], SIZE) == 0
    assert os.pwritev(direct, [buffer], SIZE + PAGE) == 4 * PAGE
    assert os.fstat(direct).st_size == SIZE + 5 * PAGE


def test_a_directly_opened_file_can_be_mapped(fd: int, direct: int) -> None:
    buffer = mmap.mmap(-1, PAGE)
    with mmap.mmap(direct, 0) as mapped:
        assert mapped[:PAGE] == CONTENT[:PAGE]
        mapped[:6] = b"mapped"
        mapped.flush()
        assert os.preadv(direct, [buffer], 0) == PAGE
        assert buffer[:6] == b"mapped"
    eventually(lambda: os.pread(fd, 6, 0) == b"mapped")
