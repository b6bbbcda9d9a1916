"""The history window: a trim takes away what no revision inside it shows, and not one byte more."""

import shutil
import stat
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from vexfs.core import attributes, collections, content, files, points
from vexfs.core.errors import VexfsError
from vexfs.core.types import BLOCK_BYTES, ROOT_INO, CollectionSchema, Ino, VectorSpec
from vexfs.store import collect, history, log, nodes, versioned
from vexfs.store.check import check_volume
from vexfs.store.history import Window
from vexfs.store.reader import Reader
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

from .helpers import make_directory, make_file, read_all, write

KIB = 1024
NAMES = (b"a", b"b", b"c")
SIZES = (0, 1, 5000, 2 * BLOCK_BYTES, 5 * BLOCK_BYTES, 7 * BLOCK_BYTES + 11)
OFFSETS = (0, 100, BLOCK_BYTES, 3 * BLOCK_BYTES - 1, 9 * BLOCK_BYTES)
SCHEMA = CollectionSchema((VectorSpec("v", 2, "dot"),), embed_text=False)


def show(view: Reader, ino: Ino = ROOT_INO) -> dict[bytes, Any]:
    """All that a view shows, by path."""
    shown: dict[bytes, Any] = {}
    for entry in files.list_directory(view, ino):
        node = entry.node
        facts: list[Any] = [node, attributes.get_metadata(view, node.ino)]
        facts += [(name, attributes.get_xattr(view, node.ino, name)) for name in attributes.list_xattrs(view, node.ino)]
        facts += [(row.name, row.data) for row in versioned.get_vectors(view, node.ino)]
        facts.append(versioned.get_schema(view, node.ino))
        if stat.S_ISREG(node.mode):
            facts.append(zlib.crc32(content.read(view, node.ino, 0, 1 << 30)))
        if stat.S_ISLNK(node.mode):
            facts.append(files.read_symlink(view, node.ino))
        shown[entry.name] = tuple(facts)
        if node.is_directory:
            shown |= {entry.name + b"/" + path: facts for path, facts in show(view, node.ino).items()}
    return shown


def show_every_revision(volume: Volume, floor: int, head: int) -> dict[int, tuple[int | None, dict[bytes, Any]]]:
    everything = {}
    for at_revision in range(floor, head + 1):
        with volume.snapshot(at_revision) as view:
            everything[at_revision] = (view.at_revision, show(view) | {b"": files.stat(view, ROOT_INO)})
    return everything


def data_of(seed: int, size: int) -> bytes:
    return bytes([seed % 255 + 1]) * size


