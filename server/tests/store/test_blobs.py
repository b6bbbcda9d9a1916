"""Blob files: whole before they have their name, gone only when nobody can want them."""

import errno
import mmap
import os
import threading
from pathlib import Path

import pytest

from vexfs.core import content, files
from vexfs.core.errors import CorruptContent, Unavailable, VolumeFull
from vexfs.core.types import ROOT_INO, Node
from vexfs.store import blobs, collect, history
from vexfs.store.check import check_volume
from vexfs.store.volume import Volume

from .helpers import make_file, read_all, write

BIG = bytes(range(256)) * 2000
OTHER = b"other" * 100_000


def remove_for_good(volume: Volume, name: bytes) -> None:
    """Remove a file and trim its history: what only it used is condemned."""
    write(volume, lambda txn: files.remove(txn, ROOT_INO, name))
    write(volume, lambda txn: history.trim_slice(txn, txn.revision - 1))


def blob_of(volume: Volume) -> bytes:
    with volume.snapshot() as view:
        return bytes(view.execute("SELECT hash FROM blob").fetchall()[0][0])


def test_a_blob_reads_back_and_has_the_name_of_its_hash(volume: Volume) -> None:
    digest = volume.blobs.add(BIG)
    assert volume.blobs.read(digest, 1000, 50) == BIG[1000:1050]
    assert volume.blobs.size(digest) == len(BIG) and volume.blobs.verify(digest)
    assert volume.blobs.path(digest).name == digest.hex()
    assert list(volume.blobs.all_hashes()) == [digest]


def pages(*contents: bytes) -> list[memoryview]:
    """Each content in memory of its own, which begins on a page."""
    views = [memoryview(mmap.mmap(-1, len(data))) for data in contents]
    for view, data in zip(views, contents, strict=True):
        view[:] = data
    return views


PIECES = [b"a" * 65_536, b"b" * 983_040, b"c" * 4096]


def test_pieces_in_whole_pages_become_one_blob(volume: Volume) -> None:
    digest = volume.blobs.add_pieces(pages(*PIECES), cached=False)
    assert digest == volume.blobs.add(b"".join(PIECES))
    assert volume.blobs.read(digest, 0, 1_052_672) == b"".join(PIECES) and volume.blobs.verify(digest)


@pytest.mark.parametrize(
    "pieces", [[view[1:] for view in pages(*PIECES)], [b"x", *PIECES], [b"ab" * 2048] * 1100, [b"a" * 5000], []]
)
def test_pieces_of_any_kind_become_one_blob(volume: Volume, pieces: list[bytes | memoryview]) -> None:
    digest = volume.blobs.add_pieces(pieces, cached=False)
    assert volume.blobs.size(digest) == sum(map(len, pieces)) and volume.blobs.verify(digest)
    assert digest == volume.blobs.add(b"".join(pieces))


