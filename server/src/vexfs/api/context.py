"""What a handler knows of its call, and the only ways it may touch the store.

Made by the dispatcher for each call. Handlers run on the event loop; `read` and `write` carry the synchronous core
functions to other threads and bring the result back, so that no handler blocks the loop.
"""

import asyncio
import concurrent.futures
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, cast

from google.protobuf.message import Message

from vexfs.api import turns
from vexfs.core.errors import DeadlineExceeded
from vexfs.store import requests

if TYPE_CHECKING:
    from vexfs.api.application import Application
    from vexfs.api.registry import Method
    from vexfs.store.reader import Reader
    from vexfs.store.writer import Transaction

ANSWER_MARGIN_SECONDS = 0.1
"""How long before the caller's deadline the answer leaves, or a tenth of the time when that is less."""
WAIT_MARGIN_SECONDS = 0.5
"""How long before that a wait for a revision ends, or a tenth of the time when that is less: a busy machine, too, says why."""

T = TypeVar("T")
M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a call comes from, as its surface found out."""

    surface: str
    """"grpc", "rest" or "connect"."""
    authorization: str | None
    """The Authorization value as sent."""
    host: str | None
    """The Host the caller used; None when the transport has none to give."""
    origin: str | None
    """The Origin a browser says; None when absent."""
    timeout_seconds: float | None
    """What is left of the caller's deadline; None when it set none."""
    peer: Callable[[], str]
    """Asks the transport for the caller's address; only the slow log wants to know it."""


class Deadline:
    """Until when an answer is worth giving; for ever when the caller set no deadline.

    It lies a little before the caller's own, because an answer that says why it is late has to arrive in time.
    """

    __slots__ = ("_wait_margin", "at")

    def __init__(self, timeout_seconds: float | None) -> None:
        self.at = None
        self._wait_margin = 0.0
        if timeout_seconds is not None:
            self.at = time.monotonic() + timeout_seconds - min(ANSWER_MARGIN_SECONDS, timeout_seconds * 0.1)
            self._wait_margin = min(WAIT_MARGIN_SECONDS, timeout_seconds * 0.1)

    def remaining_seconds(self) -> float | None:
        """Seconds left, never negative; None when there is no deadline."""
        return None if self.at is None else max(0.0, self.at - time.monotonic())

    def waiting_until(self) -> float | None:
        """Until when (time.monotonic) a wait may last, so that its own error still ends the call; None without a deadline."""
        return None if self.at is None else self.at - self._wait_margin

    def check(self) -> None:
        """Raise DeadlineExceeded when it has passed."""
        if self.at is not None and time.monotonic() >= self.at:
            raise DeadlineExceeded("the deadline passed")


@dataclass(slots=True)
class CallContext:
    """One call on its way to the core."""

    application: "Application"
    method: "Method"
    caller: Caller
    deadline: Deadline
    request_id: str = ""
    request_digest: bytes = b""
    noted: dict[str, int] = field(default_factory=dict)
    """What the slow log says of the call beside its name and time."""

    async def read(self, function: "Callable[[Reader, int], T]", *, at_revision: int = 0) -> T:
        """Run `function(view, revision)` on a snapshot, in a reader thread; `revision` is the one that the view shows.

        `at_revision` of 0 means now. Raises RevisionNotAvailable and what the function raises.
        """
        volume = self.application.volume

        def run() -> T:
            with volume.snapshot(at_revision or None) as view:
                return function(view, at_revision or view.revision)

        return await self.run(run)

    async def run(self, function: Callable[[], T], *, outside: bool = False) -> T:
        """Run `function` in a reader thread, without a snapshot; `outside`: see `readers`."""
        return await self.application.readers.run(function, outside=outside)

    async def in_turns(self, steps: turns.Steps[T]) -> T:
        """What these steps return, run in reader threads in turns with the reads of others; see `turns`."""
        return await turns.in_turns(self.application.readers, steps)

    async def wait(self, function: Callable[[], T]) -> T:
        """Run `function`, which may wait for a view, in a thread kept for that."""
        return await asyncio.get_running_loop().run_in_executor(self.application.waiters, function)

    async def write(self, response_class: type[M], function: "Callable[[Transaction], M]") -> M:
        """Run `function` as one transaction and return its response once it is durable.

        With a request id the response is stored in the same transaction, and a repetition of the request gets the stored one
        without a run of `function`. The response must be complete (its revision is `txn.revision`) when `function` returns; it
        may run twice. Raises QueueFull, RequestIdReused and what the core raises.
        """
        future = self.application.volume.queue.submit(
            self.method.name,
            function,
            request_id=self.request_id,
            digest=self.request_digest,
            serialize=(lambda response, _: response.SerializeToString()) if self.request_id else None,
        )
        committed = await _patiently(future)
        if committed.replayed is not None:
            return response_class.FromString(committed.replayed)
        return cast(M, committed.value)

    async def step(self, function: "Callable[[Transaction], T]") -> T:
        """Run `function` as one transaction of several; the last one, a `write`, answers the request and keeps its id.

        Only that waits for the disk: what is durable includes all that was committed before.
        """
        submitted = self.application.volume.queue.submit(self.method.name, function, durable=False)
        return cast(T, (await _patiently(submitted)).value)

    async def stored(self, response_class: type[M]) -> M | None:
        """What an earlier attempt of this request was answered with, or None; for work that goes in steps.

        Raises RequestIdReused.
        """
        if not self.request_id:
            return None
        found = await self.read(
            lambda view, _: requests.find(view, self.request_id, self.request_digest, now_ns=time.time_ns())
        )
        return None if found is None else response_class.FromString(found.response)

    async def answered(self) -> bool:
        """Whether a request with this id was answered; for a stream, of which only the end tells whether it is the same."""
        if not self.request_id:
            return False
        return await self.read(lambda view, _: requests.is_known(view, self.request_id, now_ns=time.time_ns()))


async def _patiently(future: "concurrent.futures.Future[T]") -> T:
    # Cancelling the caller's wait must not cancel a write that is on its way: the queue would answer a future that is gone.
    return await asyncio.shield(asyncio.wrap_future(future))
