"""A quota on a real mount: write(2) says when there is no room, what was taken is kept, and room can always be made."""

import errno
import mmap
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vexfs.core import content, files, quotas
from vexfs.core.errors import QuotaExceeded
from vexfs.core.types import BLOCK_BYTES, ROOT_INO
from vexfs.mount.wire import FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE
from vexfs.store import usage
from vexfs.store.check import check_volume
from vexfs.store.volume import Volume

from .conftest import MakeMount, Mounted, eventually
from .syscalls import fallocate

MIB = 1 << 20
LIMIT = 4 * MIB


class Limited:
    """A mount whose volume may hold LIMIT bytes."""

    def __init__(self, mount: Mounted, beside: Volume) -> None:
        self.mount, self.root, self.volume = mount, mount.path, beside

    def limit(self, limit_bytes: int | None, limit_files: int | None = None) -> None:
        quotas.set_limits(self.volume, limit_bytes=limit_bytes, limit_files=limit_files)
        os.statvfs(self.root)  # the mount looks

    def used(self) -> int:
        """What the volume counts, once what was closed or synced is in it."""
        fd = os.open(self.root, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
        with self.volume.snapshot() as view:
            return usage.read(view).bytes

    def fill(self, name: str = "filler", leave: int = 0) -> Path:
        """A file with all that fits, but for so many bytes."""
        path = self.root / name
        path.write_bytes(b"f" * (LIMIT - leave))
        return path


@pytest.fixture
def limited(mount: Mounted, beside: Volume) -> Iterator[Limited]:
    found = Limited(mount, beside)
    found.limit(LIMIT)
    yield found
    assert mount.errors() == []
    beside.close()
    mount.stop()
    assert [finding for finding in check_volume(mount.data / "volumes" / "main") if finding.invariant != "no-stray-blob"] == []


def refused(work: Callable[[], object]) -> None:
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EDQUOT):
        work()


def write_all(fd: int, data: bytes) -> int:
    """Write until it is all written or refused; how much was taken."""
    taken = 0
    try:
        while taken < len(data):
            taken += os.write(fd, data[taken:])
    except OSError as error:
        assert error.errno == errno.EDQUOT
    return taken


@pytest.mark.parametrize("piece", [1000, 4096, BLOCK_BYTES, MIB])
def test_writing_until_it_is_full_then_making_room(limited: Limited, piece: int) -> None:
    fd = os.open(limited.root / "f", os.O_CREAT | os.O_RDWR)
    data = os.urandom(piece)
    taken = 0
    while (count := write_all(fd, data)) == piece:
        taken += count
    taken += count
    assert LIMIT - piece < taken <= LIMIT
    os.fsync(fd)
    assert limited.used() == taken == os.fstat(fd).st_size
    refused(lambda: os.pwrite(fd, b"x" * piece, taken))
    assert os.pwrite(fd, b"y" * piece, 0) == piece, "what is overwritten takes no room"
    os.ftruncate(fd, taken - piece)
    assert os.pwrite(fd, data, taken - piece) == piece
    os.close(fd)
    other = limited.root / "g"
    refused(lambda: other.write_bytes(b"z" * (LIMIT - taken + 1)))
    (limited.root / "f").unlink()
    other.write_bytes(b"z" * LIMIT)
    assert limited.used() == LIMIT
    assert other.read_bytes() == b"z" * LIMIT


def test_bytes_that_wait_in_memory_are_counted(limited: Limited) -> None:
    """Several files at once, none of them synced or closed: what was taken fits together, and all of it arrives."""
    descriptors = [os.open(limited.root / f"f{number}", os.O_CREAT | os.O_WRONLY) for number in range(10)]
    taken = [0] * len(descriptors)
    full: set[int] = set()
    while len(full) < len(descriptors):
        for number, fd in enumerate(descriptors):
            if number not in full:
                count = write_all(fd, b"x" * 30_000)
                taken[number] += count
                if count < 30_000:
                    full.add(number)
    assert LIMIT - 30_000 < sum(taken) <= LIMIT
    for number, fd in enumerate(descriptors):
        os.close(fd)  # says nothing: nothing is lost
        assert (limited.root / f"f{number}").stat().st_size == taken[number]
    assert limited.used() == sum(taken)


def test_room_is_taken_once_although_bytes_are_written_twice(limited: Limited) -> None:
    limited.fill(leave=100_000)
    fd = os.open(limited.root / "f", os.O_CREAT | os.O_WRONLY)
    for _ in range(50):
        assert os.pwrite(fd, b"x" * 99_000, 1_000) == 99_000
    assert os.pwrite(fd, b"x" * 1_000, 0) == 1_000
    refused(lambda: os.pwrite(fd, b"x", 100_000))
    os.close(fd)
    assert limited.used() == LIMIT


