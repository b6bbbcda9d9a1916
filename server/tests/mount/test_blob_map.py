"""What the mount remembers of where large files lie: the same as asking the volume, as long as the content stays."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.helpers import make_file, write
from vexfs.core import content
from vexfs.core.types import BLOCK_BYTES, Ino, Node
from vexfs.mount import blob_map
from vexfs.mount.blob_map import BlobMap
from vexfs.store.volume import Volume

SIZE = 40 * BLOCK_BYTES + 77
LARGE = os.urandom(SIZE)


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_map, "WINDOW_BYTES", 4 * BLOCK_BYTES)


@pytest.fixture
def volume(folder: Path) -> Iterator[Volume]:
    with Volume.open(folder, "api", create=True) as opened:
        yield opened


def holed(volume: Volume) -> Node:
    """Blobs, with a hole between them that begins and ends inside of windows, and one at the end."""
    node = make_file(volume, b"holed", LARGE[: 6 * BLOCK_BYTES])
    far = content.prepare(volume.blobs, [(11 * BLOCK_BYTES, LARGE[: 6 * BLOCK_BYTES])])
    write(volume, lambda txn: content.write(txn, node.ino, far))
    return write(volume, lambda txn: content.truncate(txn, node.ino, SIZE))


@given(ranges=st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(1, 6 * BLOCK_BYTES)), min_size=1, max_size=8))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_known_is_what_the_volume_says(volume: Volume, ranges: list[tuple[int, int]]) -> None:
    nodes = [_once(volume, b"plain"), _once(volume, b"holed")]
    known = BlobMap()
    with volume.snapshot() as view:
        for node in nodes:
            for offset, wanted in ranges:
                length = min(wanted, node.size_bytes - offset)
                learnt = known.learn(view, node, offset, length)
                assert learnt == known.parts(node, offset, length)
                assert _bytes(volume, learnt, length) == content.read(view, node.ino, offset, length)


def _once(volume: Volume, name: bytes) -> Node:
    with volume.snapshot() as view:
        for (ino,) in view.execute("SELECT ino FROM dentry WHERE name=?", (name,)).fetchall():
            return content.regular(view, Ino(ino))
    return holed(volume) if name == b"holed" else make_file(volume, name, LARGE)


def _bytes(volume: Volume, parts: "list[content.BlobPart] | None", length: int) -> bytes:
    assert parts is not None
    found = bytearray(length)
    for part in parts:
        found[part.at : part.at + part.length] = volume.blobs.read(part.blob, part.offset, part.length)
    return bytes(found)


def test_nothing_is_known_of_another_content(volume: Volume) -> None:
    node = make_file(volume, b"file", LARGE)
    known = BlobMap()
    with volume.snapshot() as view:
        assert known.learn(view, node, 0, 1000) is not None
    again = content.prepare(volume.blobs, [(0, LARGE[::-1])], whole=True)
    changed = write(volume, lambda txn: content.replace(txn, node.ino, again))
    assert known.parts(changed, 0, 1000) is None
    with volume.snapshot() as view:
        assert _bytes(volume, known.learn(view, changed, 0, 1000), 1000) == LARGE[::-1][:1000]
    assert known.parts(node, 0, 1000) is None
    known.forget(node.ino)
    assert known.parts(changed, 0, 1000) is None


def test_only_a_range_beside_rows_is_asked_for_again(volume: Volume) -> None:
    node = make_file(volume, b"file", LARGE)
    node = write(volume, lambda txn: content.write(txn, node.ino, content.Prepared((), ((10, b"changed"),), 17)))
    known = BlobMap()
    with volume.snapshot() as view:
        assert known.learn(view, node, 0, 1000) is None
        beside = known.learn(view, node, BLOCK_BYTES, 1000)
        assert _bytes(volume, beside, 1000) == LARGE[BLOCK_BYTES : BLOCK_BYTES + 1000]
        assert known.parts(node, BLOCK_BYTES, 1000) is None


def test_of_many_windows_only_the_latest_are_known(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_map, "WINDOWS_MAX", 3)
    node = make_file(volume, b"file", LARGE)
    known = BlobMap()
    with volume.snapshot() as view:
        for window in range(4):
            assert known.learn(view, node, window * 4 * BLOCK_BYTES, 10) is not None
    assert known.parts(node, 0, 10) is None
    assert known.parts(node, 12 * BLOCK_BYTES, 10) is not None
