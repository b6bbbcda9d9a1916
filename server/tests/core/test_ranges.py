"""Holes: where they are, how they are made, and that each change counts them."""

import itertools
import random

import pytest

from vexfs.core import content, copying, files, ranges
from vexfs.core.content import FILE_MAX_BYTES
from vexfs.core.errors import InvalidRequest, IsADirectory, NotARegularFile, NotFound, TooLarge, VolumeFull
from vexfs.core.types import BLOCK_BYTES, Ino, Node
from vexfs.store import blobs
from vexfs.store import content as rows

from .helpers import Bench
from .test_content import data_of, write

B = BLOCK_BYTES


def zero(bench: Bench, ino: Ino, offset: int, length: int, *, keep_size: bool = True) -> Node:
    return bench.do(lambda txn: ranges.zero(txn, ino, offset, length, keep_size=keep_size))


def truncate(bench: Bench, ino: Ino, size_bytes: int) -> Node:
    return bench.do(lambda txn: content.truncate(txn, ino, size_bytes))


def runs(bench: Bench, ino: Ino) -> list[tuple[int, int]]:
    return rows.data_runs(bench.view, ino, 0, 1 << 40)


def layout(bench: Bench, ino: Ino) -> list[tuple[int, int]]:
    """(first, end) of each run of bytes with content, as a program finds them with lseek."""
    node, found, place = bench.stat(ino), [], 0
    while (data := ranges.next_data(bench.view, node, place)) is not None:
        hole = ranges.next_hole(bench.view, node, data)
        assert hole is not None and hole > data
        found.append((data, hole))
        place = hole
    return found


# -- counting ------------------------------------------------------------------------------------------


def test_a_file_that_grows_without_gaps_has_no_holes(bench: Bench) -> None:
    ino = bench.file(b"f").ino
    for size in (10, B - 10, 1, 5 * B, 6 * B + 1):
        assert write(bench, ino, bench.stat(ino).size_bytes, data_of(size)).hole_bytes == 0
    assert layout(bench, ino) == [(0, bench.stat(ino).size_bytes)]


def test_a_write_far_behind_the_end_takes_room_for_itself_only(bench: Bench) -> None:
    ino = bench.file(b"f", b"start").ino
    node = write(bench, ino, 6 << 30, b"end")
    assert (node.size_bytes, node.size_bytes - node.hole_bytes) == ((6 << 30) + 3, B + 3)
    assert layout(bench, ino) == [(0, B), (6 << 30, (6 << 30) + 3)]
    assert content.read(bench.view, ino, 3 << 30, 10) == bytes(10)
    assert content.read(bench.view, ino, (6 << 30) - 1, 10) == b"\0end"


def test_extending_makes_a_hole_and_cutting_takes_it_away(bench: Bench) -> None:
    ino = bench.file(b"f").ino
    assert truncate(bench, ino, 1 << 40).hole_bytes == 1 << 40
    assert layout(bench, ino) == []
    assert write(bench, ino, 3 * B, data_of(B)).hole_bytes == (1 << 40) - B
    assert truncate(bench, ino, 3 * B + 5).hole_bytes == 3 * B
    assert truncate(bench, ino, 3 * B).hole_bytes == 3 * B
    assert truncate(bench, ino, 0).hole_bytes == 0


def test_holes_come_from_whole_blocks_and_the_rest_is_zeros(bench: Bench) -> None:
    data = data_of(6 * B + 100)
    ino = bench.file(b"f", data).ino
    node = zero(bench, ino, B + 10, 3 * B)
    assert node.size_bytes == len(data)
    assert node.hole_bytes == 2 * B
    assert runs(bench, ino) == [(0, 2), (4, 7)]
    assert bench.read(ino) == data[: B + 10] + bytes(3 * B) + data[4 * B + 10 :]
    assert layout(bench, ino) == [(0, 2 * B), (4 * B, len(data))]


@pytest.mark.parametrize("offset", [0, 1, B - 1, B, B + 1, 2 * B])
@pytest.mark.parametrize("length", [1, B - 1, B, B + 1, 3 * B, 10 * B])
@pytest.mark.parametrize("keep_size", [True, False])
def test_every_range_reads_as_zeros_and_nothing_else_does(bench: Bench, offset: int, length: int, keep_size: bool) -> None:
    data = data_of(5 * B + 77)
    ino = bench.file(b"f", data).ino
    node = zero(bench, ino, offset, length, keep_size=keep_size)
    wanted = bytearray(data if keep_size else data.ljust(offset + length, b"\0"))
    wanted[offset : offset + length] = bytes(min(length, max(0, len(wanted) - offset)))
    assert bench.read(ino) == bytes(wanted)
    assert node.size_bytes == len(wanted)
    assert list(rows.wrong_hole_bytes(bench.view)) == []


