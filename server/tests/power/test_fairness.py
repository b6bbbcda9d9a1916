"""Nobody starves: who waits for the writer's turn gets it next, a holder gives it up in time, and readers need no turn at all.

These are the structure of fairness; its milliseconds are measured by `make bench NAME=fairness`.
"""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vexfs.core import files
from vexfs.core.types import ROOT_INO
from vexfs.store.turn import Turn
from vexfs.store.volume import Volume
from vexfs.store.writer import GROUP_MAX_NS, GROUP_MAX_NS_WAITED, GROUP_MAX_OPERATIONS, GROUP_MIN_NS, Writer

_PATIENCE_S = 10.0


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.fixture
def turns(tmp_path: Path) -> Iterator[list[Turn]]:
    opened = [Turn(tmp_path) for _ in range(3)]
    yield opened
    for turn in opened:
        turn.close()


def _queue_up(turn: Turn, name: str, order: list[str], work: Callable[[], None] = lambda: None) -> threading.Thread:
    def run() -> None:
        turn.take()
        order.append(name)
        work()
        turn.leave()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_the_one_at_the_door_goes_before_the_holder_who_comes_back(turns: list[Turn]) -> None:
    greedy, waiting, _ = turns
    order: list[str] = []
    for _ in range(50):
        greedy.take()
        assert not greedy.somebody_waits()
        thread = _queue_up(waiting, "waiting", order)
        _until(greedy.somebody_waits)
        greedy.leave()
        greedy.take()
        order.append("greedy")
        greedy.leave()
        thread.join(_PATIENCE_S)
    assert order == ["waiting", "greedy"] * 50


def test_the_first_at_the_door_goes_first_and_everybody_is_served(turns: list[Turn]) -> None:
    order: list[str] = []
    turns[0].take()
    threads = [_queue_up(turns[1], "first", order)]
    _until(turns[0].somebody_waits)
    threads.append(_queue_up(turns[2], "second", order))
    turns[0].leave()
    turns[0].take()
    assert order[0] == "first"
    turns[0].leave()
    for thread in threads:
        thread.join(_PATIENCE_S)
    assert sorted(order) == ["first", "second"]


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    with Volume.open(tmp_path / "main", "mount", create=True) as volume:
        yield volume


def _write(writer: Writer, name: str) -> None:
    with writer.begin("mkdir") as txn:
        files.make_directory(txn, ROOT_INO, name.encode(), mode=0o755, uid=0, gid=0)


def test_a_group_ends_by_age_sooner_when_somebody_waits_and_never_late(volume: Volume) -> None:
    other = Turn(volume.folder)
    writer = volume.writer
    _write(writer, "a")
    began_ns = time.monotonic_ns()
    assert not writer.must_commit(began_ns)
    assert writer.must_commit(began_ns + GROUP_MAX_NS)
    thread = _queue_up(other, "other", [])
    _until(volume.turn.somebody_waits)
    assert writer.must_commit(began_ns + GROUP_MIN_NS), "who did not wait itself gives way after the least time"
    assert writer.must_commit(began_ns + GROUP_MAX_NS_WAITED)
    writer.commit()
    thread.join(_PATIENCE_S)
    other.close()


def test_a_group_ends_by_its_number_of_operations(volume: Volume) -> None:
    writer = volume.writer
    for number in range(GROUP_MAX_OPERATIONS):
        assert not writer.must_commit(0)
        _write(writer, str(number))
    assert writer.must_commit(0)
    writer.commit()


def test_the_turn_is_free_once_a_group_is_committed_lost_or_its_holder_gone(volume: Volume) -> None:
    writer = volume.writer
    for end in (writer.commit, writer.roll_back_group):
        _write(writer, "x" if end == writer.commit else "y")
        order: list[str] = []
        other = Turn(volume.folder)
        thread = _queue_up(other, "other", order)
        _until(volume.turn.somebody_waits)
        assert order == []
        end()
        thread.join(_PATIENCE_S)
        assert order == ["other"]
        other.close()


def test_a_closed_holder_leaves_the_turn_to_the_next(turns: list[Turn]) -> None:
    order: list[str] = []
    turns[0].take()
    thread = _queue_up(turns[1], "next", order)
    _until(turns[0].somebody_waits)
    turns[0].close()
    thread.join(_PATIENCE_S)
    assert order == ["next"]


def test_readers_need_no_turn(volume: Volume) -> None:
    """With a group open and another writer at the door, a reader in the same thread sees the last commit at once."""
    _write(volume.writer, "committed")
    volume.writer.commit()
    _write(volume.writer, "pending")
    order: list[str] = []
    other = Turn(volume.folder)
    thread = _queue_up(other, "other", order)
    _until(volume.turn.somebody_waits)
    with volume.snapshot() as view:
        assert [entry.name for entry in files.list_directory(view, ROOT_INO)] == [b"committed"]
    with volume.snapshot(0) as view:
        assert files.list_directory(view, ROOT_INO) == []
    assert order == [], "the group is still open: nobody was let in for the reading"
    volume.writer.commit()
    thread.join(_PATIENCE_S)
    other.close()
