"""Consistent views: of now, of the past inside the window, and what happens outside it."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from vexfs.core import files
from vexfs.core.errors import DataLoss, Internal, NotFound, NotSupported, RevisionNotAvailable, Unavailable
from vexfs.core.types import ROOT_INO
from vexfs.store import history, reader, tail
from vexfs.store.doorbell import Doorbell
from vexfs.store.volume import Volume

from .helpers import make_file, read_all, write


@pytest.fixture
def mount(folder: Path) -> Iterator[Volume]:
    with Volume.open(folder, "mount", create=True) as opened:
        yield opened


def test_a_snapshot_stays_at_its_revision(volume: Volume) -> None:
    make_file(volume, b"first")
    with volume.snapshot() as view:
        make_file(volume, b"second")
        assert view.revision == 1 and view.at_revision is None
        with pytest.raises(NotFound):
            files.lookup(view, ROOT_INO, b"second")
    assert volume.head() == 2


def test_every_revision_inside_the_window_can_be_shown(volume: Volume) -> None:
    for number in range(4):
        make_file(volume, b"%d" % number)
    for at_revision in range(5):
        with volume.snapshot(at_revision) as view:
            assert len(files.list_directory(view, ROOT_INO)) == at_revision == view.at_revision
            assert view.revision == 4


@pytest.mark.parametrize("at_revision", [-1, 0, 1, 4, 1 << 40])
def test_a_revision_outside_the_window_is_refused_and_the_window_named(volume: Volume, at_revision: int) -> None:
    for number in range(3):
        make_file(volume, b"%d" % number)
    write(volume, lambda txn: history.trim_slice(txn, 2))
    with volume.snapshot(2):
        pass
    if at_revision == 4:  # the trim is a revision itself
        with volume.snapshot(at_revision):
            return
    with pytest.raises(RevisionNotAvailable) as refused:
        volume.snapshot(at_revision)
    assert refused.value.details == {"oldest": "2", "newest": "4"}


def test_a_revision_inside_a_mounts_commit_shows_the_state_before_it(mount: Volume) -> None:
    for commit in range(3):
        for number in range(3):
            with mount.writer.begin("create") as txn:
                files.create(txn, ROOT_INO, b"%d-%d" % (commit, number), mode=0o644, uid=1, gid=1)
        mount.writer.commit()
    shown = {}
    for at_revision in range(10):
        with mount.snapshot(at_revision) as view:
            entries = files.list_directory(view, ROOT_INO)
            shown[at_revision] = (view.at_revision, len(entries), files.stat(view, ROOT_INO).revision)
    assert shown == {at: (at // 3 * 3, at // 3 * 3, at // 3 * 3) for at in range(10)}


def test_connections_are_used_again_even_after_errors(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    real = reader.sqlite.connect

    def counting(path: Path, *, read_only: bool = False) -> apsw.Connection:
        opened.append(path)
        return real(path, read_only=read_only)

    make_file(volume, b"file")
    monkeypatch.setattr(reader.sqlite, "connect", counting)
    for _ in range(20):
        with pytest.raises(RevisionNotAvailable):
            volume.snapshot(99)
        with pytest.raises(ZeroDivisionError), volume.snapshot():
            raise ZeroDivisionError
        with volume.snapshot() as view:
            cursor = view.execute("SELECT * FROM log")
            next(cursor)
            view.close()  # with a statement still running, and a second time at the end of the block
        with volume.snapshot() as view:
            assert view.revision == 1
    assert len(opened) <= 1


def test_many_threads_read_at_once_and_few_connections_stay(volume: Volume) -> None:
    node = make_file(volume, b"file", b"data")
    together, results = threading.Barrier(30), []

    def read() -> None:
        with volume.snapshot() as view:
            together.wait(10)
            results.append(files.stat(view, node.ino).size_bytes)

    threads = [threading.Thread(target=read) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert results == [4] * 30
    assert len(vars(vars(volume)["_pool"])["_idle"]) <= 16


def test_a_snapshot_cannot_write(volume: Volume) -> None:
    with pytest.raises(Exception, match="read"), volume.snapshot() as view:
        view.execute("DELETE FROM node")
    assert volume.head() == 0


def test_errors_of_the_database_leave_a_snapshot_as_domain_errors(volume: Volume) -> None:
    with pytest.raises(Internal), volume.snapshot() as view:
        view.execute("SELECT nonsense")
    with pytest.raises(DataLoss), volume.snapshot():
        raise apsw.CorruptError("on purpose")


def test_a_damaged_database_is_data_loss_for_its_readers(volume: Volume, folder: Path) -> None:
    make_file(volume, b"file", b"data")
    volume.close()
    database = folder / "vexfs.db"
    data = bytearray(database.read_bytes())
    for page in range(1, len(data) // 4096):
        data[page * 4096 : page * 4096 + 100] = b"\xff" * 100
    database.write_bytes(data)
    with pytest.raises(DataLoss), Volume.open(folder, "api") as damaged, damaged.snapshot() as view:
        files.list_directory(view, ROOT_INO)


def test_a_long_read_is_named_in_the_log(
    volume: Volume, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with caplog.at_level(logging.WARNING, "vexfs.store.reader"):
        with volume.snapshot():
            pass
        assert caplog.records == []
        monkeypatch.setattr(reader, "LONG_READ_S", -1.0)
        with volume.snapshot():
            pass
    assert [record.message for record in caplog.records] == ["long read"]


def test_a_closed_volume_gives_no_snapshot(volume: Volume) -> None:
    with volume.snapshot() as view:
        volume.close()
        assert view.revision == 0
    with pytest.raises(Unavailable):
        volume.snapshot()


def test_the_past_shows_names_and_nodes_that_are_gone(volume: Volume) -> None:
    node = make_file(volume, b"file", b"data")
    write(volume, lambda txn: files.rename(txn, ROOT_INO, b"file", ROOT_INO, b"renamed"))
    write(volume, lambda txn: files.remove(txn, ROOT_INO, b"renamed"))
    with volume.snapshot(1) as view:
        assert files.lookup(view, ROOT_INO, b"file") == node
        assert [entry.name for entry in files.list_directory(view, ROOT_INO)] == [b"file"]
    with volume.snapshot(2) as view:
        assert files.lookup(view, ROOT_INO, b"renamed").ino == node.ino
        with pytest.raises(NotFound):
            files.lookup(view, ROOT_INO, b"file")
        assert [entry.name for entry in files.list_directory(view, ROOT_INO, after=b"a", limit=1)] == [b"renamed"]
    assert read_all(volume, node.ino, 2) == b"data"
    with pytest.raises(NotFound):
        read_all(volume, node.ino)


def test_an_opening_to_read_writes_nothing_and_hears_of_a_commit_from_its_snapshot(
    volume: Volume, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Doorbell, "ring", lambda _: None)  # as if every ring were lost
    monkeypatch.setattr(tail, "POLL_S", 60.0)
    with Volume.open(folder, "api-replica-1", read_only=True) as opened:
        told: list[int] = []
        opened.tail.subscribe(told.append)
        make_file(volume, b"file")
        assert opened.tail.head() < volume.head()
        with opened.snapshot() as view:
            assert view.revision == volume.head() == opened.tail.head()
        assert told == [volume.head()]
        with pytest.raises(NotSupported):
            write(opened, lambda txn: None)
    with pytest.raises(NotFound):
        Volume.open(folder.with_name("absent"), "api-replica-1", read_only=True)
    assert not folder.with_name("absent").exists()
