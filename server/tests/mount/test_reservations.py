"""What is reserved for bytes that wait is what the volume holds more once they are stored, holes and all. Without a kernel."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vexfs.core import content, files
from vexfs.core.content import Prepared
from vexfs.core.errors import QuotaExceeded
from vexfs.core.types import BLOCK_BYTES, ROOT_INO, Ino
from vexfs.mount.dirty import DirtyBuffer
from vexfs.mount.open_files import OpenFile
from vexfs.mount.reservations import Reservations
from vexfs.store import usage
from vexfs.store.volume import Volume

_IN_MEMORY = Path("/dev/shm")
LIMIT = 1 << 40

places = st.one_of(st.integers(0, 6 * BLOCK_BYTES), st.integers(0, 6).map(lambda block: block * BLOCK_BYTES))
lengths = st.one_of(st.integers(1, 200), st.integers(1, 2 * BLOCK_BYTES))
steps = st.one_of(
    st.tuples(st.just("write"), places, lengths),
    st.tuples(st.just("write"), places, lengths),
    st.tuples(st.just("truncate"), places, st.just(0)),
    st.tuples(st.just("layer"), st.just(0), st.just(0)),
    st.tuples(st.just("store"), st.just(0), st.just(0)),
)


@pytest.fixture(scope="module")
def volume() -> Iterator[Volume]:
    folder = Path(tempfile.mkdtemp(prefix="vexfs-test-", dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None))
    try:
        with Volume.open(folder / "volume", "mount", create=True) as opened:
            with opened.writer.begin("set_quota") as txn:
                usage.set_limits(txn, limit_bytes=LIMIT, limit_files=None)
            opened.writer.commit()
            yield opened
    finally:
        shutil.rmtree(folder)


class Waiting:
    """One file, written as `Writeback` does it: a buffer on top, layers below it that are stored in their order."""

    def __init__(self, volume: Volume) -> None:
        self.volume, self.reservations = volume, Reservations(volume.writer)
        with volume.writer.begin("create") as txn:
            node = files.create(txn, ROOT_INO, b"f-%d" % txn.revision, mode=0o644, uid=0, gid=0)
        self.file = OpenFile(node.ino)

    @property
    def reserved(self) -> int:
        return self.volume.writer.usage.reserved_bytes

    def write(self, offset: int, length: int) -> None:
        growth = self.reservations.take(self.file, offset, length)
        if self.file.dirty is None:
            self.file.dirty = DirtyBuffer()
        self.file.dirty.write(offset, b"x" * length)
        self.file.dirty.reserved_bytes += growth

    def layer(self) -> None:
        """A worker takes the buffer in hand."""
        if self.file.dirty is not None:
            self.file.layers, self.file.dirty = [*self.file.layers, self.file.dirty], None

    def truncate(self, size_bytes: int) -> None:
        """As setattr does it: no layer is left then."""
        while self.file.layers:
            self._store_lowest()
        with self.volume.writer.begin("truncate") as txn:
            content.truncate(txn, Ino(self.file.ino), size_bytes)
        if self.file.dirty is not None:
            self.file.dirty.truncate(size_bytes)
            self.reservations.recount(self.file, size_bytes)

    def store(self) -> None:
        self.layer()
        while self.file.layers:
            self._store_lowest()

    def _store_lowest(self) -> None:
        lowest, *above = self.file.layers
        used = self.volume.writer.usage
        before = used.bytes
        share = self.reservations.release(lowest)
        if lowest.byte_count:
            with self.volume.writer.begin("write") as txn:
                content.write(txn, Ino(self.file.ino), Prepared((), tuple(lowest.runs()), lowest.end))
        self.file.layers = above
        assert used.bytes - before == share


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, max_size=12))
def test_each_buffer_reserves_what_storing_it_adds(volume: Volume, todo: list[tuple[str, int, int]]) -> None:
    waiting = Waiting(volume)
    for step, place, length in todo:
        if step == "write":
            waiting.write(place, length)
        elif step == "truncate":
            waiting.truncate(place)
        else:
            getattr(waiting, step)()
    waiting.store()
    volume.writer.commit()
    assert waiting.reserved == 0


def test_nothing_is_taken_of_what_is_refused(volume: Volume) -> None:
    waiting = Waiting(volume)
    waiting.write(0, 100)
    with pytest.raises(QuotaExceeded):
        waiting.reservations.take(waiting.file, 0, LIMIT)
    assert waiting.reserved == 100
    waiting.write(50, 100)
    assert waiting.reserved == 150
    waiting.store()
    volume.writer.commit()
    assert waiting.reserved == 0
