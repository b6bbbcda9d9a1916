"""Transactions and groups: what is undone, what stands, when a holder lets others in."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from vexfs.core import content, files
from vexfs.core.errors import AlreadyExists, NotFound, VolumeReadOnly
from vexfs.core.types import ROOT_INO, Ino, Node
from vexfs.store import log, writer
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction, Writer

from .helpers import child, eventually, wait_ready

MS = 1_000_000


def create(txn: Transaction, name: bytes, parent: Ino = ROOT_INO) -> Node:
    return files.create(txn, parent, name, mode=0o644, uid=1, gid=1)


def make(opened: Volume, name: bytes) -> Node:
    with opened.writer.begin("create") as txn:
        return create(txn, name)


@pytest.fixture
def mount(folder: Path) -> Iterator[Volume]:
    """An opening that groups by itself and makes one version of what a group changes."""
    with Volume.open(folder, "mount", create=True) as opened:
        yield opened


@pytest.fixture(params=["api", "mount"])
def either(request: pytest.FixtureRequest, folder: Path) -> Iterator[Volume]:
    with Volume.open(folder, request.param, create=True) as opened:
        yield opened


def test_an_operation_that_raises_leaves_the_earlier_ones_of_its_group(either: Volume) -> None:
    make(either, b"first")
    with pytest.raises(NotFound), either.writer.begin("fail") as txn:
        files.remove(txn, ROOT_INO, b"absent")
    make(either, b"second")
    assert either.writer.commit() == 2
    with either.snapshot() as view:
        assert [entry.name for entry in files.list_directory(view, ROOT_INO)] == [b"first", b"second"]
        assert [record.operation for record in log.read(view, after=0, limit=10)] == ["create", "create"]


def test_an_operation_that_raises_gives_a_directory_its_times_back(mount: Volume) -> None:
    w = mount.writer
    make(mount, b"first")
    touched = files.stat(w, ROOT_INO)
    assert touched.revision == 1
    txn = w.begin("create")
    txn.touch(touched.with_entries_changed(1, txn.revision, 1))
    assert files.stat(w, ROOT_INO).nlink == 3
    w.abort(txn)
    assert files.stat(w, ROOT_INO) == touched
    w.commit()
    with mount.snapshot() as view:
        assert files.stat(view, ROOT_INO) == touched


def test_an_operation_that_raises_leaves_no_pending_times_behind(mount: Volume) -> None:
    w = mount.writer
    root = files.stat(w, ROOT_INO)
    txn = w.begin("touch")
    txn.touch(root.with_entries_changed(1, txn.revision, 1))
    w.abort(txn)
    assert not w.touched and files.stat(w, ROOT_INO) == root


def test_an_aborted_write_of_a_directory_gives_its_times_back(mount: Volume) -> None:
    """The directory's pending times are taken over by an operation that writes its row itself, and then is refused."""
    w = mount.writer
    make(mount, b"first")
    touched = files.stat(w, ROOT_INO)
    txn = w.begin("chmod")
    txn.untouch(ROOT_INO)
    assert files.stat(w, ROOT_INO) != touched
    w.abort(txn)
    assert files.stat(w, ROOT_INO) == touched


def test_an_operation_of_a_mount_that_fails_halfway_gives_its_group_up(mount: Volume) -> None:
    """The mount has no savepoints: rather nothing than half."""
    lost = []
    mount.writer.on_group_lost = lost.append
    make(mount, b"committed")
    mount.writer.commit()
    make(mount, b"first")
    with pytest.raises(ZeroDivisionError), mount.writer.begin("half") as txn:
        create(txn, b"half")
        raise ZeroDivisionError
    assert len(lost) == 1 and not mount.writer.group_open and mount.failure is None
    make(mount, b"next")
    assert mount.writer.commit() == 2
    with mount.snapshot() as view:
        assert [entry.name for entry in files.list_directory(view, ROOT_INO)] == [b"committed", b"next"]


def test_inode_numbers_are_never_used_twice_even_by_operations_that_failed(either: Volume) -> None:
    seen = [make(either, b"first").ino]
    for number in range(3):
        with pytest.raises(AlreadyExists), either.writer.begin("create") as txn:
            create(txn, b"first")
        seen.append(make(either, b"%d" % number).ino)
    either.writer.commit()
    make(either, b"rolled back")
    either.writer.roll_back_group()
    seen.append(make(either, b"last").ino)
    either.writer.commit()
    assert len(set(seen)) == 5
    with either.snapshot() as view:
        next_ino = view.execute("SELECT value FROM meta WHERE key='next_ino'").fetchall()[0][0]
    assert next_ino > max(seen)


