"""The write queue: groups, answers, repeats, limits and its end."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from vexfs.core import files
from vexfs.core.errors import Internal, NotFound, QueueFull, RequestIdReused, Unavailable
from vexfs.core.types import ROOT_INO, Node
from vexfs.store import queue as queue_module
from vexfs.store import requests, writer
from vexfs.store.queue import Committed
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction


def create(name: bytes) -> Any:
    return lambda txn: files.create(txn, ROOT_INO, name, mode=0o644, uid=1, gid=1)


def names(volume: Volume) -> list[bytes]:
    with volume.snapshot() as view:
        return [entry.name for entry in files.list_directory(view, ROOT_INO)]


class Gate:
    """An operation that stays in the queue's thread until it is opened, so that a test can queue more behind it."""

    def __init__(self, volume: Volume) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()
        self.future: Future[Committed[None]] = volume.queue.submit("gate", self._wait)
        assert self.entered.wait(10)

    def _wait(self, _: Transaction) -> None:
        self.entered.set()
        assert self.opened.wait(10)


@pytest.fixture
def endless_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group ends only when nothing waits."""
    monkeypatch.setattr(writer, "GROUP_MAX_NS", 10**15)
    monkeypatch.setattr(writer, "GROUP_MAX_NS_WAITED", 10**15)


@pytest.fixture
def heads(volume: Volume) -> Iterator[list[int]]:
    """The head after each commit."""
    seen: list[int] = []
    stop = volume.tail.subscribe(seen.append)
    yield seen
    stop()


@pytest.mark.usefixtures("endless_groups")
def test_writes_that_wait_together_share_one_commit_and_keep_their_order(volume: Volume, heads: list[int]) -> None:
    gate = Gate(volume)
    futures = [volume.queue.submit("create", create(b"%d" % number)) for number in range(10)]
    assert volume.queue.depth() == 10
    gate.opened.set()
    assert [future.result(10).revision for future in futures] == list(range(2, 12))
    assert heads == [11]


def test_a_group_holds_no_more_operations_than_its_limit(
    volume: Volume, heads: list[int], monkeypatch: pytest.MonkeyPatch, endless_groups: None
) -> None:
    monkeypatch.setattr(writer, "GROUP_MAX_OPERATIONS", 4)
    gate = Gate(volume)
    futures = [volume.queue.submit("create", create(b"%d" % number)) for number in range(10)]
    gate.opened.set()
    for future in futures:
        future.result(10)
    assert heads == [4, 8, 11]


@pytest.mark.usefixtures("endless_groups")
def test_an_operation_that_raises_leaves_nothing_and_the_rest_of_its_group_stands(volume: Volume) -> None:
    def half(txn: Transaction) -> None:
        create(b"half")(txn)
        raise NotFound("on purpose")

    def broken(txn: Transaction) -> None:
        create(b"broken")(txn)
        raise ZeroDivisionError

    gate = Gate(volume)
    before, failed = volume.queue.submit("create", create(b"before")), volume.queue.submit("half", half)
    faulty, after = volume.queue.submit("broken", broken), volume.queue.submit("create", create(b"after"))
    gate.opened.set()
    with pytest.raises(NotFound):
        failed.result(10)
    with pytest.raises(Internal):
        faulty.result(10)
    assert (before.result(10).revision, after.result(10).revision) == (2, 3)
    assert names(volume) == [b"after", b"before"]
    assert before.result().value.ino != after.result().value.ino


class Repeating:
    """Submits with a request_id; counts how often the operation really ran."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
        self.runs = 0

    def _run(self, txn: Transaction) -> Node:
        self.runs += 1
        return files.create(txn, ROOT_INO, b"file-%d" % self.runs, mode=0o644, uid=1, gid=1)

    def submit(self, request_id: str, digest: bytes) -> "Future[Committed[Node]]":
        return self.volume.queue.submit(
            "create", self._run, request_id=request_id, digest=digest, serialize=lambda node, at: b"%d at %d" % (node.ino, at)
        )


def test_the_same_request_again_gets_the_stored_response_and_is_not_done_again(volume: Volume) -> None:
    requester = Repeating(volume)
    first = requester.submit("r1", b"digest").result(10)
    again = requester.submit("r1", b"digest").result(10)
    assert first.replayed is None and first.value is not None
    assert again.replayed == b"%d at %d" % (first.value.ino, first.revision)
    assert again.revision == first.revision and again.value is None
    assert requester.runs == 1 and volume.head() == 1
    assert requester.submit("r2", b"digest").result(10).replayed is None


@pytest.mark.usefixtures("endless_groups")
def test_the_same_request_twice_in_one_group_is_done_once(volume: Volume) -> None:
    requester = Repeating(volume)
    gate = Gate(volume)
    first, second = requester.submit("r1", b"d"), requester.submit("r1", b"d")
    gate.opened.set()
    assert second.result(10).replayed is not None and first.result(10).replayed is None
    assert names(volume) == [b"file-1"]


def test_the_result_outlives_the_process_that_gave_it(volume: Volume, folder: Path) -> None:
    stored = Repeating(volume).submit("r1", b"d").result(10)
    volume.close()
    with Volume.open(folder, "api") as reopened:
        again = Repeating(reopened).submit("r1", b"d").result(10)
        assert (again.revision, again.value) == (stored.revision, None)


