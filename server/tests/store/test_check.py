"""Every invariant is broken on purpose: check names it, repairs it, and finds nothing after."""

import contextlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest

from vexfs.core import collections, files, points
from vexfs.core.types import CollectionSchema, Node, VectorSpec
from vexfs.store import sqlite
from vexfs.store.check import INVARIANTS, check_volume
from vexfs.store.check.contents import DAMAGED_XATTR
from vexfs.store.volume import Volume

from .helpers import make_directory, make_file, read_all, write

BIG = bytes(range(256)) * 2048  # 512 KiB: lies in a blob


class Sample:
    """A volume with one of everything, closed; `sql` damages it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with Volume.open(folder, "api", create=True) as volume:
            self.small = make_file(volume, b"small", b"hello")
            self.big = make_file(volume, b"big", BIG)
            self.directory = make_directory(volume, b"directory")
            self.inner = make_file(volume, b"inner", b"inner", parent=self.directory.ino)
            self.symlink = write(
                volume, lambda txn: files.make_symlink(txn, self.directory.ino, b"link", target=b"/small", uid=1, gid=1)
            )
            self.points = make_directory(volume, b"points")
            schema = CollectionSchema((VectorSpec("v", 4, "cosine"),), embed_text=False)
            collection = write(volume, lambda txn: collections.create(txn, self.points.ino, schema))
            item = points.PointInput("p1", {"v": np.ones(4, "<f4").tobytes()}, b'{"a": 1}')
            (self.point,) = write(volume, lambda txn: points.upsert(txn, collection, [item]))
            make_file(volume, b"renamed")
            write(volume, lambda txn: files.rename(txn, self.root, b"renamed", self.root, b"again"))
            with volume.snapshot() as view:
                self.blob = bytes(view.execute("SELECT hash FROM blob").fetchall()[0][0])
            self.blob_path = volume.blobs.path(self.blob)

    root = files.ROOT_INO

    def sql(self, *statements: str) -> None:
        connection = sqlite.connect(self.folder / "vexfs.db")
        for statement in statements:
            connection.execute(statement)
        connection.close()

    def damage_index(self) -> None:
        """Leave one entry out of an index, by telling SQLite for a moment that the index does not cover it."""
        row = self.take_row("DELETE FROM dentry WHERE ino=%d RETURNING *" % self.small.ino)
        self.redefine_index("CREATE INDEX dentry_by_ino ON dentry(ino) WHERE ino<0")
        connection = sqlite.connect(self.folder / "vexfs.db")
        connection.execute("INSERT INTO dentry VALUES(?, ?, ?, ?)", row)
        connection.close()
        self.redefine_index("CREATE INDEX dentry_by_ino ON dentry(ino)")

    def take_row(self, statement: str) -> tuple[Any, ...]:
        connection = sqlite.connect(self.folder / "vexfs.db")
        rows = connection.execute(statement).fetchall()
        connection.close()
        return rows[0]

    def redefine_index(self, definition: str) -> None:
        connection = sqlite.connect(self.folder / "vexfs.db")
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
        connection.pragma("writable_schema", True)
        connection.execute("UPDATE sqlite_schema SET sql=? WHERE name='dentry_by_ino'", (definition,))
        connection.close()


def corrupt_blob(sample: Sample) -> None:
    data = bytearray(sample.blob_path.read_bytes())
    data[1000] ^= 1
    sample.blob_path.write_bytes(data)


def stray_blob(sample: Sample) -> None:
    (sample.blob_path.parent.parent / "ab" / ("ab" * 32)).write_bytes(b"stray")


BREAKS: dict[str, Callable[[Sample], object]] = {
    "database-sound": Sample.damage_index,
    "log-gapless": lambda s: s.sql("DELETE FROM log WHERE revision=3"),
    "revisions-bounded": lambda s: s.sql("UPDATE node SET revision=1000000 WHERE ino=%d" % s.small.ino),
    "ino-never-reused": lambda s: s.sql("UPDATE meta SET value=2 WHERE key='next_ino'"),
    "history-ordered": lambda s: s.sql("UPDATE dentry_history SET died=born"),
    "root-exists": lambda s: s.sql("DELETE FROM node WHERE ino=1"),
    "entry-leads-to-file": lambda s: s.sql("INSERT INTO dentry VALUES(1, x'aa', 999, 1)"),
    "entry-in-directory": lambda s: s.sql("UPDATE dentry SET parent=%d WHERE ino=%d" % (s.small.ino, s.inner.ino)),
    "directory-one-name": lambda s: s.sql("INSERT INTO dentry VALUES(1, x'7a7a', %d, 1)" % s.directory.ino),
    "reachable": lambda s: s.sql("DELETE FROM dentry WHERE ino=%d" % s.directory.ino),
    "link-count": lambda s: s.sql("UPDATE node SET nlink=7 WHERE ino=%d" % s.small.ino),
    "orphan-open": lambda s: s.sql("INSERT INTO orphan VALUES(%d, 5)" % s.small.ino),
    "symlink-target": lambda s: s.sql("DELETE FROM symlink"),
    "content-has-file": lambda s: s.sql("INSERT INTO chunk(ino, block, born, data) VALUES(4242, 0, 1, x'00')"),
    "chunk-fits-block": lambda s: s.sql("UPDATE chunk SET data=zeroblob(70000) WHERE ino=%d" % s.small.ino),
    "patch-sound": lambda s: s.sql("UPDATE chunk SET runs=x'000001000000' WHERE ino=%d" % s.small.ino),
    "blob-has-row": lambda s: s.sql("DELETE FROM blob"),
    "blob-on-disk": lambda s: s.blob_path.unlink(),
    "blob-intact": corrupt_blob,
    "hidden-not-shown": lambda s: s.sql("UPDATE extent SET died=born"),
    "nothing-behind-end": lambda s: s.sql("UPDATE node SET size_bytes=2 WHERE ino=%d" % s.small.ino),
    "holes-counted": lambda s: s.sql("UPDATE node SET hole_bytes=1 WHERE ino=%d" % s.small.ino),
    "condemned-unused": lambda s: s.sql("UPDATE blob SET condemned_ns=1"),
    "no-stray-blob": stray_blob,
    "acl-agrees": lambda s: s.sql("UPDATE node SET flags=2 WHERE ino=%d" % s.small.ino),
    "metadata-object": lambda s: s.sql("UPDATE metadata SET json='[1]'"),
    "schema-usable": lambda s: s.sql("""UPDATE collection SET schema='[[["v",0,"cosine"]],false]'"""),
    "usage-counted": lambda s: s.sql("UPDATE usage SET bytes=bytes-1, files=files+1"),
    "vector-fits": lambda s: s.sql("UPDATE vector SET data=x'0000c07f'"),
}


@pytest.fixture
def sample(folder: Path) -> Sample:
    return Sample(folder)


def test_sound_volume_has_no_findings(sample: Sample) -> None:
    assert check_volume(sample.folder, deep=True) == []


def test_every_invariant_is_broken_here() -> None:
    assert set(BREAKS) == {invariant.name for invariant in INVARIANTS}


@pytest.mark.parametrize("name", BREAKS)
def test_broken_invariant_is_named_repaired_and_clean_after(sample: Sample, name: str) -> None:
    BREAKS[name](sample)
    found = check_volume(sample.folder, deep=True)
    assert name in {finding.invariant for finding in found}
    repaired = check_volume(sample.folder, deep=True, repair=True)
    assert name in {finding.invariant for finding in repaired}
    assert all(finding.repaired for finding in repaired), repaired
    assert check_volume(sample.folder, deep=True) == []


@pytest.mark.parametrize("name", BREAKS)
def test_repair_interrupted_after_one_transaction_can_be_run_again(
    sample: Sample, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    BREAKS[name](sample)
    submit = "vexfs.store.queue.WriteQueue.submit"
    from vexfs.store.queue import WriteQueue

    original, calls = WriteQueue.submit, []

    def once(self: WriteQueue, *args: object, **kwargs: object) -> object:
        if calls:
            raise KeyboardInterrupt
        calls.append(args)
        return original(self, *args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(submit, once)
        with contextlib.suppress(KeyboardInterrupt):
            check_volume(sample.folder, deep=True, repair=True)
    assert calls
    check_volume(sample.folder, deep=True, repair=True)
    assert check_volume(sample.folder, deep=True) == []


def test_lost_blob_leaves_zeros_and_an_attribute_that_says_so(sample: Sample) -> None:
    sample.blob_path.unlink()
    check_volume(sample.folder, repair=True)
    with Volume.open(sample.folder, "api") as volume:
        assert read_all(volume, sample.big.ino) == bytes(len(BIG))
        with volume.snapshot() as view:
            from vexfs.core import attributes

            assert sample.blob.hex().encode() in attributes.get_xattr(view, sample.big.ino, DAMAGED_XATTR)
        assert read_all(volume, sample.small.ino) == b"hello"


def test_unreachable_tree_comes_back_whole_in_lost_and_found(sample: Sample) -> None:
    sample.sql("DELETE FROM dentry WHERE ino=%d" % sample.directory.ino)
    check_volume(sample.folder, repair=True)
    with Volume.open(sample.folder, "api") as volume, volume.snapshot() as view:
        lost = files.lookup(view, files.ROOT_INO, b"lost+found")
        directory: Node = files.lookup(view, lost.ino, b"file-%d" % sample.directory.ino)
        assert files.lookup(view, directory.ino, b"inner").ino == sample.inner.ino


def test_a_tree_that_hangs_on_itself_comes_back_in_lost_and_found(sample: Sample) -> None:
    sample.sql("UPDATE dentry SET parent=%d WHERE ino=%d" % (sample.directory.ino, sample.directory.ino))
    assert all(finding.repaired for finding in check_volume(sample.folder, repair=True))
    assert check_volume(sample.folder) == []
    with Volume.open(sample.folder, "api") as volume, volume.snapshot() as view:
        lost = files.lookup(view, files.ROOT_INO, b"lost+found")
        directory: Node = files.lookup(view, lost.ino, b"file-%d" % sample.directory.ino)
        assert files.lookup(view, directory.ino, b"inner").ino == sample.inner.ino


def test_two_lost_files_share_one_lost_and_found(sample: Sample) -> None:
    sample.sql("DELETE FROM dentry WHERE ino IN (%d, %d)" % (sample.small.ino, sample.inner.ino))
    check_volume(sample.folder, repair=True)
    assert check_volume(sample.folder) == []
    with Volume.open(sample.folder, "api") as volume:
        with volume.snapshot() as view:
            lost = files.lookup(view, files.ROOT_INO, b"lost+found")
            names = {entry.name for entry in files.list_directory(view, lost.ino)}
        assert names == {b"file-%d" % sample.small.ino, b"file-%d" % sample.inner.ino}
        assert read_all(volume, sample.small.ino) == b"hello"


def test_a_file_without_a_name_that_nobody_has_open_is_forgotten(sample: Sample) -> None:
    sample.sql("DELETE FROM dentry WHERE ino=%d" % sample.small.ino, "UPDATE node SET nlink=0 WHERE ino=%d" % sample.small.ino)
    (finding,) = check_volume(sample.folder)
    assert finding.invariant == "orphan-open"
    check_volume(sample.folder, repair=True)
    assert check_volume(sample.folder, deep=True) == []
    with Volume.open(sample.folder, "api") as volume, volume.snapshot() as view:
        assert view.execute("SELECT count(*) FROM node WHERE ino=?", (sample.small.ino,)).fetchall() == [(0,)]


def test_a_directory_that_was_lost_with_its_names_leaves_its_files_reachable(sample: Sample) -> None:
    sample.sql("DELETE FROM node WHERE ino=%d" % sample.directory.ino)
    assert all(finding.repaired for finding in check_volume(sample.folder, repair=True))
    assert check_volume(sample.folder, deep=True) == []
    with Volume.open(sample.folder, "api") as volume:
        assert read_all(volume, sample.inner.ino) == b"inner"


def test_an_unusable_schema_of_what_is_no_directory_is_dropped(sample: Sample) -> None:
    sample.sql("UPDATE collection SET ino=%d" % sample.small.ino)
    assert "schema-usable" in {finding.invariant for finding in check_volume(sample.folder)}
    check_volume(sample.folder, repair=True)
    assert check_volume(sample.folder, deep=True) == []


def test_document_and_rules_are_in_step() -> None:
    root = Path(__file__).parents[3]
    text = (root / "docs" / "INVARIANTS.md").read_text()
    documented = dict(re.findall(r"^\| `([a-z-]+)` \| ([^|]+?) \|", text, re.MULTILINE))
    assert {name: statement for name, statement in documented.items() if name in BREAKS} == {
        invariant.name: invariant.statement for invariant in INVARIANTS
    }


def test_findings_are_plain_data(sample: Sample) -> None:
    os.truncate(sample.blob_path, 10)
    (finding,) = check_volume(sample.folder)
    assert json.dumps(finding._asdict())
