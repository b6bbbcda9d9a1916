"""The write queue: groups the writes of a process's many callers into commits, and answers each once it is durable.

One WriteQueue a Volume, with one thread that owns the Writer while it works. `submit` may be called from any thread; it never
blocks. Bounded: a full queue raises QueueFull instead of growing.

Order for each write: stored result of its request_id, if any → the operation in a transaction of its own → the result row
in the same transaction → COMMIT of the group → fdatasync → the future. A crash before the fdatasync ended answered nobody.
"""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import apsw

from vexfs.core.errors import Internal, QueueFull, VexfsError
from vexfs.core.types import Revision
from vexfs.store import requests
from vexfs.store.durability import Syncer
from vexfs.store.writer import Transaction, Writer

logger = logging.getLogger(__name__)

T = TypeVar("T")

QUEUE_MAX = 4096
"""Writes waiting at most."""


@dataclass(frozen=True, slots=True)
class Committed(Generic[T]):
    """A write's result. `replayed` is None for a fresh one, else the stored response of the first attempt."""

    value: T | None
    revision: Revision
    replayed: bytes | None = None


@dataclass(slots=True)
class _Write:
    operation: str
    function: Callable[[Transaction], Any]
    request_id: str
    digest: bytes
    serialize: Callable[[Any, int], bytes] | None
    durable: bool
    future: "Future[Committed[Any]]" = field(default_factory=Future)
    result: "Committed[Any] | None" = None


class _DoneBefore(Exception):
    """Ends a transaction whose request_id has a stored result; nothing of it is kept."""

    def __init__(self, result: requests.StoredResult) -> None:
        super().__init__()
        self.result = result


class WriteQueue:
    def __init__(self, writer: Writer, syncer: Syncer, name: str) -> None:
        self._writer = writer
        self._syncer = syncer
        self._waiting: queue.Queue[_Write | None] = queue.Queue(QUEUE_MAX)
        self._closed = False
        self._door = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"vexfs-writes-{name}", daemon=True)
        self._thread.start()

    def submit(
        self,
        operation: str,
        function: Callable[[Transaction], T],
        *,
        request_id: str = "",
        digest: bytes = b"",
        serialize: Callable[[T, int], bytes] | None = None,
        durable: bool = True,
    ) -> "Future[Committed[T]]":
        """Queue one operation; the future holds its Committed once it is durable (or committed, with `durable=False`).

        `function` runs in the queue's thread and may run twice when its group has to be done again: no effects outside the
        transaction. With `request_id`, `serialize(value, revision)` gives the bytes a repeated attempt is answered with
        (`digest` tells whether it is the same request). The future raises domain errors, QueueFull comes at once.
        """
        write = _Write(operation, function, request_id, digest, serialize, durable)
        with self._door:  # so that nothing comes in behind the one that ends the thread
            if self._closed:
                raise QueueFull("the server is stopping: try again in a moment")
            try:
                self._waiting.put_nowait(write)
            except queue.Full:
                raise QueueFull(
                    f"{QUEUE_MAX} writes are waiting already: try again in a moment", retry_delay_ms="100"
                ) from None
        return write.future

    def depth(self) -> int:
        """Writes waiting now."""
        return self._waiting.qsize()

    def _run(self) -> None:
        while (write := self._waiting.get()) is not None:
            group: list[_Write] = []
            try:
                going_on = self._run_group(write, group)
            except Exception:
                logger.exception("a group of writes failed")
                going_on = not (self._closed and self._waiting.empty())  # the end's sign may have been taken
                _fail([write, *group], Internal("a group of writes failed: the log of the server says more"))
                with contextlib.suppress(apsw.Error):
                    self._writer.roll_back_group()
            if not going_on:
                return

    def _run_group(self, first: _Write, group: list[_Write]) -> bool:
        """Do `first` and what else waits, one commit, collecting in `group`; False when the queue is closing."""
        going_on = True
        next_write: _Write | None = first
        while next_write is not None:
            if next_write.future.set_running_or_notify_cancel() and self._perform(next_write, group):
                group.append(next_write)
            if self._writer.must_commit(time.monotonic_ns()):
                break
            try:
                next_write = self._waiting.get_nowait()
            except queue.Empty:
                break
            going_on = next_write is not None
        self._commit(group)
        return going_on

    def _perform(self, write: _Write, group: list[_Write]) -> bool:
        """Run one operation; True when it wants the commit. A lost group fails everybody in it."""
        try:
            write.result = self._transact(write)
        except VexfsError as error:
            self._fail_lost_group(group, error)
            write.future.set_exception(error)
            return False
        except Exception as error:
            logger.exception("an operation failed", extra={"operation": write.operation})
            self._fail_lost_group(group, Internal("a write of the same commit failed"))
            write.future.set_exception(Internal(f"{write.operation} failed: {type(error).__name__}"))
            return False
        return True

    def _fail_lost_group(self, group: list[_Write], error: VexfsError) -> None:
        if group and not self._writer.group_open:
            _fail(group, error)
            group.clear()

    def _transact(self, write: _Write) -> Committed[Any]:
        transaction = self._writer.begin(write.operation)
        try:
            with transaction:
                if write.request_id:
                    found = requests.find(transaction, write.request_id, write.digest, now_ns=transaction.now_ns)
                    if found is not None:
                        raise _DoneBefore(found)
                value = write.function(transaction)
                self._keep_result(transaction, write, value)
        except _DoneBefore as done:
            return Committed(None, Revision(done.result.revision), done.result.response)
        return Committed(value, transaction.revision)

    def _keep_result(self, transaction: Transaction, write: _Write, value: Any) -> None:
        if write.request_id and write.serialize is not None:
            requests.keep(
                transaction,
                write.request_id,
                write.digest,
                revision=transaction.revision,
                now_ns=transaction.now_ns,
                response=write.serialize(value, transaction.revision),
            )

    def _commit(self, group: list[_Write]) -> None:
        try:
            self._writer.commit()
        except VexfsError as error:
            _fail(group, error)
            return
        durable = [write for write in group if write.durable]
        for write in group:
            if not write.durable:
                write.future.set_result(write.result)  # type: ignore[arg-type]
        if durable:
            self._syncer.sync().add_done_callback(lambda synced: _answer(durable, synced))

    def close(self) -> None:
        """Finish what waits, refuse more; idempotent."""
        with self._door:
            closing, self._closed = not self._closed, True
        if closing:
            self._waiting.put(None)
        self._thread.join()


def _fail(writes: list[_Write], error: VexfsError) -> None:
    for write in writes:
        if not write.future.done():
            write.future.set_exception(error)


def _answer(writes: list[_Write], synced: "Future[None]") -> None:
    error = synced.exception()
    for write in writes:
        if error is None:
            write.future.set_result(write.result)  # type: ignore[arg-type]
        else:
            write.future.set_exception(error)
