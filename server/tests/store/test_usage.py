"""What a volume counts as its own is what it holds, whatever becomes of an operation, and costs one statement a commit."""

import os
import signal
from pathlib import Path

import pytest

from vexfs.core import content, files, quotas
from vexfs.core.errors import Internal, NotFound, QuotaExceeded
from vexfs.core.types import ROOT_INO, Node
from vexfs.store import sqlite, usage
from vexfs.store.check import check_volume
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

from .helpers import UNDO_FROM_4, child, make_file, wait_ready, write


def counted(volume: Volume) -> tuple[int, int]:
    """(bytes, files) that the volume counts and holds."""
    with volume.snapshot() as view:
        used = usage.read(view)
        assert view.execute(usage.RECOUNT).fetchall() == [used[:2]]
    return used[:2]


def create(txn: Transaction, name: bytes, data: bytes = b"") -> Node:
    node = files.create(txn, ROOT_INO, name, mode=0o644, uid=0, gid=0)
    return content.write(txn, node.ino, content.Prepared((), ((0, data),), len(data))) if data else node


def test_a_new_volume_holds_its_root(volume: Volume) -> None:
    assert counted(volume) == (0, 1)


def test_what_comes_and_goes_is_counted(volume: Volume) -> None:
    make_file(volume, b"f", b"x" * 100)
    assert counted(volume) == (100, 2)
    make_file(volume, b"g", b"y" * 1_000_000)
    assert counted(volume) == (1_000_100, 3)
    write(volume, lambda txn: files.remove(txn, ROOT_INO, b"g"))
    assert counted(volume) == (100, 2)


def test_a_refused_operation_of_several_steps_keeps_the_counts(volume: Volume) -> None:
    make_file(volume, b"f", b"x" * 100)

    def fails_halfway(txn: Transaction) -> None:
        create(txn, b"g", b"y" * 1000)
        files.lookup(txn, ROOT_INO, b"nowhere")

    with pytest.raises(NotFound):
        write(volume, fails_halfway)
    assert counted(volume) == (100, 2)
    make_file(volume, b"h", b"z")
    assert counted(volume) == (101, 3)


def test_a_lost_group_and_one_that_is_rolled_back_take_their_counts_with_them(volume: Volume) -> None:
    with Volume.open(volume.folder, "mount") as mount:
        with mount.writer.begin("create") as txn:
            create(txn, b"f", b"x" * 100)
        mount.writer.roll_back_group()
        with pytest.raises(Internal), mount.writer.begin("create") as txn:
            create(txn, b"g", b"x" * 100)
            raise Internal("halfway")
        with mount.writer.begin("create") as txn:
            create(txn, b"h", b"x" * 7)
        mount.writer.commit()
    assert counted(volume) == (7, 2)


def test_two_openings_that_write_in_turn_count_together(volume: Volume) -> None:
    with Volume.open(volume.folder, "mount") as mount:
        for number in range(5):
            with mount.writer.begin("create") as txn:
                create(txn, b"m%d" % number, b"x" * 10)
            mount.writer.commit()
            make_file(volume, b"a%d" % number, b"y")
    assert counted(volume) == (55, 11)


def test_limits_stand_in_the_volume_and_hold_for_every_opening(volume: Volume) -> None:
    quotas.set_limits(volume, limit_bytes=1000, limit_files=3)
    head = volume.head()
    quotas.set_limits(volume, limit_bytes=1000, limit_files=3)
    assert volume.head() == head, "nothing is written when nothing changes"
    with Volume.open(volume.folder, "mount") as mount:
        with mount.writer.begin("create") as txn:
            node = create(txn, b"f", b"x" * 900)
        mount.writer.commit()
        with pytest.raises(QuotaExceeded):
            write(volume, lambda txn: content.write(txn, node.ino, content.Prepared((), ((900, b"x" * 101),), 1001)))
        write(volume, lambda txn: content.write(txn, node.ino, content.Prepared((), ((900, b"x" * 100),), 1000)))
        make_file(volume, b"g")
        with pytest.raises(QuotaExceeded), mount.writer.begin("create") as txn:
            create(txn, b"h")
        mount.writer.commit()  # gives the turn back
        full = counted(volume)
        quotas.set_limits(volume, limit_bytes=None, limit_files=None)
        with mount.writer.begin("create") as txn:
            create(txn, b"h", b"x" * 5000)
        mount.writer.commit()
    assert (full, counted(volume)) == ((1000, 3), (6000, 4))


def test_counting_is_one_statement_a_commit_and_none_where_nothing_changes(volume: Volume) -> None:
    writer = volume.writer
    told: list[str] = []
    writer.execute.__self__.trace_v2(1, lambda event: told.append(event["sql"]) if not event.get("trigger") else None)  # type: ignore[attr-defined]
    for number in range(100):
        with writer.begin("create") as txn:
            create(txn, b"f%d" % number, b"x")
    writer.commit()
    assert [sql for sql in told if "usage" in sql] == [usage._READ, "UPDATE usage SET bytes=?, files=?"]
    told.clear()
    with writer.begin("rename") as txn:
        files.rename(txn, ROOT_INO, b"f1", ROOT_INO, b"g1")
    writer.commit()
    assert [sql for sql in told if "usage" in sql] == [usage._READ]


_KILLED = """
import sys
from pathlib import Path
from vexfs.core import files
from vexfs.store.volume import Volume
volume = Volume.open(Path(sys.argv[1]), "mount")
for number in range(300):
    with volume.writer.begin("create") as txn:
        files.make_symlink(txn, 1, b"%d" % number, target=b"x" * number or b"y", uid=0, gid=0)
    if number % 70 == 69:
        volume.writer.commit()
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_killed_writer_leaves_the_counts_of_its_last_commit(volume: Volume, folder: Path) -> None:
    process = child(_KILLED, folder)
    wait_ready(process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert counted(volume) == (1 + sum(range(280)), 281)


def test_an_older_volume_is_counted_when_it_is_opened(volume: Volume, folder: Path) -> None:
    make_file(volume, b"f", b"x" * 300_000)
    sparse = make_file(volume, b"g")
    write(volume, lambda txn: content.truncate(txn, sparse.ino, 1 << 40))
    before = counted(volume)
    volume.close()
    connection = sqlite.connect(folder / "vexfs.db")
    for statement in ("DROP TABLE usage", *UNDO_FROM_4, "PRAGMA user_version=2"):
        connection.execute(statement)
    connection.close()
    with Volume.open(folder, "api") as migrated:
        assert counted(migrated) == before == (300_000, 3)
    assert check_volume(folder) == []