def test_a_hole_at_the_end_leaves_the_size_and_nothing_stored(bench: Bench) -> None:
    ino = bench.file(b"f", data_of(3 * B + 10)).ino
    assert zero(bench, ino, 2 * B, 100 * B).hole_bytes == B + 10
    assert runs(bench, ino) == [(0, 2)]
    assert zero(bench, ino, 0, FILE_MAX_BYTES).hole_bytes == 3 * B + 10
    assert runs(bench, ino) == []


def test_allocating_extends_and_reserves_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    node = bench.file(b"f", b"abc")
    assert bench.do(lambda txn: ranges.allocate(txn, node.ino, 0, 9 * B, keep_size=True)).size_bytes == 3
    assert bench.do(lambda txn: ranges.allocate(txn, node.ino, 1, 1, keep_size=False)).size_bytes == 3
    assert bench.do(lambda txn: ranges.allocate(txn, node.ino, B, B, keep_size=False)).size_bytes == 2 * B
    assert bench.read(node.ino) == b"abc".ljust(2 * B, b"\0")
    monkeypatch.setattr(blobs.BlobFolder, "free_bytes", lambda _: 1000)
    bench.refused(VolumeFull, lambda txn: ranges.allocate(txn, node.ino, 0, 1001, keep_size=True))


@pytest.mark.parametrize(("offset", "length"), [(-1, 5), (0, 0), (5, -1)])
def test_ranges_that_are_none_are_refused(bench: Bench, offset: int, length: int) -> None:
    ino = bench.file(b"f", b"x").ino
    bench.refused(InvalidRequest, lambda txn: ranges.zero(txn, ino, offset, length))
    bench.refused(InvalidRequest, lambda txn: ranges.allocate(txn, ino, offset, length, keep_size=False))


def test_what_has_no_content_is_refused(bench: Bench) -> None:
    fifo = bench.file(b"fifo", mode=0o10644).ino
    for ino, error in ((bench.directory(b"d").ino, IsADirectory), (fifo, NotARegularFile), (Ino(1 << 40), NotFound)):
        bench.refused(error, lambda txn, ino=ino: ranges.zero(txn, ino, 0, 1))  # type: ignore[misc]
        bench.refused(error, lambda txn, ino=ino: copying.copy_range(txn, ino, 0, ino, 5, 1))  # type: ignore[misc]
    file = bench.file(b"f", b"x").ino
    bench.refused(TooLarge, lambda txn: ranges.zero(txn, file, FILE_MAX_BYTES, 1))
    bench.refused(TooLarge, lambda txn: copying.copy_range(txn, file, 0, file, FILE_MAX_BYTES, 1))


def test_places_behind_the_end_have_neither_data_nor_hole(bench: Bench) -> None:
    node = bench.file(b"f", b"abc")
    assert (ranges.next_data(bench.view, node, 2), ranges.next_hole(bench.view, node, 2)) == (2, 3)
    assert (ranges.next_data(bench.view, node, 3), ranges.next_hole(bench.view, node, 3)) == (None, None)


def test_data_is_found_behind_many_empty_blocks_and_holes_behind_many_full_ones(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "_WINDOW_BLOCKS", 4)
    ino = bench.file(b"f").ino
    write(bench, ino, 1 << 40, b"x")
    assert layout(bench, ino) == [(1 << 40, (1 << 40) + 1)]
    far = bench.file(b"g").ino
    write(bench, far, 0, data_of(11 * B))
    node = truncate(bench, far, 1 << 34)
    assert ranges.next_hole(bench.view, node, 5) == 11 * B


# -- copying -------------------------------------------------------------------------------------------


def copy(bench: Bench, source: Ino, offset: int, target: Ino, target_offset: int, length: int) -> int:
    """As a program does it: until nothing is left."""
    done = 0
    while done < length:
        step = bench.do(
            lambda txn, done=done: copying.copy_range(  # type: ignore[misc]
                txn, source, offset + done, target, target_offset + done, length - done
            )
        )
        if step == 0:
            break
        done += step
    return done


def blob_count(bench: Bench) -> int:
    return sum(1 for _ in bench.volume.blobs.all_hashes())


@pytest.mark.parametrize("shift", [0, B, 7 * B, 1, B - 1])
def test_large_content_is_shared_wherever_it_comes_to_lie(bench: Bench, shift: int) -> None:
    data = data_of(40 * B + 777, seed=shift)
    source, target = bench.file(b"s", data).ino, bench.file(b"t").ino
    blobs_before = blob_count(bench)
    assert copy(bench, source, 0, target, shift, len(data) + 10) == len(data)
    assert bench.read(target) == bytes(shift) + data
    assert blob_count(bench) == blobs_before
    (moved,) = bench.view.execute("SELECT total(length(data)) FROM chunk WHERE ino=?", (target,)).fetchall()[0]
    assert moved <= 2 * B


