"""fsync from several programs at once: what shares a commit, and what each may rely on."""

import contextlib
import errno
import os
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.mount.conftest import MakeMount, Mounted, eventually
from vexfs.core import files
from vexfs.core.types import ROOT_INO
from vexfs.store.volume import Volume

PROGRAMS = 12

#: The mount process on a disk that takes its time, and whose commits fail once a file beside the data folder says so.
SLOW = """
import os, sys, time
from pathlib import Path
import apsw
from vexfs.mount import process
from vexfs.store import durability
from vexfs.store.writer import Writer
beside = Path(sys.argv[sys.argv.index("--data") + 1]).parent
sync = os.fdatasync
def slow(fd):
    (beside / "syncing").touch()
    time.sleep({sync_s})
    sync(fd)
    (beside / "syncing").unlink()
    with (beside / "syncs").open("a") as syncs:
        syncs.write("x")
durability.os = type("os", (), {{**vars(os), "fdatasync": staticmethod(slow)}})
good = Writer._write_touched
def written(self):
    if (beside / "fail-commits").exists():
        raise apsw.IOError("the disk broke")
    good(self)
Writer._write_touched = written
sys.exit(process.main(sys.argv[1:]))
"""


def on_slow_disk(make_mount: MakeMount, sync_s: float) -> Mounted:
    program = [sys.executable, "-c", textwrap.dedent(SLOW).format(sync_s=sync_s)]
    return make_mount("--no-wait-findable", program=program)


def content_of(path: Path) -> bytes:
    return path.name.encode() * 500


def write_synced(path: Path) -> int:
    """The descriptor, still open: closing it is a request of its own."""
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    os.write(fd, content_of(path))
    os.fsync(fd)
    return fd


def create_synced(path: Path) -> None:
    os.close(write_synced(path))


def create_all_synced(paths: list[Path]) -> None:
    for path in paths:
        create_synced(path)


def sync_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def commits_of(volume: Volume, first: int) -> int:
    """How many commits the operations above revision `first` took: those of one have the same base."""
    with volume.snapshot() as view:
        return int(view.execute("SELECT count(DISTINCT base) FROM log WHERE revision>?", (first,)).fetchall()[0][0])


def during_a_sync(mount: Mounted, folder: Path, work: Callable[[], None]) -> None:
    """Run `work` while the log is being synced for somebody else."""
    first = threading.Thread(target=write_synced, args=(mount.path / "first",))
    first.start()
    eventually((folder / "syncing").exists)
    work()
    first.join()


def test_what_programs_sync_during_a_sync_shares_a_commit(make_mount: MakeMount, folder: Path) -> None:
    mount = on_slow_disk(make_mount, sync_s=0.5)
    files = [(mount.path / f"f{number}").open("xb", buffering=0) for number in range(PROGRAMS)]
    with Volume.open(mount.data / "volumes" / "main", "api") as beside, ThreadPoolExecutor(PROGRAMS) as programs:
        heads = [0]

        def all_at_once() -> None:
            for file in files:
                file.write(content_of(Path(file.name)))
            heads[0] = int(beside.head())
            list(programs.map(lambda file: os.fsync(file.fileno()), files))

        during_a_sync(mount, folder, all_at_once)
        # One by fsync; a group that is 10 ms old, or when no request came for a moment, is committed before.
        assert commits_of(beside, heads[0]) <= PROGRAMS // 2
    mount.kill()
    for file in files:
        with contextlib.suppress(OSError):
            file.close()
    mount.restart()
    assert all(Path(file.name).read_bytes() == content_of(Path(file.name)) for file in files)


def test_what_is_durable_already_is_not_synced_again(make_mount: MakeMount, folder: Path) -> None:
    mount = on_slow_disk(make_mount, sync_s=0.01)

    def syncs() -> int:
        return len((folder / "syncs").read_text())

    os.close(write_synced(mount.path / "file"))
    first = syncs()
    sync_folder(mount.path)
    sync_folder(mount.path)
    assert syncs() == first
    (mount.path / "another").touch()
    sync_folder(mount.path)
    assert syncs() == first + 1
    with Volume.open(mount.data / "volumes" / "main", "api") as beside:
        with beside.writer.begin("create") as txn:
            files.create(txn, ROOT_INO, b"elsewhere", mode=0o644, uid=0, gid=0)
        beside.writer.commit()  # and nobody has synced it
        eventually((mount.path / "elsewhere").exists)

        def synced_for_it() -> bool:
            sync_folder(mount.path)
            return syncs() == first + 2

        eventually(synced_for_it)


@pytest.mark.parametrize("spin_us", ["0", "200"])
def test_programs_that_sync_all_the_time_share_commits(make_mount: MakeMount, spin_us: str) -> None:
    mount, rounds = make_mount("--no-wait-findable", "--spin-us", spin_us), 20
    paths = [[mount.path / f"{program}-{number}" for number in range(rounds)] for program in range(PROGRAMS)]
    with Volume.open(mount.data / "volumes" / "main", "api") as beside, ThreadPoolExecutor(PROGRAMS) as programs:
        list(programs.map(create_all_synced, paths))
        # Alone, each fsync would commit its own file; commits by age, which a busy machine brings more of, count here, too.
        assert commits_of(beside, 0) < PROGRAMS * rounds
    mount.kill()
    mount.restart()
    assert all(path.read_bytes() == content_of(path) for mine in paths for path in mine)


def test_a_sync_that_waits_while_its_group_is_lost_fails(make_mount: MakeMount, folder: Path) -> None:
    mount = on_slow_disk(make_mount, sync_s=1.0)

    def lose() -> None:
        (folder / "fail-commits").touch()
        (mount.path / "lost").mkdir()
        with pytest.raises(OSError, check=lambda error: error.errno == errno.EIO):
            sync_folder(mount.path)  # the group is committed, and lost, because of its age, long before the sync ends

    during_a_sync(mount, folder, lose)
    eventually(lambda: not (mount.path / "lost").exists())
    assert (mount.path / "first").exists()


def test_who_waits_for_a_sync_when_the_mount_ends_is_answered(make_mount: MakeMount, folder: Path) -> None:
    mount = on_slow_disk(make_mount, sync_s=0.3)
    paths = [mount.path / f"f{number}" for number in range(PROGRAMS)]

    def end_meanwhile() -> None:
        with ThreadPoolExecutor(PROGRAMS) as programs:
            synced = [programs.submit(write_synced, path) for path in paths]
            eventually(lambda: all(path.exists() and path.stat().st_size for path in paths))
            time.sleep(0.02)
            assert mount.stop() == 0
            assert all(future.result(10) > 0 for future in synced)

    during_a_sync(mount, folder, end_meanwhile)
    mount.restart()
    assert all(path.read_bytes() == content_of(path) for path in paths)