def test_inode_numbers_go_on_where_the_last_opening_ended(folder: Path) -> None:
    numbers = []
    for name in (b"a", b"b"):
        with Volume.open(folder, "mount", create=True) as opened:
            numbers.append(make(opened, name).ino)
    assert numbers[1] > numbers[0]


def test_a_group_with_nothing_in_it_commits_nothing(volume: Volume) -> None:
    w = volume.writer
    assert w.commit() is None
    w.abort(w.begin("nothing"))
    assert w.group_open
    assert w.commit() is None and not w.group_open
    assert volume.head() == 0


def test_reads_through_the_writer_see_the_group_and_others_do_not(mount: Volume) -> None:
    node = make(mount, b"first")
    assert files.lookup(mount.writer, ROOT_INO, b"first").ino == node.ino
    assert files.list_directory(mount.writer, ROOT_INO)[0].node.ino == node.ino
    with mount.snapshot() as view, pytest.raises(NotFound):
        files.lookup(view, ROOT_INO, b"first")
    mount.writer.commit()
    with mount.snapshot() as view:
        assert files.lookup(view, ROOT_INO, b"first").ino == node.ino


def test_what_a_mount_changes_in_one_commit_is_one_version(mount: Volume) -> None:
    node = make(mount, b"file")
    mount.writer.commit()
    for mode in (0o600, 0o640, 0o644):
        with mount.writer.begin("chmod") as txn:
            files.set_attributes(txn, node.ino, mode=mode)
    mount.writer.commit()
    with mount.snapshot() as view:
        assert view.execute("SELECT count(*) FROM node_history WHERE ino=?", (node.ino,)).fetchall() == [(1,)]
        assert view.revision == 4


def test_the_past_that_a_group_would_have_left_is_given_up_with_it(mount: Volume) -> None:
    node = make(mount, b"file")
    mount.writer.commit()
    with mount.writer.begin("rename") as txn:
        files.rename(txn, ROOT_INO, b"file", ROOT_INO, b"lost")
    mount.writer.roll_back_group()
    with mount.writer.begin("rename") as txn:
        files.rename(txn, ROOT_INO, b"file", ROOT_INO, b"kept")
    assert mount.writer.commit() == 2
    with mount.snapshot() as view:
        assert view.execute("SELECT name, died FROM dentry_history").fetchall() == [(b"file", 2)]
        assert view.execute("SELECT ino, died FROM node_history WHERE ino<>?", (ROOT_INO,)).fetchall() == [(node.ino, 2)]
        assert [record.operation for record in log.read(view, after=0, limit=10)] == ["create", "rename"]
    with mount.snapshot(1) as view:
        assert [entry.name for entry in files.list_directory(view, ROOT_INO)] == [b"file"]


def test_closing_the_volume_commits_what_is_open(folder: Path) -> None:
    with Volume.open(folder, "mount", create=True) as opened:
        make(opened, b"last")
        assert opened.writer.group_open
    with Volume.open(folder, "mount") as opened, opened.snapshot() as view:
        files.lookup(view, ROOT_INO, b"last")


def test_a_closed_writer_refuses_and_closes_again(mount: Volume) -> None:
    w = mount.writer
    make(mount, b"first")
    w.commit()
    w.close()
    w.close()
    with pytest.raises(VolumeReadOnly, match="closed"):
        w.begin("create")


def test_a_volume_closes_twice(mount: Volume) -> None:
    make(mount, b"first")
    mount.close()
    mount.close()


# -- when a holder has to let others in ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("age_ms", "waited_ms", "somebody_waits", "must"),
    [
        (0, 0, True, False),
        (1.9, 0, True, False),
        (2, 0, True, True),
        (2, 0, False, False),
        (9.9, 0, False, False),
        (10, 0, False, True),
        (10, 100, False, True),
        (5, 8, True, False),
        (8, 8, True, True),
        (14.9, 100, True, False),
        (15, 100, True, True),
        (15, 100, False, True),
    ],
)
def test_a_holder_commits_by_its_age_and_who_waits(
    mount: Volume, monkeypatch: pytest.MonkeyPatch, age_ms: float, waited_ms: int, somebody_waits: bool, must: bool
) -> None:
    w = mount.writer
    make(mount, b"first")
    monkeypatch.setattr(w, "_last_wait_ns", waited_ms * MS)
    monkeypatch.setattr(mount.turn, "somebody_waits", lambda: somebody_waits)
    began_ns: int = vars(w)["_began_ns"]
    assert w.must_commit(began_ns + int(age_ms * MS)) is must