def test_what_is_taken_back_before_it_is_stored_leaves_its_room(limited: Limited) -> None:
    for way in ("unlink", "truncate", "open"):
        path = limited.root / "f"
        fd = os.open(path, os.O_CREAT | os.O_WRONLY)
        assert write_all(fd, b"x" * LIMIT) == LIMIT
        if way == "unlink":
            path.unlink()
            os.close(fd)
        elif way == "truncate":
            os.ftruncate(fd, 0)
            assert write_all(fd, b"y" * LIMIT) == LIMIT
            os.ftruncate(fd, 0)
            os.close(fd)
        else:
            os.close(os.open(path, os.O_WRONLY | os.O_TRUNC))
            os.close(fd)
    assert limited.used() == 0
    limited.fill()


def test_cutting_and_growing_what_is_pending_keeps_the_count(limited: Limited) -> None:
    fd = os.open(limited.root / "f", os.O_CREAT | os.O_RDWR)
    os.write(fd, b"x" * 300_000)
    os.ftruncate(fd, 200_000)
    os.ftruncate(fd, 3 * MIB)
    os.pwrite(fd, b"y", 2 * MIB)
    os.fsync(fd)
    assert limited.used() == 4 * BLOCK_BYTES + BLOCK_BYTES
    os.close(fd)


def test_sparse_files_count_what_they_store(limited: Limited) -> None:
    fd = os.open(limited.root / "sparse", os.O_CREAT | os.O_RDWR)
    os.ftruncate(fd, 1 << 40)
    blocks = LIMIT // BLOCK_BYTES
    for number in range(blocks):
        assert os.pwrite(fd, b"x", number * 100 * BLOCK_BYTES + number) == 1
    refused(lambda: os.pwrite(fd, b"x", (1 << 40) - 1))
    refused(lambda: os.pwrite(fd, b"x" * 2 * BLOCK_BYTES, 50 * BLOCK_BYTES))
    assert os.pwrite(fd, b"y" * BLOCK_BYTES, 0) == BLOCK_BYTES, "a block that is there already"
    os.fsync(fd)
    assert limited.used() == LIMIT
    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, BLOCK_BYTES)
    assert os.pwrite(fd, b"z" * 10, (1 << 39)) == 10
    os.fsync(fd)
    assert limited.used() == LIMIT
    os.close(fd)


def test_fallocate_copy_and_nameless_files_stay_inside(limited: Limited) -> None:
    source = limited.fill("source", leave=300_000)
    fd = os.open(limited.root, os.O_TMPFILE | os.O_RDWR)
    refused(lambda: fallocate(fd, 0, 0, 300_001))
    fallocate(fd, 0, 0, 300_000)
    reading = os.open(source, os.O_RDONLY)
    refused(lambda: os.copy_file_range(reading, fd, 300_001, 0, 0))
    assert os.copy_file_range(reading, fd, 300_000, 0, 0) == 300_000
    os.close(reading)
    refused(lambda: os.pwrite(fd, b"x", 300_000))
    os.close(fd)
    eventually(lambda: limited.used() == LIMIT - 300_000)


def test_a_mapping_that_fills_holes_fails_at_msync_not_silently(limited: Limited) -> None:
    limited.fill(leave=BLOCK_BYTES)
    fd = os.open(limited.root / "mapped", os.O_CREAT | os.O_RDWR)
    os.ftruncate(fd, 10 * BLOCK_BYTES)
    mapped = mmap.mmap(fd, 10 * BLOCK_BYTES)
    mapped[0] = 1
    mapped.flush()
    assert limited.used() == LIMIT
    mapped[5 * BLOCK_BYTES] = 1

    def flush() -> None:
        mapped.flush()
        os.fsync(fd)

    with pytest.raises(OSError):
        flush()
    mapped.close()
    os.close(fd)
    assert limited.used() == LIMIT


def test_everything_but_growing_goes_on_when_it_is_full(limited: Limited) -> None:
    path = limited.fill()
    limited.limit(MIB, 1)
    refused((limited.root / "new").touch)
    refused((limited.root / "new").mkdir)
    refused(lambda: (limited.root / "new").symlink_to("x"))
    with path.open("r+b") as file:
        file.write(b"overwritten")
    path.chmod(0o600)
    os.setxattr(path, "user.colour", b"blue")
    os.link(path, limited.root / "again")
    path.rename(limited.root / "renamed")
    os.truncate(limited.root / "renamed", 10)
    (limited.root / "again").unlink()
    (limited.root / "renamed").unlink()
    assert list(limited.root.iterdir()) == []