def test_a_whole_copy_of_large_content_stores_no_byte(bench: Bench) -> None:
    data = data_of(9 * B + 1)
    source, target = bench.file(b"s", data).ino, bench.file(b"t", b"shorter").ino
    assert copy(bench, source, 0, target, 0, len(data)) == len(data)
    (stored,) = bench.view.execute("SELECT total(length(data)) FROM chunk WHERE ino=?", (target,)).fetchall()[0]
    assert stored == len(b"shorter")
    assert bench.read(target) == data


def test_a_copy_into_the_middle_leaves_what_is_around(bench: Bench) -> None:
    old, new = data_of(20 * B, seed=1), data_of(12 * B, seed=2)
    source, target = bench.file(b"s", new).ino, bench.file(b"t", old).ino
    assert copy(bench, source, 100, target, 3 * B + 50, 10 * B) == 10 * B
    wanted = bytearray(old)
    wanted[3 * B + 50 : 13 * B + 50] = new[100 : 100 + 10 * B]
    assert bench.read(target) == bytes(wanted)


def test_holes_stay_holes(bench: Bench) -> None:
    source, target = bench.file(b"s").ino, bench.file(b"t", data_of(8 * B)).ino
    write(bench, source, 10 * B, b"x")
    assert copy(bench, source, 0, target, 0, 1 << 40) == 10 * B + 1
    assert bench.stat(target).hole_bytes == 10 * B
    assert layout(bench, target) == [(10 * B, 10 * B + 1)]


def test_what_must_be_moved_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "MOVED_MAX_BYTES", 2 * B)
    data = data_of(4 * B)
    source, target = bench.file(b"s", data).ino, bench.file(b"t").ino
    assert bench.do(lambda txn: copying.copy_range(txn, source, 0, target, 0, 4 * B)) == 2 * B
    assert copy(bench, source, 0, target, 0, 4 * B) == 4 * B
    assert bench.read(target) == data
    monkeypatch.setattr(copying, "CALL_MAX_BYTES", 100)
    assert bench.do(lambda txn: copying.copy_range(txn, source, 0, target, 0, 4 * B)) == 100


def test_within_one_file_places_must_not_overlap(bench: Bench) -> None:
    data = data_of(4 * B)
    ino = bench.file(b"f", data).ino
    bench.refused(InvalidRequest, lambda txn: copying.copy_range(txn, ino, 0, ino, 10, 11))
    assert copy(bench, ino, 0, ino, 2 * B + 5, 2 * B) == 2 * B
    assert bench.read(ino) == data[: 2 * B + 5] + data[: 2 * B]


# -- everything together, against a model ------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_random_changes_equal_a_byte_array_and_count_their_holes(bench: Bench, seed: int) -> None:
    rng = random.Random(seed)
    inos = [bench.file(b"%d" % number).ino for number in range(2)]
    models = [bytearray(), bytearray()]

    def place() -> int:
        return rng.choice((rng.randrange(12 * B), rng.randrange(12) * B, len(models[0]), len(models[1])))

    for _ in range(60):
        which = rng.randrange(2)
        ino, model = inos[which], models[which]
        offset, length = place(), rng.choice((1, 100, B, rng.randrange(1, 7 * B), 6 * B))
        kind = rng.choice(("write", "truncate", "zero", "zero", "copy", "copy", "grow"))
        if kind == "write":
            data = data_of(length, rng.randrange(99))
            write(bench, ino, offset, data)
            model.extend(bytes(max(0, offset + length - len(model))))
            model[offset : offset + length] = data
        elif kind == "truncate":
            truncate(bench, ino, offset)
            model[:] = model[:offset].ljust(offset, b"\0")
        elif kind in ("zero", "grow"):
            zero(bench, ino, offset, length, keep_size=kind == "zero")
            if kind == "grow":
                model.extend(bytes(max(0, offset + length - len(model))))
            model[offset : offset + length] = bytes(max(0, min(length, len(model) - offset)))
        else:
            other, start = rng.randrange(2), place()
            data = bytes(models[other][start : start + length])
            if other == which and abs(start - offset) < length:
                continue
            assert copy(bench, inos[other], start, ino, offset, length) == len(data)
            if data:
                model.extend(bytes(max(0, offset + len(data) - len(model))))
                model[offset : offset + len(data)] = data
        for number, expected in zip(inos, models, strict=True):
            assert bench.read(number) == bytes(expected), (kind, offset, length)
            node = files.stat(bench.view, number)
            stored = [(first * B, min(end * B, node.size_bytes)) for first, end in runs(bench, number)]
            assert layout(bench, number) == stored
            assert node.size_bytes - node.hole_bytes == sum(end - first for first, end in stored)
            gaps = zip([0, *itertools.chain(*stored)][::2], [*itertools.chain(*stored), len(expected)][::2], strict=True)
            assert not any(any(expected[first:end]) for first, end in gaps)