def test_what_the_disk_does_not_take_past_the_cache_goes_through_it(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    def some(fd: int, views: list[memoryview]) -> int:
        return os.pwrite(fd, views[0][:4096], 0) and os.lseek(fd, 4096, os.SEEK_SET)

    def none(_fd: int, _views: list[memoryview]) -> int:
        raise OSError(errno.EINVAL, "not on this file system")

    for number, writev in enumerate((some, none)):
        monkeypatch.setattr(blobs, "os", type("os", (), {**vars(os), "writev": staticmethod(writev)}))
        digest = volume.blobs.add_pieces(pages(b"%d" % number * 8192, *PIECES), cached=False)
        assert volume.blobs.read(digest, 0, 1_060_864) == b"%d" % number * 8192 + b"".join(PIECES)


def test_a_disk_that_is_full_is_said_past_the_cache_too(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int, _views: list[memoryview]) -> int:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(blobs, "os", type("os", (), {**vars(os), "writev": staticmethod(full)}))
    with pytest.raises(VolumeFull):
        volume.blobs.add_pieces(pages(*PIECES), cached=False)
    assert volume.blobs.abandoned(-1, 1e12) == [] and list(volume.blobs.all_hashes()) == []


def test_equal_content_is_stored_once(volume: Volume) -> None:
    first = volume.blobs.add(BIG)
    inode = volume.blobs.path(first).stat().st_ino
    assert volume.blobs.add(BIG) == first
    assert volume.blobs.path(first).stat().st_ino == inode
    assert volume.blobs.abandoned(-1, 1e12) == []


def test_a_blob_that_is_discarded_leaves_nothing(volume: Volume) -> None:
    incoming = volume.blobs.begin()
    incoming.write(BIG)
    incoming.discard()
    incoming.discard()
    assert list(volume.blobs.all_hashes()) == [] and volume.blobs.abandoned(-1, 1e12) == []


def test_a_missing_or_short_blob_is_corrupt_content(volume: Volume) -> None:
    node = make_file(volume, b"big", BIG)
    path = volume.blobs.path(blob_of(volume))
    os.truncate(path, 1000)
    with pytest.raises(CorruptContent):
        read_all(volume, node.ino)
    path.unlink()
    with pytest.raises(CorruptContent) as error:
        read_all(volume, node.ino)
    assert error.value.details["blob"] == path.name
    assert not volume.blobs.verify(bytes.fromhex(path.name))


def test_a_disk_that_cannot_read_a_blob_is_corrupt_content(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    node = make_file(volume, b"big", BIG)

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", fail)
        with pytest.raises(CorruptContent):
            read_all(volume, node.ino)
    assert read_all(volume, node.ino) == BIG


# -- collecting ----------------------------------------------------------------------------------------


def test_a_blob_is_unlinked_when_nothing_names_it_and_its_grace_is_over(volume: Volume) -> None:
    make_file(volume, b"big", BIG)
    kept = make_file(volume, b"kept", OTHER)
    with volume.snapshot() as view:
        (gone,) = [b for (b,) in view.execute("SELECT blob FROM extent WHERE ino<>?", (kept.ino,)).fetchall()]
    assert collect.collect(volume, grace_ns=0) == 0
    remove_for_good(volume, b"big")
    assert collect.collect(volume) == 0  # in its grace period of ten minutes
    assert collect.collect(volume, grace_ns=0) == 1
    assert not volume.blobs.path(bytes(gone)).exists()
    assert collect.collect(volume, grace_ns=0) == 0
    assert read_all(volume, kept.ino) == OTHER
    volume.close()
    assert check_volume(volume.folder, deep=True) == []


def test_a_blob_that_history_shows_is_not_collected(volume: Volume) -> None:
    node = make_file(volume, b"big", BIG)
    write(volume, lambda txn: files.remove(txn, ROOT_INO, b"big"))
    assert collect.collect(volume, grace_ns=0) == 0
    assert read_all(volume, node.ino, 1) == BIG


def test_a_condemned_blob_that_is_wanted_again_is_taken_back(volume: Volume) -> None:
    make_file(volume, b"big", BIG)
    remove_for_good(volume, b"big")
    again = make_file(volume, b"again", BIG)
    assert collect.collect(volume, grace_ns=0) == 0
    assert read_all(volume, again.ino) == BIG
    volume.close()
    assert check_volume(volume.folder) == []


def test_the_collector_looks_again_inside_the_turn(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken back between the collector's look and its turn: the write wins."""
    make_file(volume, b"big", BIG)
    remove_for_good(volume, b"big")
    again: list[Node] = []
    real = volume.syncer.sync

    def write_meanwhile() -> object:
        if not again:
            again.append(make_file(volume, b"again", BIG))
        return real()

    prepared = content.prepare(volume.blobs, [(0, BIG)], whole=True)
    assert prepared.runs
    looked = threading.Event()

    def sync_after_look() -> object:
        if not looked.is_set():
            looked.set()
            write_meanwhile()
        return real()

    monkeypatch.setattr(volume.syncer, "sync", sync_after_look)
    assert collect.collect(volume, grace_ns=0) == 0
    assert looked.is_set()
    assert read_all(volume, again[0].ino) == BIG


def test_the_deletion_of_the_last_user_is_durable_before_the_unlink(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    make_file(volume, b"big", BIG)
    remove_for_good(volume, b"big")
    order: list[str] = []
    sync, unlink = volume.syncer.sync, volume.blobs.unlink
    monkeypatch.setattr(volume.syncer, "sync", lambda: order.append("sync") or sync())
    monkeypatch.setattr(volume.blobs, "unlink", lambda blob: order.append("unlink") or unlink(blob))
    assert collect.collect(volume, grace_ns=0) == 1
    assert order[:2] == ["sync", "unlink"]


def test_a_write_whose_prepared_blob_was_collected_is_told_to_send_again(volume: Volume) -> None:
    make_file(volume, b"big", BIG)
    prepared = content.prepare(volume.blobs, [(0, BIG)], whole=True)  # finds the blob that is there
    remove_for_good(volume, b"big")
    assert collect.collect(volume, grace_ns=0) == 1
    target = make_file(volume, b"target", b"before")
    with pytest.raises(Unavailable):
        write(volume, lambda txn: content.replace(txn, target.ino, prepared))
    assert read_all(volume, target.ino) == b"before"
    again = content.prepare(volume.blobs, [(0, BIG)], whole=True)
    write(volume, lambda txn: content.replace(txn, target.ino, again))
    assert read_all(volume, target.ino) == BIG


def test_a_collection_that_was_cut_short_after_its_unlink_is_finished_by_the_next(volume: Volume) -> None:
    make_file(volume, b"big", BIG)
    digest = blob_of(volume)
    remove_for_good(volume, b"big")
    volume.blobs.unlink(digest)  # what a crash between unlink and commit leaves
    assert collect.collect(volume, grace_ns=0) == 1
    with volume.snapshot() as view:
        assert view.execute("SELECT * FROM blob").fetchall() == []


def test_temporary_files_of_the_dead_are_swept_and_those_of_the_living_stay(volume: Volume) -> None:
    living, dead = volume.blobs.begin(), volume.blobs.begin()
    dead.write(BIG)
    os.utime(vars(dead)["_temporary"], (0, 0))
    assert collect.sweep_incoming(volume) == 1
    living.write(BIG)
    digest = living.finish()
    living.discard()
    dead.discard()
    assert volume.blobs.verify(digest)
    assert collect.sweep_incoming(volume, older_than_s=-1) == 0


def test_blobs_of_writes_that_never_came_are_condemned_once_they_are_old(volume: Volume) -> None:
    kept = make_file(volume, b"kept", OTHER)
    young, old = volume.blobs.add(BIG), volume.blobs.add(BIG + b"old")
    os.utime(volume.blobs.path(old), (0, 0))
    os.utime(volume.blobs.path(blob_of(volume)), (0, 0))
    assert collect.condemn_strays(volume) == 1
    assert collect.condemn_strays(volume) == 0
    assert collect.collect(volume, grace_ns=0) == 1
    assert volume.blobs.size(young) is not None and volume.blobs.size(old) is None
    assert read_all(volume, kept.ino) == OTHER


def test_a_volume_can_be_opened_while_others_prepare_it(tmp_path: Path) -> None:
    """Two processes that start together make the folders and the database once."""
    volumes: list[Volume] = []
    threads = [
        threading.Thread(target=lambda: volumes.append(Volume.open(tmp_path / "volume", "api", create=True))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(volumes) == 4
    ids = set()
    for volume in volumes:
        with volume.snapshot() as view:
            ids.add(view.execute("SELECT value FROM meta WHERE key='volume_id'").fetchall()[0][0])
        volume.close()
    assert len(ids) == 1
