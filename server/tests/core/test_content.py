"""Reading and writing: against a bytearray, across every limit, now and in the past."""

import os
import shutil
import stat
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vexfs.core import content, files
from vexfs.core.content import FILE_MAX_BYTES, Prepared, StagedContent
from vexfs.core.errors import (
    CorruptContent,
    InvalidRequest,
    IsADirectory,
    NotARegularFile,
    NotFound,
    TooLarge,
    Unavailable,
    VexfsError,
)
from vexfs.core.types import BLOCK_BYTES, CHANGE_CONTENT, INLINE_MAX_BYTES, Change, Ino, Node
from vexfs.core.uploads import PlacedContent
from vexfs.store import content as rows

from .helpers import Bench, data_of, write

ABSENT = Ino(1 << 40)
LARGE = 6 * BLOCK_BYTES + 123


def replace(bench: Bench, ino: Ino, data: bytes) -> Node:
    prepared = content.prepare(bench.volume.blobs, [(0, data)] if data else [], whole=True)
    return bench.do(lambda txn: content.replace(txn, ino, prepared))


def blob_rows(bench: Bench, ino: Ino) -> int:
    (count,) = bench.view.execute("SELECT count(*) FROM extent WHERE ino=? AND has_data", (ino,)).fetchall()[0]
    return int(count)


# -- against a model -----------------------------------------------------------------------------------

_EDGES = [0, 1, 1000, BLOCK_BYTES, 2 * BLOCK_BYTES, INLINE_MAX_BYTES, 7 * BLOCK_BYTES]
PLACES = st.builds(lambda edge, by: max(0, edge + by), st.sampled_from(_EDGES), st.integers(-3, 3))
LENGTHS = st.builds(lambda edge, by: max(0, edge + by), st.sampled_from([*_EDGES, LARGE]), st.integers(-2, 2))
STEP = st.one_of(
    st.tuples(st.just("write"), PLACES, LENGTHS),
    st.tuples(st.just("write two"), PLACES, LENGTHS),
    st.tuples(st.just("change"), PLACES, st.integers(1, 6000)),
    st.tuples(st.just("change"), PLACES, st.integers(1, 6000)),
    st.tuples(st.just("truncate"), PLACES, st.just(0)),
    st.tuples(st.just("replace"), st.just(0), LENGTHS),
    st.tuples(st.just("stream"), st.just(0), LENGTHS),
    st.tuples(st.just("place"), PLACES, LENGTHS),
    st.tuples(st.just("copy there"), st.just(0), st.just(0)),
    st.tuples(st.just("copy back"), st.just(0), st.just(0)),
)


