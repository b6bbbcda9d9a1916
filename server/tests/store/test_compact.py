"""Compaction: other blobs, the same bytes."""

import pytest

from vexfs.core import content, files, ranges
from vexfs.core.types import BLOCK_BYTES, CHANGE_STORED, ROOT_INO, Node
from vexfs.store import compact as compact_module
from vexfs.store import content as rows
from vexfs.store import nodes
from vexfs.store.check import check_volume
from vexfs.store.compact import PIECES_SLACK, compact
from vexfs.store.volume import Volume

from .helpers import make_file, read_all, write

BLOCKS = 24


def overwrite(volume: Volume, node: Node, offset: int, data: bytes) -> None:
    prepared = content.prepare(volume.blobs, [(offset, data)])
    write(volume, lambda txn: content.write(txn, node.ino, prepared))


def piece_count(volume: Volume, node: Node) -> int:
    with volume.snapshot() as view:
        return len(rows.visible(view, node.ino, 0, 1000))


@pytest.fixture
def scattered(volume: Volume) -> Node:
    """A file of 1.5 MiB in one blob, with every second block overwritten."""
    node = make_file(volume, b"file", bytes(range(256)) * (BLOCKS * BLOCK_BYTES // 256) + b"tail")
    for block in range(0, BLOCKS, 2):
        overwrite(volume, node, block * BLOCK_BYTES + 5, b"%02d" % block * 10)
    return node


def test_a_scattered_file_becomes_one_piece_with_the_same_bytes_and_versions(volume: Volume, scattered: Node) -> None:
    before = {at: read_all(volume, scattered.ino, at) for at in range(1, volume.head() + 1)}
    with volume.snapshot() as view:
        node = nodes.get(view, scattered.ino)
    assert piece_count(volume, scattered) == BLOCKS
    assert compact(volume, scattered.ino)
    assert piece_count(volume, scattered) == 1
    assert read_all(volume, scattered.ino) == before[max(before)]
    assert {at: read_all(volume, scattered.ino, at) for at in before} == before
    with volume.snapshot() as view:
        assert nodes.get(view, scattered.ino) == node
    (record,) = volume.tail.read(max(before))
    assert [change.kind for change in record.changes] == [CHANGE_STORED]
    assert not compact(volume, scattered.ino)
    volume.close()
    assert check_volume(volume.folder, deep=True) == []


def test_a_few_changes_of_a_large_file_do_not_rewrite_it(volume: Volume) -> None:
    blocks = 16 * (PIECES_SLACK + 2)
    node = make_file(volume, b"database", b"x" * blocks * BLOCK_BYTES)
    for block in range(0, 2 * (PIECES_SLACK + 1), 2):
        overwrite(volume, node, block * BLOCK_BYTES, b"a page")
    assert piece_count(volume, node) > PIECES_SLACK + 1
    assert not compact(volume, node.ino)
    for block in range(0, blocks // 4, 2):
        overwrite(volume, node, block * BLOCK_BYTES, b"a page")
    assert compact(volume, node.ino)


def test_small_sparse_whole_and_absent_files_stay_as_they_are(volume: Volume) -> None:
    small = make_file(volume, b"small", b"x" * 1000)
    whole = make_file(volume, b"whole", b"x" * 10 * BLOCK_BYTES)
    sparse = make_file(volume, b"sparse")
    for block in range(0, 60, 4):
        overwrite(volume, sparse, block * BLOCK_BYTES, b"data" * 10)
    directory = write(volume, lambda txn: files.make_directory(txn, ROOT_INO, b"d", mode=0o755, uid=1, gid=1))
    head = volume.head()
    for ino in (small.ino, whole.ino, sparse.ino, directory.ino, 999):
        assert not compact(volume, ino)  # type: ignore[arg-type]
    assert volume.head() == head


def test_holes_that_were_punched_into_written_blocks_stay_holes(volume: Volume) -> None:
    node = make_file(volume, b"punched")
    for block in range(BLOCKS):
        overwrite(volume, node, block * BLOCK_BYTES, b"x" * BLOCK_BYTES)
    write(volume, lambda txn: ranges.zero(txn, node.ino, 3 * BLOCK_BYTES, 4 * BLOCK_BYTES))
    assert not compact(volume, node.ino)
    with volume.snapshot() as view:
        punched = nodes.get(view, node.ino)
    assert punched is not None and punched.hole_bytes == 4 * BLOCK_BYTES
    volume.close()
    assert check_volume(volume.folder, deep=True) == []


def test_a_file_written_while_it_is_copied_is_left_alone(
    volume: Volume, scattered: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact_module, "_READ_BYTES", 8 * BLOCK_BYTES)
    real, calls = compact_module.read_node, []

    def write_meanwhile(*arguments: object) -> bytes:
        if not calls:
            overwrite(volume, scattered, 0, b"meanwhile")
        calls.append(1)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(compact_module, "read_node", write_meanwhile)
    assert not compact(volume, scattered.ino)
    assert len(calls) == 1
    assert read_all(volume, scattered.ino).startswith(b"meanwhile")


def test_a_file_written_between_copy_and_transaction_is_left_alone(
    volume: Volume, scattered: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = compact_module._stage

    def write_after(*arguments: object) -> object:
        runs = real(*arguments)  # type: ignore[arg-type]
        overwrite(volume, scattered, 0, b"meanwhile")
        return runs

    monkeypatch.setattr(compact_module, "_stage", write_after)
    assert not compact(volume, scattered.ino)
    assert read_all(volume, scattered.ino).startswith(b"meanwhile")


def test_a_copy_that_was_collected_before_the_transaction_changes_nothing(
    volume: Volume, scattered: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = read_all(volume, scattered.ino)
    real = compact_module._stage

    def lose(*arguments: object) -> object:
        runs = real(*arguments)  # type: ignore[arg-type]
        for run in runs or ():
            volume.blobs.unlink(run.blob)
        return runs

    monkeypatch.setattr(compact_module, "_stage", lose)
    assert not compact(volume, scattered.ino)
    assert read_all(volume, scattered.ino) == expected