def test_a_group_of_500_operations_has_to_be_committed_whatever_its_age(mount: Volume) -> None:
    w = mount.writer
    assert writer.GROUP_MAX_OPERATIONS == 500
    assert not w.must_commit(time.monotonic_ns())
    began_ns = 0
    for number in range(500):
        assert not w.must_commit(began_ns)
        make(mount, b"%d" % number)
        began_ns = vars(w)["_began_ns"]
    assert w.must_commit(began_ns)


def test_no_constant_lets_a_writer_wait_more_than_15_ms_for_a_holder() -> None:
    assert writer.GROUP_MIN_NS <= writer.GROUP_MAX_NS <= writer.GROUP_MAX_NS_WAITED == 15 * MS


def test_how_long_the_turn_was_waited_for_is_how_long_it_may_be_held(folder: Path, mount: Volume) -> None:
    with Volume.open(folder, "api") as api:
        make(mount, b"held")

        def wait_for_turn() -> None:
            make(api, b"waiting")
            api.writer.commit()

        waiting = threading.Thread(target=wait_for_turn)
        waiting.start()
        assert eventually(mount.turn.somebody_waits)
        time.sleep(0.01)
        mount.writer.commit()
        waiting.join(10)
        assert vars(api.writer)["_last_wait_ns"] >= 10 * MS


# -- two writers --------------------------------------------------------------------------------------


def test_two_openings_write_in_turns_and_number_without_a_gap(folder: Path, mount: Volume) -> None:
    with Volume.open(folder, "api") as api:

        def write_many() -> None:
            for number in range(50):
                make(mount, b"mount-%d" % number)
                if mount.writer.must_commit(time.monotonic_ns()):
                    mount.writer.commit()
            mount.writer.commit()

        other = threading.Thread(target=write_many)
        other.start()
        for number in range(50):
            api.queue.submit("create", lambda txn, number=number: create(txn, b"api-%d" % number), durable=False)  # type: ignore[misc]
        api.queue.submit("last", lambda _: None).result(20)
        other.join(20)
        with api.snapshot() as view:
            records = log.read(view, after=0, limit=1000)
            assert [record.revision for record in records] == list(range(1, 102))
            assert {record.origin for record in records} == {api.origin, mount.origin}
            entries = files.list_directory(view, ROOT_INO)
            assert len({entry.node.ino for entry in entries}) == len(entries) == 100


_WRITER = """
import sys
from pathlib import Path
from vexfs.core import files
from vexfs.core.types import ROOT_INO
from vexfs.store.volume import Volume
with Volume.open(Path(sys.argv[1]), "api") as volume:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(30):
        name = b"child-%d" % number
        volume.queue.submit("create", lambda txn: files.create(txn, ROOT_INO, name, mode=0o644, uid=1, gid=1)).result(20)
"""


def test_another_process_writes_in_turns_with_this_one(folder: Path, mount: Volume) -> None:
    process = child(_WRITER, folder)
    wait_ready(process)
    assert process.stdin is not None
    process.stdin.close()
    number = 0
    while process.poll() is None:
        make(mount, b"mount-%d" % number)
        number += 1
        if mount.writer.must_commit(time.monotonic_ns()):
            mount.writer.commit()
    mount.writer.commit()
    assert process.wait(20) == 0 and number
    assert process.stdout is not None
    process.stdout.close()
    with mount.snapshot() as view:
        count, lowest, highest = view.execute("SELECT count(*), min(revision), max(revision) FROM log").fetchall()[0]
        assert (lowest, highest) == (1, count)
        assert count == number + 30


def test_a_writer_sees_what_another_committed_before_it_numbers_its_own(folder: Path, mount: Volume) -> None:
    with Volume.open(folder, "api") as api:
        make(mount, b"first")
        mount.writer.commit()
        assert api.queue.submit("create", lambda txn: create(txn, b"second").revision).result(10).value == 2
        node = make(mount, b"third")
        assert node.revision == 3
        prepared = content.prepare(mount.blobs, [(0, b"x")])
        with mount.writer.begin("write") as txn:
            content.write(txn, files.lookup(mount.writer, ROOT_INO, b"second").ino, prepared)


def test_a_group_that_cannot_begin_leaves_the_turn_free(folder: Path, mount: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    w = mount.writer

    def fail(_: Writer) -> int:
        raise apsw.IOError("on purpose")

    with monkeypatch.context() as patch:
        patch.setattr(log, "head", fail)
        with pytest.raises(writer.VexfsError):
            w.begin("create")
    assert not w.group_open
    with Volume.open(folder, "api") as api:
        assert api.queue.submit("create", lambda txn: create(txn, b"free")).result(10).revision == 1
