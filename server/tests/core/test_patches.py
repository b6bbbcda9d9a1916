"""Small changes of large blocks: they store what has changed, and the file reads as if the whole had been written."""

from collections.abc import Callable
from typing import Any

import pytest

from vexfs.core import content, copying, ranges
from vexfs.core.content import Prepared
from vexfs.core.types import BLOCK_BYTES, INLINE_MAX_BYTES, Ino
from vexfs.store.patches import PATCHES_MAX

from .helpers import Bench, data_of, write

LARGE = 6 * BLOCK_BYTES + 123


def stored_rows(bench: Bench, ino: Ino) -> list[tuple[int, int, bool]]:
    """(block, bytes, is a patch) of each row of the file's content, in the order in which they were born."""
    sql = "SELECT block, length(data), runs IS NOT NULL FROM chunk WHERE ino=? ORDER BY born, block"
    return [(block, length, bool(patch)) for block, length, patch in bench.view.execute(sql, (ino,))]


@pytest.mark.parametrize("length", [40_000, 4 * BLOCK_BYTES, LARGE], ids=["one block", "rows", "a blob"])
def test_a_small_change_of_a_large_block_stores_only_what_changed(bench: Bench, length: int) -> None:
    node = bench.file(b"%d" % length, data_of(length))
    before = len(stored_rows(bench, node.ino))
    write(bench, node.ino, 20_000, b"changed")
    assert stored_rows(bench, node.ino)[before:] == [(0, 7, True)]
    expected = data_of(length)[:20_000] + b"changed" + data_of(length)[20_007:]
    assert bench.read(node.ino) == expected
    assert content.read(bench.view, node.ino, 20_003, 8) == expected[20_003:20_011]
    assert content.blob_parts(bench.view, node, 0, 1000) is None


def test_changes_of_one_block_that_are_written_together_are_one_patch(bench: Bench) -> None:
    node = bench.file(b"file", data_of(LARGE))
    segments = [(BLOCK_BYTES + 100, b"here"), (BLOCK_BYTES + 9000, b"there"), (BLOCK_BYTES + 102, b"again"), (5, b"elsewhere")]
    bench.do(lambda txn: content.write(txn, node.ino, content.prepare(bench.volume.blobs, segments)))
    assert stored_rows(bench, node.ino) == [(0, 9, True), (1, 14, True)]
    expected = bytearray(data_of(LARGE))
    for offset, data in segments:
        expected[offset : offset + len(data)] = data
    assert bench.read(node.ino) == expected


def test_what_changes_often_is_written_whole_now_and_then(bench: Bench) -> None:
    node = bench.file(b"file", data_of(LARGE))
    expected = bytearray(data_of(LARGE))
    for number in range(40):
        write(bench, node.ino, 100 * number, b"%04d" % number)
        expected[100 * number : 100 * number + 4] = b"%04d" % number
        assert bench.read(node.ino) == expected
    found = [is_patch for _, _, is_patch in stored_rows(bench, node.ino)]
    assert found == ([True] * PATCHES_MAX + [False]) * 2 + [True] * (40 - 2 * PATCHES_MAX - 2)


@pytest.mark.parametrize(
    ("length", "changed"),
    [(7000, 10), (40_000, 10_001), (BLOCK_BYTES, BLOCK_BYTES // 4 + 1)],
    ids=["little", "much", "a quarter"],
)
def test_what_is_small_or_changes_much_is_written_whole(bench: Bench, length: int, changed: int) -> None:
    node = bench.file(b"%d" % length, data_of(length))
    write(bench, node.ino, 1, b"x" * changed)
    assert stored_rows(bench, node.ino)[-1] == (0, length, False)


def test_an_end_that_grows_little_by_little_is_patches(bench: Bench) -> None:
    node = bench.file(b"log", data_of(30_000))
    expected = data_of(30_000)
    for number in range(5):
        write(bench, node.ino, len(expected) + 3, b"line %d" % number)
        expected += b"\0\0\0line %d" % number
    assert bench.read(node.ino) == expected
    assert [is_patch for _, _, is_patch in stored_rows(bench, node.ino)][1:] == [True] * 5


def test_a_patched_block_is_copied_cut_and_blanked_as_it_looks(bench: Bench) -> None:
    node, copied, part = bench.file(b"file", data_of(LARGE)), bench.file(b"copy"), bench.file(b"part")
    write(bench, node.ino, 70_000, b"changed")
    expected = bytearray(data_of(LARGE))
    expected[70_000:70_007] = b"changed"
    bench.do(lambda txn: content.copy(txn, node.ino, copied.ino))
    bench.do(lambda txn: copying.copy_range(txn, node.ino, BLOCK_BYTES, part.ino, 0, 2 * BLOCK_BYTES))
    assert bench.read(copied.ino) == expected
    assert bench.read(part.ino) == expected[BLOCK_BYTES : 3 * BLOCK_BYTES]
    bench.do(lambda txn: ranges.zero(txn, node.ino, 70_003, 10))
    expected[70_003:70_013] = bytes(10)
    assert bench.read(node.ino) == expected
    write(bench, node.ino, 70_020, b"once more")
    bench.do(lambda txn: content.truncate(txn, node.ino, 70_025))
    bench.do(lambda txn: content.truncate(txn, node.ino, 80_000))
    expected[70_020:] = b"once " + bytes(80_000 - 70_025)
    assert bench.read(node.ino) == expected


def test_what_follows_a_patch_in_its_transaction_lies_over_it(bench: Bench) -> None:
    node = bench.file(b"file", data_of(LARGE))
    blobs = bench.volume.blobs
    first, second = (content.prepare(blobs, [(at, b"changed")]) for at in (100, 103))
    whole = content.prepare(blobs, [(0, data_of(INLINE_MAX_BYTES, 7))], whole=True)
    large = content.prepare(blobs, [(0, data_of(LARGE, 8))], whole=True)

    def both(follows: Prepared) -> Callable[[Any], object]:
        return lambda txn: (content.write(txn, node.ino, first), content.write(txn, node.ino, follows))

    bench.do(both(second))
    assert bench.read(node.ino)[95:115] == data_of(LARGE)[95:100] + b"chachanged" + data_of(LARGE)[110:115]
    bench.do(both(whole))
    assert bench.read(node.ino) == data_of(INLINE_MAX_BYTES, 7) + data_of(LARGE)[INLINE_MAX_BYTES:]
    bench.do(both(large))
    assert bench.read(node.ino) == data_of(LARGE, 8)
