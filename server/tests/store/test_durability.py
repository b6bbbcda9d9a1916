"""What an acknowledged write rests on: an fdatasync that began after the commit."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vexfs.core import files
from vexfs.core.errors import DataLoss, Unavailable, VolumeReadOnly
from vexfs.core.types import ROOT_INO
from vexfs.store import durability, sqlite
from vexfs.store.volume import Volume

from .helpers import eventually, make_file, write


class Disk:
    """Stands before fdatasync: holds it back, counts it, makes it fail."""

    def __init__(self) -> None:
        self.began = 0
        self.synced_files: list[int] = []
        self.passing = threading.Event()
        self.passing.set()
        self.error: OSError | None = None
        self._real = os.fdatasync

    def fdatasync(self, fd: int) -> None:
        self.began += 1
        assert self.passing.wait(20)
        if self.error is not None:
            raise self.error
        self.synced_files.append(os.fstat(fd).st_ino)
        self._real(fd)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    stand_in = Disk()
    monkeypatch.setattr(durability.os, "fdatasync", stand_in.fdatasync)
    yield stand_in
    stand_in.passing.set()


def submit(volume: Volume, name: bytes) -> "object":
    return volume.queue.submit("create", lambda txn: files.create(txn, ROOT_INO, name, mode=0o644, uid=1, gid=1))


def test_a_write_is_answered_when_a_sync_that_began_after_its_commit_has_ended(disk: Disk, volume: Volume) -> None:
    disk.passing.clear()
    first = submit(volume, b"first")
    assert eventually(lambda: disk.began == 1)
    second = submit(volume, b"second")
    assert eventually(lambda: volume.head() == 2)  # committed, but the sync that runs may have missed it
    assert not first.done() and not second.done()  # type: ignore[attr-defined]
    disk.passing.set()
    first.result(10), second.result(10)  # type: ignore[attr-defined]
    assert disk.began == 2


def test_syncs_that_wait_together_share_one_fdatasync(disk: Disk, volume: Volume) -> None:
    make_file(volume, b"first")
    disk.passing.clear()
    running = volume.syncer.sync()
    assert eventually(lambda: disk.began == 2)
    waiting = [volume.syncer.sync() for _ in range(10)]
    disk.passing.set()
    for future in [running, *waiting]:
        future.result(10)
    assert disk.began == volume.syncer.count == 3


def test_a_failed_sync_is_data_loss_and_turns_the_volume_read_only_for_good(disk: Disk, volume: Volume) -> None:
    """The kernel drops the pages it could not write: that the next fdatasync succeeds would mean nothing."""
    make_file(volume, b"first")
    disk.error = OSError(5, "Input/output error")
    with pytest.raises(DataLoss):
        make_file(volume, b"lost")
    assert isinstance(volume.failure, DataLoss)
    disk.error = None
    with pytest.raises(VolumeReadOnly):
        make_file(volume, b"next")
    with pytest.raises(DataLoss):
        volume.syncer.sync().result(10)


def test_a_failed_sync_of_an_opening_that_never_wrote_opens_no_writer(disk: Disk, folder: Path, volume: Volume) -> None:
    make_file(volume, b"first")
    disk.error = OSError(5, "Input/output error")
    with Volume.open(folder, "indexer") as reader:
        with pytest.raises(DataLoss):
            reader.syncer.sync().result(10)
        assert reader.failure is None and vars(reader)["_writer"] is None


def test_a_write_ahead_log_that_was_made_anew_is_the_one_that_is_synced(disk: Disk, folder: Path) -> None:
    """The last connection that closes removes the file; a syncer that kept the old one would sync nothing."""
    path = folder.parent / "database"
    connection = sqlite.connect(path, create=True)
    connection.execute("CREATE TABLE t(a)")
    wal = Path(f"{path}-wal")
    syncer = durability.Syncer(path, "test", pytest.fail)
    syncer.sync().result(10)
    assert disk.synced_files == [wal.stat().st_ino]
    connection.close()
    assert not wal.exists()
    keep = (folder.parent / "takes the freed inode").open("w")
    syncer.sync().result(10)  # nothing to sync: everything is in the database
    connection = sqlite.connect(path)
    connection.execute("INSERT INTO t VALUES(1)")
    syncer.sync().result(10)
    assert disk.synced_files[-1] == wal.stat().st_ino and len(disk.synced_files) == 2
    syncer.close()
    connection.close()
    keep.close()


def test_a_closed_syncer_answers_what_waits_and_refuses_more(disk: Disk, volume: Volume) -> None:
    make_file(volume, b"first")
    disk.passing.clear()
    running, waiting = volume.syncer.sync(), volume.syncer.sync()
    closer = threading.Thread(target=volume.syncer.close)
    closer.start()
    disk.passing.set()
    closer.join(10)
    running.result(0), waiting.result(0)
    volume.syncer.close()
    with pytest.raises(Unavailable):
        volume.syncer.sync()


def test_closing_a_mount_syncs_its_last_group(disk: Disk, folder: Path) -> None:
    with Volume.open(folder, "mount", create=True) as mount:
        with mount.writer.begin("create") as txn:
            files.create(txn, ROOT_INO, b"last", mode=0o644, uid=1, gid=1)
        assert disk.began == 0
    assert disk.began == 1


def test_a_commit_itself_never_syncs(disk: Disk, volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    volume.queue.submit("create", lambda _: None, durable=False).result(10)
    write(volume, lambda _: None)
    assert disk.began == 1
    with volume.snapshot() as view:
        assert view.execute("PRAGMA synchronous").fetchall() == [(1,)]  # NORMAL: no sync at COMMIT in WAL mode
