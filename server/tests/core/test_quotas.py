"""A quota refuses what would add too much, before anything is written, and nothing else."""

from collections.abc import Callable

import pytest

from vexfs.core import collections, content, copying, files, points, ranges
from vexfs.core.errors import AlreadyExists, QuotaExceeded
from vexfs.core.types import BLOCK_BYTES, CollectionSchema, Node, VectorSpec
from vexfs.store import usage
from vexfs.store.usage import UNLIMITED
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

from .helpers import Bench, T

KIB = 1024


class Limited:
    """The bench, with limits that count from what the volume holds when they are set."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def _run(
        self, run: Callable[[Callable[[Transaction], T]], T], function: Callable[[Transaction], T], more: int, n: int
    ) -> T:
        def limited(txn: Transaction) -> T:
            used = txn.usage
            used.limit_bytes, used.limit_files = used.bytes + more, used.files + n
            try:
                return function(txn)
            finally:
                used.limit_bytes = used.limit_files = UNLIMITED

        return run(limited)

    def fits(self, function: Callable[[Transaction], T], *, more_bytes: int = 0, more_files: int = 0) -> T:
        return self._run(self.bench.do, function, more_bytes, more_files)

    def refused(self, function: Callable[[Transaction], object], *, more_bytes: int = 1 << 40, more_files: int = 0) -> None:
        self._run(lambda run: self.bench.refused(QuotaExceeded, run), function, more_bytes, more_files)

    def needs(self, function: Callable[[Transaction], T], count: int) -> T:
        """It fits where there is room for `count` bytes more, and not with one byte less. What adds nothing always fits."""
        if count:
            self.refused(function, more_bytes=count - 1)
        before = self.bytes()
        result = self.fits(function, more_bytes=count or -1)
        assert self.bytes() == before + count
        return result

    def bytes(self) -> int:
        """What the writer counts, which is what there is."""
        writer = self.bench.volume.writer
        if not writer.group_open:
            writer.usage.load(writer)
        assert (writer.usage.bytes, writer.usage.files) == writer.execute(usage.RECOUNT).fetchall()[0]
        return writer.usage.bytes


@pytest.fixture
def limited(bench: Bench) -> Limited:
    return Limited(bench)


def prepared(volume: Volume, offset: int, data: bytes, *, whole: bool = False) -> content.Prepared:
    return content.prepare(volume.blobs, [(offset, data)], whole=whole)


def test_a_write_needs_as_many_bytes_as_it_makes_the_file_longer(limited: Limited) -> None:
    bench = limited.bench
    node = bench.file(b"f", b"x" * 100)
    for offset, length, more in ((0, 100, 0), (50, 60, 10), (110, 1_000_000, 1_000_000), (0, 500_000, 0)):
        content_of = prepared(bench.volume, offset, b"y" * length)
        limited.needs(lambda txn, content_of=content_of: content.write(txn, node.ino, content_of), more)  # type: ignore[misc]
    assert bench.stat(node.ino).size_bytes == 1_000_110


def test_a_hole_counts_for_nothing_until_something_is_written_to_its_block(limited: Limited) -> None:
    bench = limited.bench
    node = bench.file(b"f")
    limited.needs(lambda txn: content.truncate(txn, node.ino, 1 << 40), 0)
    limited.needs(lambda txn: content.write(txn, node.ino, prepared(bench.volume, 10 * BLOCK_BYTES + 5, b"x")), BLOCK_BYTES)
    limited.needs(lambda txn: content.write(txn, node.ino, prepared(bench.volume, 10 * BLOCK_BYTES, b"y" * 500)), 0)
    limited.fits(lambda txn: ranges.zero(txn, node.ino, 0, 1 << 30))
    assert limited.bench.stat(node.ino).hole_bytes == 1 << 40


def test_growing_a_file_by_a_hole_fills_its_last_block(limited: Limited) -> None:
    node = limited.bench.file(b"f", b"x" * 100)
    limited.needs(lambda txn: content.truncate(txn, node.ino, 1 << 20), BLOCK_BYTES - 100)
    other = limited.bench.file(b"g", b"x" * 100)
    limited.needs(lambda txn: ranges.zero(txn, other.ino, 90, 1 << 20, keep_size=False), BLOCK_BYTES - 100)


def test_replacing_needs_the_difference(limited: Limited) -> None:
    bench = limited.bench
    node = bench.file(b"f", b"x" * 300_000)
    more = prepared(bench.volume, 0, b"y" * 300_500, whole=True)
    limited.needs(lambda txn: content.replace(txn, node.ino, more), 500)
    less = prepared(bench.volume, 0, b"z" * 10, whole=True)
    limited.fits(lambda txn: content.replace(txn, node.ino, less), more_bytes=-(1 << 30))


def test_room_is_asked_for_before_it_is_used(limited: Limited) -> None:
    bench = limited.bench
    node = bench.file(b"f", b"x" * 100)
    limited.refused(lambda txn: ranges.allocate(txn, node.ino, 0, 200_000, keep_size=True), more_bytes=199_899)
    limited.refused(lambda txn: ranges.allocate(txn, node.ino, 0, 200_000, keep_size=False), more_bytes=199_899)
    limited.fits(lambda txn: ranges.allocate(txn, node.ino, 0, 200_000, keep_size=True), more_bytes=199_900)
    limited.fits(lambda txn: ranges.allocate(txn, node.ino, 0, 100, keep_size=False))


@pytest.mark.parametrize("size_bytes", [100, BLOCK_BYTES, 5 * BLOCK_BYTES + 17, 600_000])
def test_copies_count_although_they_may_share_their_blobs(limited: Limited, size_bytes: int) -> None:
    bench = limited.bench
    source, target, ranged = bench.file(b"f", b"x" * size_bytes), bench.file(b"g"), bench.file(b"h")
    limited.needs(lambda txn: content.copy(txn, source.ino, target.ino), size_bytes)
    limited.needs(lambda txn: copying.copy_range(txn, source.ino, 0, ranged.ino, 0, size_bytes), size_bytes)
    limited.needs(lambda txn: copying.copy_range(txn, source.ino, 0, ranged.ino, size_bytes, 10), 10)


def test_a_copied_hole_takes_nothing_and_may_free_something(limited: Limited) -> None:
    bench = limited.bench
    source, target = bench.file(b"f"), bench.file(b"g", b"x" * 4 * BLOCK_BYTES)
    bench.do(lambda txn: content.truncate(txn, source.ino, 1 << 20))
    before = limited.bytes()
    limited.fits(lambda txn: copying.copy_range(txn, source.ino, 0, target.ino, BLOCK_BYTES, 2 * BLOCK_BYTES))
    assert limited.bytes() == before - 2 * BLOCK_BYTES


def test_every_way_to_make_a_file_is_counted(limited: Limited) -> None:
    bench = limited.bench
    home, owner = bench.home, {"uid": 0, "gid": 0}
    makers: list[Callable[[Transaction], object]] = [
        lambda txn: files.create(txn, home, b"f", mode=0o644, **owner),
        lambda txn: files.create(txn, home, b"fifo", mode=0o10644, **owner),
        lambda txn: files.make_directory(txn, home, b"d", mode=0o755, **owner),
        lambda txn: files.create_nameless(txn, home, mode=0o644, **owner),
        lambda txn: files.create_many(txn, home, [b"m"], mode=0o644, **owner),
    ]
    for make in makers:
        limited.refused(make)
        limited.fits(make, more_files=1)
    limited.refused(lambda txn: files.create_many(txn, home, [b"x", b"y"], mode=0o644, **owner), more_files=1)

    def link(txn: Transaction) -> Node:
        return files.make_symlink(txn, home, b"l", target=b"target", **owner)

    limited.refused(link)
    limited.refused(link, more_files=1, more_bytes=5)
    limited.fits(link, more_files=1, more_bytes=6)


def test_points_are_files(limited: Limited) -> None:
    bench = limited.bench
    directory = bench.directory(b"points")
    found = bench.do(
        lambda txn: collections.create(txn, directory.ino, CollectionSchema((VectorSpec("v", 1, "dot"),), embed_text=False))
    )
    items = [points.PointInput(f"p{number}", {"v": bytes(4)}) for number in range(3)]
    inputs = points.validate(found, items)
    limited.refused(lambda txn: points.upsert(txn, found, inputs), more_files=2)
    limited.fits(lambda txn: points.upsert(txn, found, inputs), more_files=3)
    limited.fits(lambda txn: points.upsert(txn, found, inputs))


def test_what_exists_is_said_to_exist_when_nothing_more_fits(limited: Limited) -> None:
    bench = limited.bench
    bench.file(b"f")

    def again(txn: Transaction) -> Node:
        return files.create(txn, bench.home, b"f", mode=0o644, uid=0, gid=0)

    with pytest.raises(AlreadyExists):
        limited.fits(again)


def test_all_that_does_not_grow_goes_on_above_the_limits(limited: Limited) -> None:
    bench = limited.bench
    node, other = bench.file(b"f", b"x" * 300_000), bench.file(b"g")
    emptied = bench.directory(b"d")
    shrinking: list[Callable[[Transaction], object]] = [
        lambda txn: content.write(txn, node.ino, prepared(bench.volume, 0, b"y" * 1000)),
        lambda txn: ranges.zero(txn, node.ino, 0, 2 * BLOCK_BYTES),
        lambda txn: content.truncate(txn, node.ino, 1000),
        lambda txn: files.set_attributes(txn, node.ino, mode=0o600),
        lambda txn: files.link(txn, node.ino, bench.home, b"again"),
        lambda txn: files.rename(txn, bench.home, b"g", bench.home, b"renamed"),
        lambda txn: files.rename(txn, bench.home, b"again", bench.home, b"renamed"),
        lambda txn: files.remove_directory(txn, bench.home, b"d"),
        lambda txn: files.remove(txn, bench.home, b"f"),
        lambda txn: files.remove(txn, bench.home, b"renamed"),
    ]
    for shrink in shrinking:
        limited.fits(shrink, more_bytes=-(1 << 40), more_files=-1000)
    assert bench.names() == []
    assert other.ino != emptied.ino


def test_the_error_says_how_much_there_is_and_may_be(limited: Limited) -> None:
    bench = limited.bench
    node = bench.file(b"f")

    def write(txn: Transaction) -> Node:
        txn.usage.limit_bytes = txn.usage.bytes + 5
        try:
            return content.write(txn, node.ino, prepared(bench.volume, 0, b"123456"))
        finally:
            txn.usage.limit_bytes = UNLIMITED

    error = bench.refused(QuotaExceeded, write)
    assert int(error.details["limit_bytes"]) == int(error.details["used_bytes"]) + 5
    assert "--quota" in error.message
