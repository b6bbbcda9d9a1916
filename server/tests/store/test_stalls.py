"""What lasts too long is told while it lasts, less and less often, and when it is over."""

import threading

import pytest

from vexfs.store import stalls
from vexfs.store.stalls import STALL_S, Stalls, Watched

from .helpers import eventually


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == stalls.__name__]


def test_it_is_told_again_at_twice_the_time_and_once_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    began: list[float | None] = [100.0]
    watched = Watched("the disk turns", lambda: began[0], None)
    told_at = []
    for tenths in range(10 * 30):
        before = len(messages(caplog))
        watched.look(100.0 + tenths / 10)
        if len(messages(caplog)) > before:
            told_at.append(tenths / 10)
    assert told_at == [STALL_S, 2 * STALL_S, 4 * STALL_S]
    began[0] = None
    watched.look(131.0)
    watched.look(132.0)
    assert messages(caplog) == ["not over yet: the disk turns"] * 3 + ["over: the disk turns"]


def test_what_follows_at_once_is_another(caplog: pytest.LogCaptureFixture) -> None:
    began = [100.0]
    watched = Watched("the disk turns", lambda: began[0], None)
    watched.look(100.0 + STALL_S)
    began[0] = 100.0 + STALL_S
    watched.look(100.0 + STALL_S + 1)
    watched.look(100.0 + 2 * STALL_S)
    assert messages(caplog) == ["not over yet: the disk turns", "over: the disk turns", "not over yet: the disk turns"]


def test_what_ends_in_time_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    began = [100.0]
    watched = Watched("the disk turns", lambda: began[0], None)
    for _ in range(5):
        watched.look(began[0])
        began[0] += STALL_S * 0.9
        watched.look(began[0])
    assert messages(caplog) == []


def test_a_fault_in_one_watch_does_not_end_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stalls, "LOOK_S", 0.001)
    watch = Stalls("test")

    def broken() -> float | None:
        raise ZeroDivisionError

    try:
        watch.watch("broken", broken)
        watch.watch("the disk turns", lambda: -STALL_S)  # since before the machine started
        assert eventually(lambda: "not over yet: the disk turns" in messages(caplog))
        assert "what is under way could not be looked at" in messages(caplog)
    finally:
        watch.close()


def test_where_a_thread_is_can_be_told(caplog: pytest.LogCaptureFixture) -> None:
    waits, ready = threading.Event(), threading.Event()

    def at_work() -> None:
        ready.set()
        waits.wait()

    thread = threading.Thread(target=at_work)
    thread.start()
    assert ready.wait(10)
    try:
        Watched("it works", lambda: 0.0, thread.ident).look(STALL_S)
        assert "at_work" in caplog.records[-1].__dict__["where"]
    finally:
        waits.set()
        thread.join()
    Watched("it works", lambda: 0.0, thread.ident).look(STALL_S)
    assert caplog.records[-1].__dict__["where"] == ""