def test_a_request_id_with_another_request_is_refused(volume: Volume) -> None:
    requester = Repeating(volume)
    requester.submit("r1", b"digest").result(10)
    with pytest.raises(RequestIdReused):
        requester.submit("r1", b"another").result(10)
    assert names(volume) == [b"file-1"]


def test_a_stored_result_is_over_after_ten_minutes(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    requester = Repeating(volume)
    first = requester.submit("r1", b"digest").result(10)
    assert requests.KEPT_NS == 600 * 10**9
    monkeypatch.setattr(requests, "KEPT_NS", -1)
    second = requester.submit("r1", b"another").result(10)
    assert second.replayed is None and second.revision > first.revision
    volume.queue.submit("expire", lambda txn: requests.expire(txn, now_ns=txn.now_ns + 1)).result(10)
    with volume.snapshot() as view:
        assert view.execute("SELECT count(*) FROM request").fetchall() == [(0,)]


def test_a_failed_request_keeps_no_result(volume: Volume) -> None:
    def fail(txn: Transaction) -> None:
        raise NotFound("on purpose")

    with pytest.raises(NotFound):
        volume.queue.submit("fail", fail, request_id="r1", digest=b"d", serialize=lambda *_: b"x").result(10)
    assert Repeating(volume).submit("r1", b"another").result(10).replayed is None


def test_a_full_queue_refuses_and_says_when_to_come_again(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "QUEUE_MAX", 3)
    gate = Gate(volume)
    waiting = [volume.queue.submit("create", create(b"%d" % number)) for number in range(3)]
    with pytest.raises(QueueFull) as refused:
        volume.queue.submit("create", create(b"more"))
    assert refused.value.retryable and int(refused.value.details["retry_delay_ms"]) > 0
    gate.opened.set()
    for future in waiting:
        future.result(10)
    assert names(volume) == [b"0", b"1", b"2"]


def test_a_write_that_was_cancelled_while_it_waited_is_not_done(volume: Volume) -> None:
    gate = Gate(volume)
    cancelled = volume.queue.submit("create", create(b"cancelled"))
    assert cancelled.cancel()
    gate.opened.set()
    volume.queue.submit("create", create(b"kept")).result(10)
    assert names(volume) == [b"kept"]


def test_closing_finishes_what_waits_and_refuses_more(volume: Volume) -> None:
    queue, gate = volume.queue, Gate(volume)
    futures = [queue.submit("create", create(b"%d" % number)) for number in range(5)]
    closer = threading.Thread(target=volume.close)
    closer.start()
    gate.opened.set()
    closer.join(10)
    assert not closer.is_alive()
    assert [future.result(0).revision for future in futures] == [2, 3, 4, 5, 6]
    with pytest.raises(QueueFull):
        queue.submit("create", create(b"late"))
    queue.close()


def test_a_closed_volume_starts_no_queue(volume: Volume) -> None:
    volume.close()
    with pytest.raises(Unavailable):
        _ = volume.queue


def test_nobody_who_submits_while_it_closes_waits_for_ever(folder: Path) -> None:
    for _ in range(5):
        volume = Volume.open(folder, "api", create=True)
        queue, futures = volume.queue, []
        started = threading.Event()

        def submit_until_refused(queue: Any = queue, futures: list[Any] = futures, started: Any = started) -> None:
            try:
                while True:
                    futures.append(queue.submit("nothing", lambda _: None, durable=False))
                    started.set()
            except QueueFull:
                return

        submitter = threading.Thread(target=submit_until_refused)
        submitter.start()
        started.wait(10)
        volume.close()
        submitter.join(10)
        assert futures and all(future.done() for future in futures)


@pytest.mark.usefixtures("endless_groups")
def test_a_fault_in_the_commit_answers_everybody_and_the_queue_goes_on(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(volume)
    futures: list[Future[Any]] = [volume.queue.submit("create", create(b"%d" % number)) for number in range(3)]
    with monkeypatch.context() as patch:
        patch.setattr(volume.writer, "commit", lambda: 1 / 0)
        gate.opened.set()
        for future in [gate.future, *futures]:
            assert isinstance(future.exception(10), Internal)
    assert volume.queue.submit("create", create(b"next")).result(10).revision == 1
    assert names(volume) == [b"next"]


@pytest.mark.usefixtures("endless_groups")
def test_a_fault_in_the_last_group_does_not_keep_the_queue_from_closing(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(volume)
    monkeypatch.setattr(volume.writer, "commit", lambda: 1 / 0)
    closer = threading.Thread(target=volume.queue.close)
    closer.start()
    gate.opened.set()
    closer.join(10)
    assert not closer.is_alive()
    assert isinstance(gate.future.exception(10), Internal)
    monkeypatch.undo()


def test_a_write_that_need_not_be_durable_is_answered_without_a_sync(volume: Volume) -> None:
    before = volume.syncer.count
    assert volume.queue.submit("create", create(b"quick"), durable=False).result(10).revision == 1
    assert volume.syncer.count == before
    volume.queue.submit("create", create(b"safe")).result(10)
    assert volume.syncer.count == before + 1