class Doing:
    """Turns drawn numbers into operations; what cannot be done just then is left out."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
        self.in_group = 0

    def do(self, kind: str, name: bytes, other: bytes, size: int, offset: int, seed: int) -> None:
        function = getattr(self, f"_{kind}")(name, other, size, offset, seed)
        try:
            if self.volume.role == "mount":
                with self.volume.writer.begin(kind) as txn:
                    function(txn)
                self.in_group += 1
                if self.in_group > seed % 4:
                    self.in_group = 0
                    self.volume.writer.commit()
            else:
                self.volume.queue.submit(kind, function, durable=False).result(10)
        except VexfsError:
            pass

    def _make(self, name: bytes, _other: bytes, _size: int, _offset: int, _seed: int) -> Callable[[Transaction], object]:
        return lambda txn: files.create(txn, ROOT_INO, name, mode=0o644, uid=1, gid=1)

    def _mkdir(self, name: bytes, *_: object) -> Callable[[Transaction], object]:
        return lambda txn: files.make_directory(txn, ROOT_INO, name, mode=0o755, uid=1, gid=1)

    def _symlink(self, name: bytes, other: bytes, *_: object) -> Callable[[Transaction], object]:
        return lambda txn: files.make_symlink(txn, ROOT_INO, name, target=other, uid=1, gid=1)

    def _link(self, name: bytes, other: bytes, *_: object) -> Callable[[Transaction], object]:
        return lambda txn: files.link(txn, files.lookup(txn, ROOT_INO, name).ino, ROOT_INO, other)

    def _rename(self, name: bytes, other: bytes, *_: object) -> Callable[[Transaction], object]:
        return lambda txn: files.rename(txn, ROOT_INO, name, ROOT_INO, other)

    def _remove(self, name: bytes, *_: object) -> Callable[[Transaction], object]:
        return lambda txn: files.remove(txn, ROOT_INO, name)

    def _chmod(self, name: bytes, _other: bytes, _size: int, _offset: int, seed: int) -> Callable[[Transaction], object]:
        return lambda txn: files.set_attributes(txn, files.lookup(txn, ROOT_INO, name).ino, mode=seed)

    def _write(self, name: bytes, _other: bytes, size: int, offset: int, seed: int) -> Callable[[Transaction], object]:
        prepared = content.prepare(self.volume.blobs, [(offset, data_of(seed, size))] if size else [])
        return lambda txn: content.write(txn, files.lookup(txn, ROOT_INO, name).ino, prepared)

    def _replace(self, name: bytes, _other: bytes, size: int, _offset: int, seed: int) -> Callable[[Transaction], object]:
        prepared = content.prepare(self.volume.blobs, [(0, data_of(seed, size))] if size else [], whole=True)
        return lambda txn: content.replace(txn, files.lookup(txn, ROOT_INO, name).ino, prepared)

    def _truncate(self, name: bytes, _other: bytes, size: int, offset: int, _seed: int) -> Callable[[Transaction], object]:
        return lambda txn: content.truncate(txn, files.lookup(txn, ROOT_INO, name).ino, max(size, offset))

    def _copy(self, name: bytes, other: bytes, *_: object) -> Callable[[Transaction], object]:
        def copy(txn: Transaction) -> object:
            source, target = files.lookup(txn, ROOT_INO, name), files.lookup(txn, ROOT_INO, other)
            return content.copy(txn, source.ino, target.ino)

        return copy

    def _xattr(self, name: bytes, other: bytes, _size: int, _offset: int, seed: int) -> Callable[[Transaction], object]:
        value = data_of(seed, seed)
        return lambda txn: attributes.set_xattr(txn, files.lookup(txn, ROOT_INO, name).ino, b"user." + other, value)

    def _unxattr(self, name: bytes, other: bytes, *_: object) -> Callable[[Transaction], object]:
        return lambda txn: attributes.remove_xattr(txn, files.lookup(txn, ROOT_INO, name).ino, b"user." + other)

    def _metadata(self, name: bytes, _other: bytes, _size: int, _offset: int, seed: int) -> Callable[[Transaction], object]:
        json = b'{"seed": %d}' % seed if seed % 3 else b"{}"
        return lambda txn: attributes.set_metadata(txn, files.lookup(txn, ROOT_INO, name).ino, json)

    def _collect(self, name: bytes, *_: object) -> Callable[[Transaction], object]:
        return lambda txn: collections.create(txn, files.lookup(txn, ROOT_INO, name).ino, SCHEMA)

    def _uncollect(self, name: bytes, *_: object) -> Callable[[Transaction], object]:
        return lambda txn: collections.delete(txn, files.lookup(txn, ROOT_INO, name).ino)

    def _upsert(self, name: bytes, other: bytes, _size: int, _offset: int, seed: int) -> Callable[[Transaction], object]:
        item = points.PointInput(other.decode(), {"v": np.full(2, seed, "<f4").tobytes()})

        def upsert(txn: Transaction) -> object:
            found = collections.get(txn, files.lookup(txn, ROOT_INO, name).ino)
            return points.upsert(txn, found, points.validate(found, [item]))

        return upsert

    def _unpoint(self, name: bytes, other: bytes, *_: object) -> Callable[[Transaction], object]:
        def delete(txn: Transaction) -> object:
            return points.delete(txn, collections.get(txn, files.lookup(txn, ROOT_INO, name).ino), [other.decode()])

        return delete


KINDS = sorted(name[1:] for name in vars(Doing) if name.startswith("_") and not name.startswith("__"))
CONTENT_KINDS = ("make", "write", "replace", "truncate", "copy")
POINT_KINDS = ("upsert", "unpoint", "uncollect", "collect")
Operation = tuple[str, bytes, bytes, int, int, int]
OPERATION = st.tuples(
    st.one_of(st.sampled_from(CONTENT_KINDS), st.sampled_from(KINDS), st.sampled_from(POINT_KINDS)),
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
    st.sampled_from(SIZES),
    st.sampled_from(OFFSETS),
    st.integers(0, 200),
)


def in_memory_folder() -> Path:
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="vexfs-test-", dir=memory if memory.is_dir() else None))


_CUT_AND_GROWN = [
    ("replace", b"a", b"", 7 * BLOCK_BYTES + 11, 0, 1),
    ("truncate", b"a", b"", 2 * BLOCK_BYTES, 0, 0),
    ("truncate", b"a", b"", 0, 9 * BLOCK_BYTES, 0),
]


@pytest.mark.parametrize("tenths", range(1, 11))
@pytest.mark.parametrize(
    "operations",
    [
        _CUT_AND_GROWN,
        [*_CUT_AND_GROWN, ("write", b"a", b"", 5000, 3 * BLOCK_BYTES - 1, 2)],
        [
            ("replace", b"a", b"", 7 * BLOCK_BYTES + 11, 0, 1),
            ("write", b"a", b"", 1, 3 * BLOCK_BYTES - 1, 3),
            *_CUT_AND_GROWN[1:],
        ],
        [*_CUT_AND_GROWN, ("copy", b"a", b"b", 0, 0, 0), *_CUT_AND_GROWN, ("copy", b"b", b"a", 0, 0, 0)],
    ],
)
def test_what_was_cut_off_does_not_come_back_by_a_trim(operations: list[Operation], tenths: int) -> None:
    """A hole stays as long as something older below it does, because that shows elsewhere."""
    check_trims(operations, "api", (tenths, tenths))


@given(
    operations=st.lists(OPERATION, min_size=6, max_size=18),
    role=st.sampled_from(["api", "mount"]),
    targets=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
@settings(
    max_examples=50,
    phases=(Phase.explicit, Phase.generate),  # shrinking takes minutes; the cases above are small
)
def test_a_trim_changes_nothing_that_the_window_shows(operations: list[Operation], role: str, targets: tuple[int, int]) -> None:
    check_trims(operations, role, targets)


def check_trims(operations: list[Operation], role: str, targets: tuple[int, int]) -> None:
    """Do the operations, read every revision, trim up to each target: every revision left reads as before."""
    folder = in_memory_folder()
    try:
        with Volume.open(folder / "volume", role, create=True) as volume:
            doing = Doing(volume)
            for name in NAMES[:2]:
                doing.do("make", name, b"", 0, 0, 3)
            for kind in ("mkdir", "collect", "upsert"):
                doing.do(kind, b"c", b"a", 0, 0, 3)
            for operation in operations:
                doing.do(*operation)
        with Volume.open(folder / "volume", "indexer") as volume:
            head = volume.head()
            before = show_every_revision(volume, 0, head)
            for target in sorted({-(-head * tenths // 10) for tenths in (*targets, 10)}):
                floor: int = write(volume, lambda txn, target=target: history.trim_slice(txn, target))  # type: ignore[misc]
                assert floor <= target and (floor == head or target < head)
                assert before[floor][0] == floor, "the floor lies inside a commit of the mount"
                with volume.snapshot() as view:
                    assert history.floor(view) == floor
                    assert log.read(view, after=0, limit=1)[0].revision == floor + 1
                assert show_every_revision(volume, floor, head) == {at: before[at] for at in range(floor, head + 1)}
            assert_nothing_is_left_over(volume)
            collect.condemn_strays(volume, older_than_s=-1)  # of the writes that were refused
        assert check_volume(folder / "volume", deep=True) == []
    finally:
        shutil.rmtree(folder)


def assert_nothing_is_left_over(volume: Volume) -> None:
    """With everything trimmed there is one version of each thing, and nothing of what is gone."""
    with volume.snapshot() as view:
        for table in ("node_history", "dentry_history"):
            assert view.execute(f"SELECT * FROM {table}").fetchall() == []
        for table in ("chunk", "extent", "xattr", "metadata", "vector", "collection", "symlink"):
            gone = f"SELECT * FROM {table} t WHERE NOT EXISTS(SELECT 1 FROM node WHERE ino=t.ino)"
            assert view.execute(gone).fetchall() == []
        for sql in (
            "SELECT count(*)-count(DISTINCT ino*1000000+block) FROM chunk",
            "SELECT count(*)-count(DISTINCT ino||hex(name)) FROM xattr",
            "SELECT count(*)-count(DISTINCT ino) FROM metadata",
            "SELECT count(*)-count(DISTINCT ino||name) FROM vector",
            "SELECT count(*)-count(DISTINCT ino) FROM collection",
            "SELECT count(*) FROM metadata WHERE json IS NULL",
            "SELECT count(*) FROM xattr WHERE value IS NULL",
            "SELECT count(*) FROM vector WHERE data IS NULL",
            "SELECT count(*) FROM collection WHERE schema IS NULL",
        ):
            assert view.execute(sql).fetchall() == [(0,)], sql


# -- what a trim costs and how far it goes -------------------------------------------------------------


def test_a_slice_is_bounded_and_the_next_goes_on(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "SLICE_REVISIONS", 4)
    for number in range(10):
        make_file(volume, b"%d" % number)
    floors = []
    while not floors or floors[-1] < 10:
        floors.append(write(volume, lambda txn: history.trim_slice(txn, 10)))
    assert floors == [4, 8, 10]


def test_a_slice_ends_where_a_commit_of_the_mount_ends(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "SLICE_REVISIONS", 4)
    with Volume.open(folder, "mount", create=True) as mount:
        for commit in range(2):
            for number in range(6):
                with mount.writer.begin("create") as txn:
                    files.create(txn, ROOT_INO, b"%d-%d" % (commit, number), mode=0o644, uid=1, gid=1)
            mount.writer.commit()
    with Volume.open(folder, "indexer") as volume:
        assert write(volume, lambda txn: history.trim_slice(txn, 5)) == 0  # inside the first commit
        assert write(volume, lambda txn: history.trim_slice(txn, 7)) == 6
        assert write(volume, lambda txn: history.trim_slice(txn, 12)) == 12


def test_nothing_is_trimmed_while_all_is_inside_the_window(volume: Volume) -> None:
    make_file(volume, b"file")
    with volume.snapshot() as view:
        now_ns = log.read(view, after=0, limit=1)[0].time_ns
        assert history.target_floor(view, Window(), now_ns=now_ns) == 0
        assert history.target_floor(view, Window(age_ns=10**9), now_ns=now_ns + 10**9) == 0
        assert history.target_floor(view, Window(age_ns=10**9), now_ns=now_ns + 10**9 + 1) == 1


def test_age_is_counted_from_the_oldest_on_and_stops_at_the_first_young_revision(volume: Volume) -> None:
    for number in range(4):
        make_file(volume, b"%d" % number)
    write(volume, lambda txn: txn.execute("UPDATE log SET time_ns=CASE revision WHEN 3 THEN 9000 ELSE 1000 END"))
    with volume.snapshot() as view:
        assert history.target_floor(view, Window(age_ns=100), now_ns=5000) == 2


def test_too_much_past_is_trimmed_by_tenths_and_by_halves_on_a_full_disk(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_FIXED_SLACK_BYTES", 0)
    monkeypatch.setattr(history, "_NODE_OVERHEAD_BYTES", 0)
    node = make_file(volume, b"file", bytes(1000 * KIB))
    prepared = content.prepare(volume.blobs, [(0, bytes(1000 * KIB))], whole=True)
    for _ in range(19):
        write(volume, lambda txn: content.replace(txn, node.ino, prepared))
    window = Window(bytes_ratio=0.2)
    with volume.snapshot() as view:  # one blob, named often: what is stored is little more than what is alive
        assert history.target_floor(view, window, now_ns=0) == 0
    other = content.prepare(volume.blobs, [(0, b"x" * 1000 * KIB)], whole=True)
    write(volume, lambda txn: content.replace(txn, node.ino, other))
    with volume.snapshot() as view:
        assert history.target_floor(view, window, now_ns=0) == 2
        assert history.target_floor(view, Window(bytes_ratio=5.0), now_ns=0) == 0
        monkeypatch.setattr(type(view.blobs), "free_bytes", lambda _: 100 * KIB)  # a disk that is nearly full
        assert history.target_floor(view, window, now_ns=0) == 10


def test_live_vectors_do_not_count_as_past(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_FIXED_SLACK_BYTES", 150_000)
    directory = make_directory(volume, b"points")
    schema = CollectionSchema((VectorSpec("v", 1000, "dot"),), embed_text=False)
    found = write(volume, lambda txn: collections.create(txn, directory.ino, schema))
    items = [points.PointInput(str(n), {"v": np.full(1000, n, "<f4").tobytes()}) for n in range(100)]
    write(volume, lambda txn: points.upsert(txn, found, items))
    with volume.snapshot() as view:
        assert history.target_floor(view, Window(bytes_ratio=0.2), now_ns=0) == 0
    for _ in range(3):
        write(volume, lambda txn: points.upsert(txn, found, items))
    with volume.snapshot() as view:
        assert history.target_floor(view, Window(bytes_ratio=0.2), now_ns=0) > 0


def test_an_idle_volume_is_not_trimmed_for_the_sake_of_its_trims(volume: Volume) -> None:
    make_file(volume, b"file")
    assert write(volume, lambda txn: history.trim_slice(txn, 1)) == 1
    with volume.snapshot() as view:
        assert view.revision == 2
        assert history.target_floor(view, Window(age_ns=-(10**12)), now_ns=1 << 62) == 1


def test_a_volume_trimmed_to_its_last_row_goes_on_numbering(volume: Volume, folder: Path) -> None:
    make_file(volume, b"file", b"data")
    write(volume, lambda txn: history.trim_slice(txn, 1))
    volume.queue.submit("delete", lambda txn: txn.execute("DELETE FROM log"), durable=False).result(10)
    volume.close()
    with Volume.open(folder, "api") as again:
        assert again.tail.oldest() == 1
        make_file(again, b"next")
        with again.snapshot() as view:
            assert nodes.get(view, ROOT_INO) is not None


def test_the_blobs_of_what_was_trimmed_are_condemned_and_those_in_use_are_not(volume: Volume) -> None:
    kept, gone = b"k" * 500 * KIB, b"g" * 500 * KIB
    make_file(volume, b"kept", kept)
    make_file(volume, b"gone", gone)
    make_file(volume, b"shared", gone)
    write(volume, lambda txn: files.remove(txn, ROOT_INO, b"gone"))
    write(volume, lambda txn: history.trim_slice(txn, 4))
    sql = "SELECT count(*), count(condemned_ns) FROM blob"
    with volume.snapshot() as view:
        assert view.execute(sql).fetchall() == [(2, 0)]
    write(volume, lambda txn: files.remove(txn, ROOT_INO, b"shared"))
    write(volume, lambda txn: history.trim_slice(txn, 6))
    with volume.snapshot() as view:
        assert view.execute(sql).fetchall() == [(2, 1)]
        node = files.lookup(view, ROOT_INO, b"kept")
    assert read_all(volume, node.ino) == kept


def change(volume: Volume, ino: Ino, offset: int, data: bytes) -> None:
    prepared = content.prepare(volume.blobs, [(offset, data)])
    write(volume, lambda txn: content.write(txn, ino, prepared))


def trim_all(volume: Volume) -> None:
    while write(volume, lambda txn: history.trim_slice(txn, volume.head())) < volume.head() - 1:
        pass


@pytest.mark.parametrize("what", [b"p", b"w" * BLOCK_BYTES], ids=["patches", "whole blocks"])
def test_the_blob_of_a_file_whose_beginning_changes_stays(volume: Volume, what: bytes) -> None:
    """Nothing of its row begins where it still shows."""
    node = make_file(volume, b"file", data_of(7, 6 * BLOCK_BYTES))
    expected = bytearray(data_of(7, 6 * BLOCK_BYTES))
    for number in range(5):
        change(volume, node.ino, number, what)
        expected[number : number + len(what)] = what
        trim_all(volume)
        assert read_all(volume, node.ino) == expected
    volume.close()
    assert check_volume(volume.folder, deep=True) == []


def test_what_lies_under_patches_stays_until_all_of_it_is_written_anew(volume: Volume) -> None:
    node = make_file(volume, b"file", data_of(7, 40_000))
    expected = bytearray(data_of(7, 40_000))
    for number in range(20):
        change(volume, node.ino, 100 * number, b"patch")
        expected[100 * number : 100 * number + 5] = b"patch"
    trim_all(volume)
    assert read_all(volume, node.ino) == expected
    with volume.snapshot() as view:
        sql = "SELECT count(*), count(runs) FROM chunk WHERE ino=?"
        assert view.execute(sql, (node.ino,)).fetchall() == [(4, 3)]  # one was written whole; what lay below it is gone
    volume.close()
    assert check_volume(volume.folder, deep=True) == []
