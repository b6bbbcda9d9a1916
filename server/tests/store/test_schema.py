"""Making, migrating and refusing databases."""

import os
import signal
from pathlib import Path
from typing import Any

import apsw
import pytest

from vexfs.core import content, files, ranges
from vexfs.core.errors import DataLoss, FormatTooNew, NotFound, VolumeFull
from vexfs.core.types import ROOT_INO
from vexfs.store import schema, sqlite
from vexfs.store.check import check_volume
from vexfs.store.volume import Volume

from .helpers import UNDO_FROM_4, child, make_file, no_file_grows_beyond, wait_ready, write

_EXTRA = "CREATE TABLE extra(a INTEGER); INSERT INTO extra VALUES(42);"


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def query(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(str(folder / "vexfs.db"))
    rows: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
    connection.close()
    return rows


def test_a_new_volume_has_a_root_owned_by_who_made_it(volume: Volume) -> None:
    with volume.snapshot() as view:
        root = files.stat(view, ROOT_INO)
        assert (root.mode, root.nlink, root.uid, root.gid, root.revision) == (0o40755, 2, os.getuid(), os.getgid(), 0)
        meta = dict(view.execute("SELECT key, value FROM meta").fetchall())
        assert view.execute("PRAGMA user_version").fetchall() == [(schema.FORMAT,)]
    assert set(meta) == {"volume_id", "created_ns", "next_ino", "history_floor"}


def test_a_volume_that_is_not_there_is_not_made_unasked(folder: Path) -> None:
    with pytest.raises(NotFound):
        Volume.open(folder, "api")
    assert not folder.exists()


def test_the_folders_of_a_new_volume_are_closed_to_others(folder: Path) -> None:
    with Volume.open(folder / "deep" / "volume", "api", create=True):
        for path in (folder, folder / "deep", folder / "deep" / "volume", folder / "deep" / "volume" / "blobs"):
            assert path.stat().st_mode & 0o077 == 0


def test_a_format_newer_than_this_vexfs_is_refused_and_nothing_changed(volume: Volume, folder: Path) -> None:
    make_file(volume, b"file", b"data")
    volume.close()
    query(folder, f"PRAGMA user_version={schema.FORMAT + 1}")
    before = files_below(folder)
    for create in (False, True):
        with pytest.raises(FormatTooNew, match=str(schema.FORMAT + 1)):
            Volume.open(folder, "api", create=create)
    with pytest.raises(FormatTooNew):
        check_volume(folder, repair=True)
    assert files_below(folder) == before


def test_an_older_format_is_migrated_once_and_keeps_what_it_has(
    volume: Volume, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = make_file(volume, b"file", b"data")
    volume.close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, _EXTRA))
    monkeypatch.setattr(schema, "FORMAT", schema.FORMAT + 1)
    for _ in range(2):
        with Volume.open(folder, "api") as migrated, migrated.snapshot() as view:
            assert view.execute("SELECT a FROM extra").fetchall() == [(42,)]
            assert files.stat(view, node.ino) == node
    assert query(folder, "PRAGMA user_version") == [(schema.FORMAT,)]


def test_format_2_counts_the_holes_of_the_files_there_are(volume: Volume, folder: Path) -> None:
    dense, empty = make_file(volume, b"dense", b"data"), make_file(volume, b"empty")
    large = make_file(volume, b"large", bytes(range(256)) * 3000)
    write(volume, lambda txn: ranges.zero(txn, large.ino, 65_536, 131_072))
    sparse = write(volume, lambda txn: content.truncate(txn, empty.ino, 1 << 40))
    volume.close()
    columns = [
        f"ALTER TABLE {table} DROP COLUMN {name}" for table in ("node", "node_history") for name in ("hole_bytes", "flags")
    ]
    for statement in (*columns, "DROP TABLE usage", *UNDO_FROM_4, "PRAGMA user_version=1"):
        query(folder, statement)
    with Volume.open(folder, "api") as migrated, migrated.snapshot() as view:
        assert files.stat(view, sparse.ino) == sparse
        assert files.stat(view, dense.ino) == dense
        assert files.stat(view, large.ino).hole_bytes == 131_072
    assert check_volume(folder) == []


def test_a_migration_that_fails_leaves_the_old_format(volume: Volume, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_file(volume, b"file", b"data")
    volume.close()
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, _EXTRA + "SELECT nonsense;"))
        patch.setattr(schema, "FORMAT", schema.FORMAT + 1)
        with pytest.raises(Exception, match="nonsense"):
            Volume.open(folder, "api")
    assert query(folder, "SELECT name FROM sqlite_schema WHERE name='extra'") == []
    with Volume.open(folder, "api") as again:
        make_file(again, b"next")


_MIGRATING = """
import sys, time
from pathlib import Path
from vexfs.store import schema
from vexfs.store.volume import Volume

def stop(connection, *, uid, gid):
    connection.execute(schema.MIGRATIONS[0] if not rows(connection) else sys.argv[2])
    print("ready", flush=True)
    time.sleep(60)

def rows(connection):
    return connection.execute("SELECT name FROM sqlite_schema").fetchall()

def between(connection, **_):
    connection.execute("BEGIN IMMEDIATE")
    stop(connection, uid=0, gid=0)

schema.migrate = between
schema.FORMAT += 1
Volume.open(Path(sys.argv[1]), "api", create=True)
"""


@pytest.mark.parametrize("exists", [False, True])
def test_a_migration_killed_in_between_is_done_again_from_the_start(folder: Path, exists: bool) -> None:
    """A kill before the COMMIT leaves the format before, or an empty database, and frees the turn."""
    if exists:
        with Volume.open(folder, "api", create=True) as volume:
            make_file(volume, b"file", b"data")
    process = child(_MIGRATING, folder, _EXTRA)
    wait_ready(process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    with Volume.open(folder, "api", create=True) as volume, volume.snapshot() as view:
        assert view.execute("SELECT name FROM sqlite_schema WHERE name='extra'").fetchall() == []
        assert len(files.list_directory(view, ROOT_INO)) == int(exists)
        assert files.stat(view, ROOT_INO).is_directory
    assert check_volume(folder) == []


def test_an_empty_database_file_becomes_a_volume(folder: Path) -> None:
    """A crash between making the file and the first migration."""
    folder.mkdir()
    (folder / "vexfs.db").touch()
    with Volume.open(folder, "api") as volume:
        make_file(volume, b"file")
    assert check_volume(folder) == []


def test_a_file_that_is_no_database_is_data_loss(folder: Path) -> None:
    folder.mkdir()
    (folder / "vexfs.db").write_bytes(b"no database at all, and long enough to be looked at " * 100)
    with pytest.raises(DataLoss):
        Volume.open(folder, "api")
    with pytest.raises(DataLoss):  # the first attempt left the turn free
        Volume.open(folder, "api")


def test_a_disk_too_full_for_a_new_volume_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sqlite.connect

    def tiny(path: Path, *, read_only: bool = False, create: bool = False) -> apsw.Connection:
        connection = real(path, read_only=read_only, create=create)
        connection.execute("PRAGMA max_page_count=5").fetchall()
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "connect", tiny)
        with pytest.raises(VolumeFull):
            Volume.open(folder, "api", create=True)
    with no_file_grows_beyond(10_000), pytest.raises(DataLoss):
        Volume.open(folder, "api", create=True)
    with Volume.open(folder, "api", create=True) as volume:
        make_file(volume, b"file")
    assert check_volume(folder) == []
