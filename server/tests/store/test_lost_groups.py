"""Commits that fail: the disk is full, the disk refuses. Nothing is half there, and everybody is told."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from vexfs.core import content, files
from vexfs.core.errors import DataLoss, VexfsError, VolumeFull, VolumeReadOnly
from vexfs.core.types import CHANGE_NODE, ROOT_INO, Change, Ino
from vexfs.store import blobs
from vexfs.store.check import check_volume
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

from .helpers import make_file, no_file_grows_beyond, read_all, wal_bytes, write


def fill(txn: Transaction, ino: Ino, data: bytes) -> None:
    content.write(txn, ino, content.Prepared((), ((0, data),), len(data)))


def names(volume: Volume) -> list[bytes]:
    with volume.snapshot() as view:
        return [entry.name for entry in files.list_directory(view, ROOT_INO)]


@pytest.fixture
def mount(folder: Path) -> Iterator[Volume]:
    with Volume.open(folder, "mount", create=True) as opened:
        yield opened


def limit_pages(volume: Volume, more: int) -> None:
    """From here on the database is full once it has `more` pages more."""
    execute = volume.writer.execute
    (count,) = execute("PRAGMA page_count").fetchall()[0]
    execute(f"PRAGMA max_page_count={count + more}").fetchall()


def unlimit_pages(volume: Volume) -> None:
    volume.writer.execute("PRAGMA max_page_count=1000000").fetchall()


def test_a_full_database_refuses_the_write_and_keeps_the_others(volume: Volume) -> None:
    node = make_file(volume, b"file", b"old")
    limit_pages(volume, 20)
    with pytest.raises(VolumeFull):
        write(volume, lambda txn: fill(txn, node.ino, os.urandom(200_000)))
    assert volume.failure is None
    write(volume, lambda txn: files.set_attributes(txn, node.ino, mode=0o600))
    assert read_all(volume, node.ino) == b"old"
    unlimit_pages(volume)
    write(volume, lambda txn: fill(txn, node.ino, b"new"))
    assert read_all(volume, node.ino) == b"new"


def test_a_full_database_in_a_mounts_group_gives_the_group_up_and_the_volume_goes_on(mount: Volume) -> None:
    lost: list[VexfsError] = []
    mount.writer.on_group_lost = lost.append
    with mount.writer.begin("create") as txn:
        node = files.create(txn, ROOT_INO, b"file", mode=0o644, uid=1, gid=1)
    mount.writer.commit()
    limit_pages(mount, 20)
    with mount.writer.begin("chmod") as txn:
        files.set_attributes(txn, node.ino, mode=0o600)
    with pytest.raises(VolumeFull), mount.writer.begin("write") as txn:
        fill(txn, node.ino, os.urandom(200_000))
    assert len(lost) == 1 and not mount.writer.group_open and mount.failure is None
    unlimit_pages(mount)
    with mount.writer.begin("write") as txn:
        fill(txn, node.ino, b"new")
    assert mount.writer.commit() == 2
    with mount.snapshot() as view:
        assert files.stat(view, node.ino).mode == 0o100644


@pytest.mark.parametrize("role", ["api", "mount"])
def test_an_operation_whose_log_row_does_not_fit_leaves_nothing(folder: Path, role: str) -> None:
    with Volume.open(folder, role, create=True) as volume:
        with volume.writer.begin("create") as txn:
            node = files.create(txn, ROOT_INO, b"kept", mode=0o644, uid=1, gid=1)
        volume.writer.commit()
        limit_pages(volume, 20)
        with pytest.raises(VolumeFull):
            with volume.writer.begin("chmod") as txn:
                files.set_attributes(txn, node.ino, mode=0o600)
                for number in range(2000):
                    txn.note(Change(CHANGE_NODE, node.ino, 0, b"%0200d" % number))
            volume.writer.commit()  # the mount inserts a group's log rows here
        unlimit_pages(volume)
        with volume.writer.begin("create") as txn:
            files.create(txn, ROOT_INO, b"next", mode=0o644, uid=1, gid=1)
        assert volume.writer.commit() == 2
        assert names(volume) == [b"kept", b"next"]
        with volume.snapshot() as view:
            assert files.stat(view, node.ino) == node


def test_a_failed_commit_loses_its_group_whole_and_the_volume_turns_read_only(mount: Volume, folder: Path) -> None:
    lost: list[VexfsError] = []
    mount.writer.on_group_lost = lost.append
    with mount.writer.begin("create") as txn:
        files.create(txn, ROOT_INO, b"kept", mode=0o644, uid=1, gid=1)
    mount.writer.commit()
    for number in range(50):
        with mount.writer.begin("create") as txn:
            files.create(txn, ROOT_INO, b"lost-%d" % number, mode=0o644, uid=1, gid=1)
    with no_file_grows_beyond(wal_bytes(mount) + 5000), pytest.raises(DataLoss):
        mount.writer.commit()
    assert [error.reason for error in lost] == ["DATA_LOSS"]
    assert isinstance(mount.failure, DataLoss)
    assert names(mount) == [b"kept"] and mount.head() == 1
    with pytest.raises(VolumeReadOnly):
        mount.writer.begin("create")
    mount.close()
    assert check_volume(folder) == []
    with Volume.open(folder, "mount") as again:
        assert names(again) == [b"kept"]
        with again.writer.begin("create") as txn:
            files.create(txn, ROOT_INO, b"next", mode=0o644, uid=1, gid=1)
        assert again.writer.commit() == 2


def test_a_failed_commit_is_told_to_every_caller_of_its_group(volume: Volume) -> None:
    make_file(volume, b"kept")
    with no_file_grows_beyond(wal_bytes(volume) + 100):
        futures = [
            volume.queue.submit("create", lambda txn, n=n: files.create(txn, ROOT_INO, b"%d" % n, mode=0o644, uid=1, gid=1))  # type: ignore[misc]
            for n in range(5)
        ]
        errors = [future.exception(10) for future in futures]
    assert all(isinstance(error, (DataLoss, VolumeReadOnly)) for error in errors)
    assert isinstance(errors[0], DataLoss)
    with pytest.raises(VolumeReadOnly):
        write(volume, lambda txn: None)
    assert names(volume) == [b"kept"]


def test_another_opening_goes_on_after_a_lost_group(folder: Path, mount: Volume) -> None:
    with Volume.open(folder, "api") as api:
        make_file(api, b"kept")
        with mount.writer.begin("create") as txn:
            files.create(txn, ROOT_INO, b"lost", mode=0o644, uid=1, gid=1)
        with no_file_grows_beyond(wal_bytes(mount) + 100), pytest.raises(DataLoss):
            mount.writer.commit()
        make_file(api, b"next")
        assert names(api) == names(mount) == [b"kept", b"next"]


def test_closing_after_a_failed_commit_says_so_and_closes_everything(folder: Path) -> None:
    mount = Volume.open(folder, "mount", create=True)
    with mount.writer.begin("create") as txn:
        files.create(txn, ROOT_INO, b"lost", mode=0o644, uid=1, gid=1)
    with no_file_grows_beyond(1), pytest.raises(DataLoss):
        mount.close()
    mount.close()
    with Volume.open(folder, "api") as api:
        assert names(api) == []
        make_file(api, b"free")


def test_a_blob_that_does_not_fit_on_the_disk_leaves_no_file(volume: Volume) -> None:
    with no_file_grows_beyond(500_000):
        with pytest.raises(VolumeFull):
            volume.blobs.add(bytes(600_000))
        with pytest.raises(VolumeFull), content.StagedContent(volume.blobs) as staged:
            for _ in range(10):
                staged.write(bytes(100_000))
    assert list(volume.blobs.all_hashes()) == []
    assert volume.blobs.abandoned(-1.0, 1e12) == []


def test_a_disk_that_does_not_confirm_a_blob_is_no_full_disk(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(blobs.os, "fsync", refuse)
    with pytest.raises(DataLoss):
        volume.blobs.add(b"data")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 3 MiB."""
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "vexfs-test", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting needs root")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_disk_that_fills_up_and_has_room_again(small_disk: Path) -> None:
    """Every acknowledged file is there, whole; none of the refused is."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_000_000))
    written: dict[bytes, bytes] = {}
    with Volume.open(small_disk / "volume", "api", create=True) as volume:
        with pytest.raises(VolumeFull):
            for number in range(100):
                name, data = b"%03d" % number, os.urandom(60_000)
                make_file(volume, name, data)
                written[name] = data
        assert written
        assert volume.failure is None
        ballast.unlink()
        written[b"later"] = b"room again"
        make_file(volume, b"later", b"room again")
        with volume.snapshot() as view:
            for entry in files.list_directory(view, ROOT_INO):
                assert content.read(view, entry.node.ino, 0, 1 << 20) == written.pop(entry.name)
        assert written == {}
    assert check_volume(small_disk / "volume", deep=True) == []
