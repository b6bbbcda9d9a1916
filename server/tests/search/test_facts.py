"""Tables that follow the log against looking at every file: the same answer, at every moment, whoever writes."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.test_columns import DOCUMENTS, trees
from tests.views.dense.volumes import make_collection, new_volume, put_points, write
from vexfs.core import attributes, collections, content, files, filters, points
from vexfs.core.filters import Compiled, Equals, Exists, Filter, Metadata, Name, OneOf, Owner, Range, SizeBytes
from vexfs.core.search import columns, facts
from vexfs.core.search.facts import FollowedFacts, changed_files
from vexfs.core.types import Ino
from vexfs.store import dentries
from vexfs.store.reader import Snapshot
from vexfs.store.volume import Volume

SLOTS = 8
"""Files that a random history creates, changes and removes."""


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Volume]:
    with new_volume(tmp_path_factory.mktemp("facts")) as opened:
        yield opened


class Folder:
    """A directory with files that come, change and go."""

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self.collection = make_collection(volume, b"c%d" % volume.head(), 2)
        self.at = self.collection.ino
        self.made: list[int] = []

    def create(self, slot: int, document: int) -> None:
        name = b"f%d" % slot
        found = self._ino(name)
        if found is None:
            found = write(
                self._volume,
                lambda txn: files.create(txn, self.at, name, mode=0o100644, uid=slot % 3, gid=document % 2),
            ).ino
            self.made.append(found)
        self._document(found, document)

    def upsert(self, slot: int, document: int) -> None:
        payload = msgspec.json.encode(DOCUMENTS[document] or {})
        vector = np.array([1, slot], "<f4")
        item = points.PointInput(f"f{slot}", {"v": vector.tobytes()}, payload)
        (ino,) = write(self._volume, lambda txn: points.upsert(txn, self.collection, [item]))
        if ino not in self.made:
            self.made.append(ino)

    def remove(self, slot: int, _: int) -> None:
        if self._ino(b"f%d" % slot) is not None:
            write(self._volume, lambda txn: files.remove(txn, self.at, b"f%d" % slot))

    def rename(self, slot: int, to: int) -> None:
        """Over another file, if that name is taken."""
        if self._ino(b"f%d" % slot) is not None:
            write(self._volume, lambda txn: files.rename(txn, self.at, b"f%d" % slot, self.at, b"f%d" % (to % SLOTS)))

    def link(self, slot: int, to: int) -> None:
        ino, name = self._ino(b"f%d" % slot), (b"alias", b"f1%d" % to)[to % 2]
        if ino is not None and self._ino(name) is None:
            write(self._volume, lambda txn: files.link(txn, ino, self.at, name))

    def document(self, slot: int, document: int) -> None:
        if (ino := self._ino(b"f%d" % slot)) is not None:
            self._document(ino, document)

    def resize(self, slot: int, size: int) -> None:
        if (ino := self._ino(b"f%d" % slot)) is not None:
            prepared = content.prepare(self._volume.blobs, [(0, b"x" * (size % 4))], whole=True)
            write(self._volume, lambda txn: content.replace(txn, ino, prepared))

    def attribute(self, slot: int, value: int) -> None:
        if (ino := self._ino(b"f%d" % slot)) is not None:
            write(self._volume, lambda txn: files.set_attributes(txn, ino, mtime_ns=value, uid=value % 3, gid=value % 2))

    def clear(self, *_: int) -> None:
        """Delete all points, and the collection with them."""
        write(self._volume, lambda txn: points.delete(txn, self.collection, [f"f{slot}" for slot in range(SLOTS)]))
        with self._volume.snapshot() as view:
            others = [entry.name for entry in dentries.list_page(view, self.at, after=b"", limit=100)]
        for name in others:
            write(self._volume, lambda txn, name=name: files.remove(txn, self.at, name))
        write(self._volume, lambda txn: collections.delete(txn, self.at))
        write(self._volume, lambda txn: collections.create(txn, self.at, self.collection.schema))

    def universe(self) -> np.ndarray:
        return np.array(sorted(self.made), dtype=np.int64)

    def _document(self, ino: int, document: int) -> None:
        payload = msgspec.json.encode(DOCUMENTS[document] or {})
        write(self._volume, lambda txn: attributes.set_metadata(txn, Ino(ino), payload))

    def _ino(self, name: bytes) -> Ino | None:
        with self._volume.snapshot() as view:
            return dentries.get(view, self.at, name)


CHANGES: list[Callable[[Folder, int, int], None]] = [
    Folder.create, Folder.create, Folder.upsert, Folder.remove, Folder.rename, Folder.link, Folder.document, Folder.resize,
    Folder.attribute, Folder.clear,
]  # fmt: skip
changes = st.tuples(st.sampled_from(CHANGES), st.integers(0, SLOTS - 1), st.integers(0, len(DOCUMENTS) - 1))
USUAL = [
    filters.compile(condition)
    for condition in (
        Metadata("a", Exists(True)),
        Metadata("b.c", Exists(False)),
        Metadata("a", OneOf((1, True, "1"))),
        Metadata("b.c", Equals("x")),
        Metadata("a", Range(gte=-3)),
        SizeBytes(Range(gt=0)),
        Owner(1),
    )
]
"""Asked between all changes, so that columns are changed and not made anew."""
HOLD, RELEASE = "hold", "release"
histories = st.lists(st.one_of(changes, changes, trees, trees, st.sampled_from([HOLD, RELEASE])), min_size=4, max_size=24)


def check(table: FollowedFacts, view: Snapshot, universe: np.ndarray, compiled: Compiled) -> int:
    expected = filters.matching(view, [Ino(ino) for ino in universe.tolist()], compiled)
    assert table.passing(view, universe, compiled).tolist() == sorted(expected), compiled.source
    return len(expected)


@settings(max_examples=100)
@given(history=histories, again=trees)
def test_a_table_that_follows_passes_what_passes_one_by_one(volume: Volume, history: list[object], again: Filter) -> None:
    """Asked between changes, by searches of now and by one that began earlier, for all files and for some."""
    folder = Folder(volume)
    table = FollowedFacts(volume.snapshot)
    for slot in range(3):
        folder.create(slot, slot)
    held: list[tuple[Snapshot, np.ndarray]] = []
    with ExitStack() as open_views:
        for step in [*history, again]:
            if step == HOLD:
                held.append((open_views.enter_context(volume.snapshot()), folder.universe()))
            elif step == RELEASE:
                held = held[1:]
            elif isinstance(step, tuple) and step and step[0] in CHANGES:
                change, slot, value = step
                change(folder, slot, value)
            else:
                try:
                    compiled = filters.compile(step)  # type: ignore[arg-type]
                except filters.InvalidFilter:
                    continue
                with volume.snapshot() as view:
                    for condition in (*USUAL, compiled):
                        check(table, view, folder.universe(), condition)
                    check(table, view, folder.universe()[::2], compiled)
                for view, universe in held:
                    check(table, view, universe, compiled)
                    check(table, view, folder.universe(), compiled)


def filled(volume: Volume, count: int) -> Folder:
    folder = Folder(volume)
    vectors = np.ones((count, 2), "<f4")
    folder.made = list(
        put_points(volume, folder.collection, vectors, metadata=[b'{"a": %d}' % (number % 5) for number in range(count)])
    )
    return folder


def builds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the tables that are built from now on."""
    made: list[int] = []

    class Counted(columns.FactsTable):
        def __init__(self, inos: np.ndarray, *, with_names: bool) -> None:
            made.append(len(inos))
            super().__init__(inos, with_names=with_names)

    monkeypatch.setattr(facts, "FactsTable", Counted)
    return made