class Model:
    """The file and its copy, beside a bytearray each; and what the file was at each revision."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.ino, self.copy = bench.file(b"file").ino, bench.file(b"copy").ino
        self.expected, self.copied = bytearray(), bytearray()
        self.past: dict[int, bytes] = {}
        self.seed = 0

    def step(self, kind: str, place: int, length: int) -> None:
        self.seed += 1
        getattr(self, "_" + kind.replace(" ", "_"))(place, data_of(length, self.seed))
        if not self.bench.volume.writer.coalesce or self.seed % 3 == 0:
            self.past[self.bench.commit()] = bytes(self.expected)

    def put(self, place: int, data: bytes) -> None:
        if data:
            self.expected.extend(bytes(max(0, place - len(self.expected))))
            self.expected[place : place + len(data)] = data

    def _write(self, place: int, data: bytes) -> None:
        segments = [(place, data)] if data else []
        prepared = content.prepare(self.bench.volume.blobs, segments)
        self.bench.do(lambda txn: content.write(txn, self.ino, prepared))
        self.put(place, data)

    def _change(self, place: int, data: bytes) -> None:
        """A few bytes here and there, often of the same block."""
        segments = [(place + by, data) for by in (9000, 0, 30_000)]
        prepared = content.prepare(self.bench.volume.blobs, segments)
        self.bench.do(lambda txn: content.write(txn, self.ino, prepared))
        for at, part in segments:
            self.put(at, part)

    def _write_two(self, place: int, data: bytes) -> None:
        """Two writes and a cut in one transaction: of what overlaps, the last wins."""
        blobs = self.bench.volume.blobs
        first = content.prepare(blobs, [(place, data)] if data else [])
        again = data_of(len(data) // 2 + 5 * BLOCK_BYTES, self.seed + 1)
        second = content.prepare(blobs, [(BLOCK_BYTES * (self.seed % 3), again)])
        cut = len(data) // 3

        def both(txn: Any) -> None:
            content.write(txn, self.ino, first)
            content.write(txn, self.ino, second)
            if self.seed % 2:
                content.truncate(txn, self.ino, cut)

        self.bench.do(both)
        self.put(place, data)
        self.put(BLOCK_BYTES * (self.seed % 3), again)
        if self.seed % 2:
            self._cut(cut)

    def _cut(self, size: int) -> None:
        del self.expected[size:]
        self.expected.extend(bytes(size - len(self.expected)))

    def _truncate(self, place: int, _data: bytes) -> None:
        self.bench.do(lambda txn: content.truncate(txn, self.ino, place))
        self._cut(place)

    def _replace(self, _place: int, data: bytes) -> None:
        replace(self.bench, self.ino, data)
        self.expected = bytearray(data)

    def _stream(self, _place: int, data: bytes) -> None:
        with StagedContent(self.bench.volume.blobs) as staged:
            for start in range(0, len(data), 100_000):
                staged.write(data[start : start + 100_000])
            prepared = staged.finish()
        self.bench.do(lambda txn: content.replace(txn, self.ino, prepared))
        self.expected = bytearray(data)

    def _place(self, place: int, data: bytes) -> None:
        with PlacedContent(self.bench.volume.blobs, place) as staged:
            for start in range(0, len(data), 70_000):
                staged.write(data[start : start + 70_000])
            prepared = staged.finish()
        if data:
            self.bench.do(lambda txn: content.write(txn, self.ino, prepared))
        self.put(place, data)

    def _copy_there(self, _place: int, _data: bytes) -> None:
        self.bench.do(lambda txn: content.copy(txn, self.ino, self.copy))
        self.copied = bytearray(self.expected)

    def _copy_back(self, _place: int, _data: bytes) -> None:
        self.bench.do(lambda txn: content.copy(txn, self.copy, self.ino))
        self.expected = bytearray(self.copied)

    def check(self) -> None:
        for ino, expected in ((self.ino, self.expected), (self.copy, self.copied)):
            assert self.bench.stat(ino).size_bytes == len(expected)
            assert self.bench.read(ino) == expected
            for offset in (0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, 2 * BLOCK_BYTES + 7, len(expected) - 1, len(expected)):
                for length in (0, 1, 500, BLOCK_BYTES, 3 * BLOCK_BYTES):
                    at = max(0, offset)
                    assert content.read(self.bench.view, ino, at, length) == expected[at : at + length]

    def check_past(self) -> None:
        self.bench.commit()
        for revision, expected in self.past.items():
            with self.bench.volume.snapshot(revision) as view:
                assert content.read(view, self.ino, 0, 1 << 40) == expected


@given(steps=st.lists(STEP, min_size=1, max_size=12))
@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_a_file_is_what_was_written_to_it_now_and_at_every_revision(bench: Bench, steps: list[tuple[str, int, int]]) -> None:
    for name in bench.names():
        bench.do(lambda txn, name=name: files.remove(txn, bench.home, name))
    model = Model(bench)
    for step in steps:
        model.step(*step)
        model.check()
    model.check_past()


# -- where content lies --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "blobs"), [(INLINE_MAX_BYTES, 0), (INLINE_MAX_BYTES + 1, 1), (0, 0), (1, 0), (1024 * BLOCK_BYTES + 1, 2)]
)
def test_content_above_the_inline_limit_lies_in_blobs_of_at_most_64_mib(bench: Bench, length: int, blobs: int) -> None:
    node = bench.file(b"file")
    data = bytes(length)
    replace(bench, node.ino, data)
    assert blob_rows(bench, node.ino) == blobs
    with StagedContent(bench.volume.blobs) as staged:
        staged.write(data)
        prepared = staged.finish()
    assert (len(prepared.runs), prepared.end_bytes) == (blobs, length)
    assert content.read(bench.view, node.ino, max(0, length - 10), 20) == data[-10:]


def test_a_long_write_into_a_file_puts_its_whole_blocks_into_a_blob_and_the_ends_into_rows(bench: Bench) -> None:
    node = bench.file(b"file")
    data = data_of(INLINE_MAX_BYTES + 2 * BLOCK_BYTES)
    prepared = content.prepare(bench.volume.blobs, [(100, data)])
    assert [(run.first_block, run.block_count) for run in prepared.runs] == [(1, 5)]
    assert [(offset, len(part)) for offset, part in prepared.segments] == [(100, BLOCK_BYTES - 100), (6 * BLOCK_BYTES, 100)]
    bench.do(lambda txn: content.write(txn, node.ino, prepared))
    assert bench.read(node.ino) == bytes(100) + data


def test_many_segments_are_written_in_their_order(bench: Bench) -> None:
    node = bench.file(b"file", b"x" * 10)
    segments = [(0, b"aaaa"), (2, b"bbbb"), (1, b"c"), (BLOCK_BYTES - 1, b"dd"), (BLOCK_BYTES, b"e")]
    prepared = content.prepare(bench.volume.blobs, segments)
    assert prepared.runs == () and prepared.end_bytes == BLOCK_BYTES + 1
    bench.do(lambda txn: content.write(txn, node.ino, prepared))
    assert bench.read(node.ino)[:10] == b"acbbbbxxxx" and bench.read(node.ino)[-2:] == b"de"


@pytest.mark.parametrize("offset", [0, 5, BLOCK_BYTES - 1, BLOCK_BYTES, 3 * BLOCK_BYTES + 7])
@pytest.mark.parametrize("size", [INLINE_MAX_BYTES - 1, INLINE_MAX_BYTES, 700_001, 13 * BLOCK_BYTES])
def test_a_run_in_pieces_is_prepared_as_in_one(bench: Bench, offset: int, size: int) -> None:
    data = data_of(size, 3)
    cuts = [0, 1, 70_000, 70_001, size - 5, size]
    pieces = [data[start:end] for start, end in pairwise(cuts)]
    prepared = content.prepare_run(bench.volume.blobs, offset, pieces)
    assert prepared == content.prepare(bench.volume.blobs, [(offset, data)])
    assert prepared.runs or size < INLINE_MAX_BYTES + 2 * BLOCK_BYTES


def test_a_copy_of_large_content_moves_no_bytes(bench: Bench) -> None:
    source = bench.file(b"source", data_of(LARGE))
    target = bench.file(b"target", data_of(LARGE, 2))
    copied = bench.do(lambda txn: content.copy(txn, source.ino, target.ino))
    assert copied.content_revision > target.content_revision
    assert bench.read(target.ino) == bench.read(source.ino)
    blobs = {
        bytes(b) for (b,) in bench.view.execute("SELECT blob FROM extent WHERE ino=? AND has_data", (source.ino,)).fetchall()
    }
    newest = "SELECT blob FROM extent WHERE ino=? AND has_data AND born=?"
    assert {bytes(b) for (b,) in bench.view.execute(newest, (target.ino, copied.revision)).fetchall()} == blobs
    write(bench, target.ino, 0, b"changed")
    assert bench.read(source.ino) == data_of(LARGE)


def test_a_file_copied_onto_itself_stays(bench: Bench) -> None:
    for data in (b"small", data_of(LARGE)):
        node = bench.file(b"%d" % len(data), data)
        bench.do(lambda txn, node=node: content.copy(txn, node.ino, node.ino))
        assert bench.read(node.ino) == data


def test_overwriting_a_blob_in_one_transaction_condemns_what_is_not_used(bench: Bench) -> None:
    node = bench.file(b"file")
    first = content.prepare(bench.volume.blobs, [(0, os.urandom(LARGE))], whole=True)
    second = content.prepare(bench.volume.blobs, [(0, data_of(LARGE, 9))], whole=True)

    def both(txn: Any) -> None:
        content.write(txn, node.ino, first)
        content.write(txn, node.ino, second)

    bench.do(both)
    assert bench.read(node.ino) == data_of(LARGE, 9)
    state = "SELECT condemned_ns IS NOT NULL FROM blob WHERE hash=?"
    assert bench.view.execute(state, (first.runs[0].blob,)).fetchall() == [(1,)]
    assert bench.view.execute(state, (second.runs[0].blob,)).fetchall() == [(0,)]


# -- effects -------------------------------------------------------------------------------------------


def test_a_write_moves_size_times_and_revisions(bench: Bench) -> None:
    node = bench.file(b"file")
    bench.do(lambda txn: files.set_attributes(txn, node.ino, atime_ns=1, mtime_ns=2))
    for change in (
        lambda: write(bench, node.ino, 0, b"data"),
        lambda: replace(bench, node.ino, b"other"),
        lambda: bench.do(lambda txn: content.truncate(txn, node.ino, 2)),
        lambda: bench.do(lambda txn: content.truncate(txn, node.ino, 2)),
    ):
        before = bench.stat(node.ino)
        changed = change()
        assert changed == bench.stat(node.ino)
        assert changed.revision == changed.content_revision > before.revision
        assert changed.mtime_ns > before.mtime_ns and changed.ctime_ns >= before.ctime_ns and changed.atime_ns == 1
    head = bench.commit()
    assert Change(CHANGE_CONTENT, node.ino) in bench.volume.tail.read(head - 1)[0].changes
    kept = write(bench, node.ino, 0, b"x", mtime_ns=77)
    assert kept.mtime_ns == 77 and kept.ctime_ns > 77


def test_a_sparse_file_costs_only_what_was_written(bench: Bench) -> None:
    node = bench.file(b"file")
    bench.do(lambda txn: content.truncate(txn, node.ino, FILE_MAX_BYTES))
    write(bench, node.ino, 1 << 40, b"island")
    assert bench.stat(node.ino).size_bytes == FILE_MAX_BYTES
    assert content.read(bench.view, node.ino, (1 << 40) - 2, 10) == b"\0\0island\0\0"
    assert content.read(bench.view, node.ino, FILE_MAX_BYTES - 5, 100) == bytes(5)
    assert bench.view.execute("SELECT count(*) FROM chunk WHERE ino=?", (node.ino,)).fetchall() == [(1,)]


def test_bytes_cut_off_do_not_come_back_when_the_file_grows(bench: Bench) -> None:
    for length in (1000, 3 * BLOCK_BYTES, LARGE):
        node = bench.file(b"%d" % length, data_of(length))
        for size in sorted({length - 1, length // 2, min(BLOCK_BYTES // 2, length // 3), 3, 0}, reverse=True):
            bench.do(lambda txn, node=node, size=size: content.truncate(txn, node.ino, size))
            bench.do(lambda txn, node=node, length=length: content.truncate(txn, node.ino, length))
            assert bench.read(node.ino) == data_of(length)[:size] + bytes(length - size)


def test_cutting_a_file_longer_than_one_extent_can_be_hides_all_of_it(bench: Bench) -> None:
    length = 1030 * BLOCK_BYTES
    node = bench.file(b"file", b"x" * length)
    for size in (BLOCK_BYTES // 2, length):
        bench.do(lambda txn, size=size: content.truncate(txn, node.ino, size))
    for block in (1, 500, 1023, 1024, 1029):
        assert content.read(bench.view, node.ino, block * BLOCK_BYTES, 10) == bytes(10)
    assert content.read(bench.view, node.ino, 0, 5) == b"xxxxx"


# -- refusals ------------------------------------------------------------------------------------------


def operations(bench: Bench, ino: Ino) -> list[Callable[[Any], object]]:
    prepared = content.prepare(bench.volume.blobs, [(0, b"x")])
    regular = bench.file(b"regular", b"kept").ino
    return [
        lambda txn: content.read(txn, ino, 0, 1),
        lambda txn: content.write(txn, ino, prepared),
        lambda txn: content.replace(txn, ino, prepared),
        lambda txn: content.truncate(txn, ino, 0),
        lambda txn: content.copy(txn, ino, regular),
        lambda txn: content.copy(txn, regular, ino),
    ]


@pytest.mark.parametrize(
    ("kind", "error"),
    [("absent", NotFound), ("directory", IsADirectory), ("symlink", NotARegularFile), ("fifo", NotARegularFile)],
)
def test_only_a_regular_file_has_content(bench: Bench, kind: str, error: type[VexfsError]) -> None:
    ino = {
        "absent": lambda: ABSENT,
        "directory": lambda: bench.directory(b"d").ino,
        "symlink": lambda: bench.symlink(b"s").ino,
        "fifo": lambda: bench.file(b"f", mode=stat.S_IFIFO | 0o600).ino,
    }[kind]()
    for operation in operations(bench, ino):
        bench.refused(error, operation)


def test_sizes_beyond_the_limits_are_refused(bench: Bench) -> None:
    node = bench.file(b"file", b"kept")
    beyond = Prepared((), ((FILE_MAX_BYTES, b"x"),), FILE_MAX_BYTES + 1)
    bench.refused(TooLarge, lambda txn: content.write(txn, node.ino, beyond))
    bench.refused(TooLarge, lambda txn: content.replace(txn, node.ino, beyond))
    bench.refused(TooLarge, lambda txn: content.truncate(txn, node.ino, FILE_MAX_BYTES + 1))
    bench.refused(InvalidRequest, lambda txn: content.truncate(txn, node.ino, -1))
    assert bench.read(node.ino) == b"kept"
    with StagedContent(bench.volume.blobs) as staged:
        staged.size_bytes = FILE_MAX_BYTES
        with pytest.raises(TooLarge):
            staged.write(b"x")


def test_a_blob_that_was_collected_before_it_was_used_changes_nothing(bench: Bench) -> None:
    node = bench.file(b"file", b"kept")
    prepared = content.prepare(bench.volume.blobs, [(0, os.urandom(LARGE))], whole=True)
    bench.volume.blobs.unlink(prepared.runs[0].blob)
    bench.refused(Unavailable, lambda txn: content.write(txn, node.ino, prepared))
    bench.refused(Unavailable, lambda txn: content.replace(txn, node.ino, prepared))
    assert bench.read(node.ino) == b"kept"


def test_staged_content_that_is_left_unfinished_leaves_nothing(bench: Bench) -> None:
    before = set(bench.volume.blobs.all_hashes())
    with pytest.raises(ZeroDivisionError), StagedContent(bench.volume.blobs) as staged:
        staged.write(os.urandom(LARGE))
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), PlacedContent(bench.volume.blobs, 5) as placed:
        placed.write(os.urandom(LARGE))
        raise ZeroDivisionError
    assert set(bench.volume.blobs.all_hashes()) == before
    assert bench.volume.blobs.abandoned(-1, 1e12) == []


def test_damage_to_one_blob_leaves_every_other_read_alone(bench: Bench, tmp_path: Any) -> None:
    node = bench.file(b"damaged", os.urandom(LARGE))
    other = bench.file(b"other", b"fine")
    ((blob,),) = bench.view.execute("SELECT blob FROM extent WHERE ino=? AND has_data", (node.ino,)).fetchall()
    path = bench.volume.blobs.path(bytes(blob))
    shutil.copy(path, tmp_path / "saved")
    os.truncate(path, BLOCK_BYTES)
    with pytest.raises(CorruptContent):
        bench.read(node.ino)
    assert bench.read(other.ino) == b"fine"
    shutil.copy(tmp_path / "saved", path)
    assert rows.read_block(bench.view, node.ino, 0) == bench.read(node.ino)[:BLOCK_BYTES]