def test_df_shows_the_quota(limited: Limited) -> None:
    limited.limit(LIMIT, 10)
    (limited.root / "f").write_bytes(b"x" * MIB)
    shown = os.statvfs(limited.root)
    assert shown.f_blocks * shown.f_frsize == LIMIT
    assert shown.f_bfree * shown.f_frsize == shown.f_bavail * shown.f_frsize == LIMIT - MIB
    assert (shown.f_files, shown.f_ffree) == (10, 8)
    fd = os.open(limited.root / "g", os.O_CREAT | os.O_WRONLY)
    os.write(fd, b"x" * MIB)  # waits in memory, and is counted
    shown = os.statvfs(limited.root)
    assert (shown.f_bfree * shown.f_frsize, shown.f_ffree) == (LIMIT - 2 * MIB, 7)
    os.close(fd)
    limited.limit(MIB, 1)
    shown = os.statvfs(limited.root)
    assert (shown.f_blocks * shown.f_frsize, shown.f_bfree, shown.f_bavail, shown.f_files, shown.f_ffree) == (MIB, 0, 0, 1, 0)
    limited.limit(None)
    disk = os.statvfs(limited.mount.data)
    assert os.statvfs(limited.root).f_blocks * shown.f_frsize == disk.f_blocks * disk.f_frsize


def test_two_programs_race_for_the_last_bytes(limited: Limited) -> None:
    """What both were told was taken is there, and no byte more than the limit."""
    limited.fill(leave=MIB)
    taken: dict[str, int] = {}

    def write(name: str) -> None:
        fd = os.open(limited.root / name, os.O_CREAT | os.O_WRONLY)
        taken[name] = _until_full(fd, 7_000)
        os.close(fd)

    writers = [threading.Thread(target=write, args=(name,)) for name in ("a", "b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert MIB - 7_000 < sum(taken.values()) <= MIB
    assert limited.used() == LIMIT - MIB + sum(taken.values())
    assert {name: (limited.root / name).stat().st_size for name in taken} == taken


def _until_full(fd: int, piece: int) -> int:
    total = 0
    while True:
        count = write_all(fd, b"x" * piece)
        total += count
        if count < piece:
            return total


def test_mount_and_api_race_for_the_last_bytes(limited: Limited) -> None:
    """Another process may take the room of bytes that still wait in memory: close or fsync says so, and the limit holds."""
    fd = os.open(limited.root / "f", os.O_CREAT | os.O_WRONLY)
    kept = 0
    for _ in range(20):
        assert write_all(fd, b"x" * 100_000) == 100_000
        try:
            os.fsync(fd)
            kept += 100_000
        except OSError as error:
            assert error.errno == errno.EDQUOT
            break
        prepared = content.prepare(limited.volume.blobs, [(0, b"y" * 150_000)], whole=True)

        def put(txn: object, prepared: content.Prepared = prepared, name: bytes = b"api-%d" % kept) -> object:
            node = files.create(txn, ROOT_INO, name, mode=0o644, uid=0, gid=0)  # type: ignore[arg-type]
            return content.replace(txn, node.ino, prepared)  # type: ignore[arg-type]

        try:
            limited.volume.queue.submit("put", put).result()
        except QuotaExceeded:
            break
    os.close(fd)
    assert limited.used() <= LIMIT
    assert (limited.root / "f").stat().st_size == kept


def test_bytes_whose_room_others_took_are_reported_at_fsync_or_close(limited: Limited) -> None:
    for finish in ("fsync", "close"):
        fd = os.open(limited.root / finish, os.O_CREAT | os.O_WRONLY)
        assert os.write(fd, b"x" * 100_000) == 100_000
        limited.volume.queue.submit("set_quota", lambda txn: usage.set_limits(txn, limit_bytes=10, limit_files=None)).result()
        refused(lambda fd=fd, finish=finish: os.fsync(fd) if finish == "fsync" else os.close(fd))  # type: ignore[misc]
        if finish == "fsync":
            os.close(fd)
        eventually(lambda finish=finish: (limited.root / finish).stat().st_size == 0)  # type: ignore[misc]
        limited.limit(LIMIT)
    assert "written bytes are lost" in limited.mount.log.read_text()


def test_a_standalone_mount_obeys_what_the_volume_says(make_mount: MakeMount, limited: Limited) -> None:
    second = make_mount()
    refused(lambda: (second.path / "f").write_bytes(b"x" * (LIMIT + 1)))
    (second.path / "f").write_bytes(b"x" * LIMIT)
    refused(lambda: (limited.root / "g").write_bytes(b"x"))