def test_a_table_is_built_once_for_all_who_wait_and_followed_while_somebody_writes(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = filled(volume, 3000)
    made = builds(monkeypatch)
    table = FollowedFacts(volume.snapshot)
    universe = folder.universe()
    begin, passed, failed = threading.Barrier(9), [], []

    def search(value: int) -> None:
        begin.wait()
        try:
            for turn in range(25):
                compiled = filters.compile(Metadata("a", Equals((value + turn) % 7)))
                with volume.snapshot() as view:
                    passed.append(check(table, view, universe, compiled))
        except BaseException as error:
            failed.append(error)

    searches = [threading.Thread(target=search, args=(number,)) for number in range(8)]
    for thread in searches:
        thread.start()
    begin.wait()
    for number in range(40):
        ino = folder.made[number * 7]
        write(volume, lambda txn, ino=ino, n=number: attributes.set_metadata(txn, ino, b'{"a": %d}' % (5 + n % 2)))
    for thread in searches:
        thread.join()
    assert not failed
    assert len(passed) == 8 * 25 and sum(passed) > 0
    assert made == [3000]


def test_new_files_come_to_the_table_and_do_not_build_it_anew(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = filled(volume, 50)
    made = builds(monkeypatch)
    table = FollowedFacts(volume.snapshot)
    compiled = filters.compile(Metadata("a", Range(gte=3)))
    with volume.snapshot() as view:
        assert check(table, view, folder.universe(), compiled) == 20
    for slot in range(5):
        folder.create(slot, 2)
        folder.upsert(slot + 1, 10)
        with volume.snapshot() as view:
            check(table, view, folder.universe(), compiled)
    assert made == [50]


def test_names_are_read_when_they_are_first_asked_for(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = filled(volume, 20)
    made = builds(monkeypatch)
    table = FollowedFacts(volume.snapshot)
    for condition, count in ((SizeBytes(Range(gte=0)), 20), (Name("p0000*"), 10), (SizeBytes(Range(gt=0)), 0)):
        with volume.snapshot() as view:
            assert check(table, view, folder.universe(), filters.compile(condition)) == count
    assert made == [20, 20]
    write(volume, lambda txn: files.rename(txn, folder.at, b"p00011", folder.at, b"p0000x"))
    with volume.snapshot() as view:
        assert check(table, view, folder.universe(), filters.compile(Name("p0000*"))) == 11
    assert made == [20, 20]


def test_a_table_far_behind_is_built_anew(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "FOLLOWED_RECORDS_MAX", 3)
    folder = filled(volume, 20)
    made = builds(monkeypatch)
    table = FollowedFacts(volume.snapshot)
    compiled = filters.compile(Metadata("a", Equals(1)))
    for revisions, expected in ((0, [20]), (3, [20]), (4, [20, 20])):
        for _ in range(revisions):
            write(volume, lambda txn: attributes.set_metadata(txn, Ino(folder.made[0]), b'{"a": 1}'))
        assert table.is_near(volume.head()) is (revisions == 3)
        with volume.snapshot() as view:
            check(table, view, folder.universe(), compiled)
        assert made == expected


def test_a_table_that_the_log_does_not_reach_back_to_is_built_anew(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = filled(volume, 20)
    made = builds(monkeypatch)
    table = FollowedFacts(volume.snapshot)
    compiled = filters.compile(Metadata("a", Equals(1)))
    with volume.snapshot() as view:
        check(table, view, folder.universe(), compiled)
    before = volume.head()
    folder.upsert(1, 2)
    write(volume, lambda txn: txn.execute("DELETE FROM log WHERE revision<=?", (before + 1,)))
    with volume.snapshot() as view:
        assert changed_files(view, before, view.revision) is None
        check(table, view, folder.universe(), compiled)
    assert made == [20, 21]


def test_files_that_nobody_asks_for_any_more_are_dropped(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = filled(volume, 2000)
    made = builds(monkeypatch)
    table = FollowedFacts(volume.snapshot)
    compiled = filters.compile(Metadata("a", Equals(1)))
    for few in (2000, 600, 100):
        with volume.snapshot() as view:
            check(table, view, folder.universe()[:few], compiled)
    assert made == [2000, 100]
