"""The checkpointer: the write-ahead log stays bounded, by one process, outside everybody's commit."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from vexfs.core import content, files
from vexfs.core.types import ROOT_INO
from vexfs.store import checkpoint as checkpoint_module
from vexfs.store import sqlite
from vexfs.store.checkpoint import Checkpointer
from vexfs.store.volume import Volume

from .helpers import eventually, make_file, wal_bytes, write

MIB = 1024 * 1024


def checkpointer_of(volume: Volume) -> Checkpointer:
    return Checkpointer(volume.folder, volume.database, volume.tail)


@pytest.fixture
def running(volume: Volume) -> Iterator[Checkpointer]:
    checkpointer = checkpointer_of(volume)
    checkpointer.start()
    yield checkpointer
    checkpointer.close()
    checkpointer.close()


def write_rows(volume: Volume, size_bytes: int) -> None:
    """`size_bytes` through the write-ahead log, in a file that stays 1 MiB."""
    found = volume.queue.submit("find", lambda txn: files.find(txn, ROOT_INO, b"rows")).result(10).value
    node = found or make_file(volume, b"rows")
    for _ in range(0, size_bytes, MIB):
        segment = content.Prepared((), ((0, os.urandom(MIB)),), MIB)
        write(volume, lambda txn, segment=segment: content.write(txn, node.ino, segment))  # type: ignore[misc]
        write(volume, lambda txn: txn.execute("DELETE FROM chunk WHERE ino=? AND born<?", (node.ino, txn.revision - 1)))


def test_the_write_ahead_log_of_a_busy_volume_is_used_again(
    volume: Volume, running: Checkpointer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """80 MiB of commits leave a file of far less, because the log begins anew each time it was moved.

    How much comes between two passes is the disk's speed, which is no part of this: a share is written, and a pass awaited.
    """
    monkeypatch.setattr(checkpoint_module, "RESET_BYTES", MIB)
    for _ in range(10):
        before = running.passes_in_turn
        write_rows(volume, 8 * MIB)
        assert eventually(lambda before=before: running.passes_in_turn > before)  # type: ignore[misc]
    assert wal_bytes(volume) < 64 * MIB


def test_everything_committed_comes_into_the_database(volume: Volume, running: Checkpointer) -> None:
    make_file(volume, b"file", b"data")

    def all_moved() -> bool:
        connection = sqlite.connect(volume.database)
        frames, moved = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        connection.close()
        return frames == moved

    assert eventually(lambda: running.passes > 0 and all_moved())


def test_a_log_that_is_short_again_is_not_finished_in_the_turn(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file keeps its size when the log begins anew; only what is in use counts."""
    monkeypatch.setattr(checkpoint_module, "RESET_BYTES", MIB)
    checkpointer = checkpointer_of(volume)
    connection = sqlite.connect(volume.database)
    write_rows(volume, 3 * MIB)
    assert vars(Checkpointer)["_checkpoint"](checkpointer, connection)
    assert checkpointer.passes_in_turn == 1
    make_file(volume, b"small")
    assert wal_bytes(volume) > MIB
    assert vars(Checkpointer)["_checkpoint"](checkpointer, connection)
    assert checkpointer.passes_in_turn == 1
    connection.close()
    checkpointer.close()


def test_only_one_checkpointer_works_and_another_takes_over(
    volume: Volume, running: Checkpointer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_module, "ELECTION_S", 0.01)
    make_file(volume, b"first")
    assert eventually(lambda: running.passes > 0)
    with Volume.open(folder, "indexer") as other:
        second = checkpointer_of(other)
        second.start()
        make_file(volume, b"second")
        assert eventually(lambda: running.passes > 1)
        assert second.passes == 0
        running.close()
        assert eventually(lambda: second.passes > 0)
        second.close()


def test_a_checkpointer_that_was_never_elected_ends(volume: Volume, running: Checkpointer) -> None:
    make_file(volume, b"first")
    assert eventually(lambda: running.passes > 0)
    waiting = checkpointer_of(volume)
    waiting.start()
    waiting.close()
    assert waiting.passes == 0


def test_checkpoints_go_on_after_one_failed(
    volume: Volume, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(checkpoint_module, "RETRY_S", 0.01)
    checkpointer = checkpointer_of(volume)
    real, failures = vars(Checkpointer)["_passive"], []

    def fail_once(connection: apsw.Connection) -> tuple[int, int]:
        if not failures:
            failures.append(1)
            raise apsw.FullError("on purpose")
        result: tuple[int, int] = real(checkpointer, connection)
        return result

    monkeypatch.setattr(checkpointer, "_passive", fail_once)
    make_file(volume, b"file")
    checkpointer.start()
    assert eventually(lambda: checkpointer.passes > 0)
    checkpointer.close()
    assert "a checkpoint failed; trying again" in caplog.messages


def test_a_reader_that_keeps_a_long_log_is_complained_about_once(
    volume: Volume, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(checkpoint_module, "WARN_BYTES", 1000)
    checkpointer = checkpointer_of(volume)
    connection = sqlite.connect(volume.database)
    make_file(volume, b"first")
    with caplog.at_level(logging.WARNING, "vexfs.store.checkpoint"):
        with volume.snapshot():
            make_file(volume, b"second", b"x" * 10_000)
            assert not vars(Checkpointer)["_checkpoint"](checkpointer, connection)
            assert not vars(Checkpointer)["_checkpoint"](checkpointer, connection)
        assert vars(Checkpointer)["_checkpoint"](checkpointer, connection)
    assert len(caplog.records) == 1
    connection.close()
    checkpointer.close()
