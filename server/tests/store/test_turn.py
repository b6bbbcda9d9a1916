"""The writer's turn between openings and processes."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vexfs.store.turn import Turn

from .helpers import child, eventually, wait_ready

_HOLDER = """
import sys, time
from pathlib import Path
from vexfs.store.turn import Turn
turn = Turn(Path(sys.argv[1]))
turn.take()
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def turns(tmp_path: Path) -> Iterator[tuple[Turn, Turn]]:
    pair = Turn(tmp_path), Turn(tmp_path)
    yield pair
    for turn in pair:
        turn.close()
        turn.close()


def take_in_thread(turn: Turn) -> threading.Event:
    taken = threading.Event()

    def take() -> None:
        turn.take()
        taken.set()

    threading.Thread(target=take, daemon=True).start()
    return taken


def test_two_openings_of_one_process_exclude_each_other(turns: tuple[Turn, Turn]) -> None:
    first, second = turns
    first.take()
    assert not first.somebody_waits()
    taken = take_in_thread(second)
    assert eventually(first.somebody_waits)
    assert not taken.is_set()
    first.leave()
    assert taken.wait(10)
    assert not first.somebody_waits()
    second.leave()


def test_who_waited_goes_before_a_holder_that_wants_it_again(tmp_path: Path, turns: tuple[Turn, Turn]) -> None:
    """A greedy holder takes the turn again at once, and still stands behind the one at the door."""
    first, second = turns
    order: list[str] = []
    first.take()

    def wait_for_turn() -> None:
        second.take()
        order.append("waited")
        second.leave()

    waiting = threading.Thread(target=wait_for_turn)
    waiting.start()
    assert eventually(first.somebody_waits)
    first.leave()
    first.take()
    order.append("greedy")
    first.leave()
    waiting.join(10)
    assert order == ["waited", "greedy"]


def test_a_killed_holder_frees_the_turn(tmp_path: Path, turns: tuple[Turn, Turn]) -> None:
    holder = child(_HOLDER, tmp_path)
    wait_ready(holder)
    taken = take_in_thread(turns[0])
    assert eventually(turns[1].somebody_waits)
    assert not taken.is_set()
    os.kill(holder.pid, signal.SIGKILL)
    assert taken.wait(10)
    holder.communicate()
    turns[0].leave()


def test_there_is_one_checkpointer_until_it_leaves(turns: tuple[Turn, Turn]) -> None:
    first, second = turns
    assert first.try_checkpointer()
    assert not second.try_checkpointer()
    second.take()  # being the checkpointer holds up no writer
    second.leave()
    first.leave_checkpointer()
    assert second.try_checkpointer()
    assert not first.try_checkpointer()
    second.close()
    assert first.try_checkpointer()
