"""Waiting for a revision: what `min_revision` asks for.

Used by the dispatcher on the event loop, for the volume's own log. One subscription to the log's tail serves all
waiting calls; no thread is held.
"""

import asyncio
import time
from typing import TYPE_CHECKING

from vexfs.api.context import Deadline
from vexfs.core.errors import RevisionNotReached
from vexfs.core.types import Revision

if TYPE_CHECKING:
    from vexfs.store.volume import Volume


class RevisionWaits:
    """The calls that wait for the log of one volume to grow. Made on the event loop that uses it.

    With `looks`, the log itself is asked before a call waits: for a process that hears of every write from another one.
    """

    def __init__(self, volume: "Volume", *, looks: bool = False) -> None:
        self._volume = volume
        self._looks = looks
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[asyncio.Future[None], int] = {}
        self._unsubscribe = volume.tail.subscribe(self._log_grew)

    async def wait(self, revision: int, deadline: Deadline) -> None:
        """Return once the log holds `revision`. Raises RevisionNotReached at the deadline, with the newest revision."""
        if self._volume.tail.head() >= revision or (self._looks and self._volume.head() >= revision):
            return
        arrived = self._loop.create_future()
        self._waiting[arrived] = revision
        try:
            if self._volume.tail.head() < revision:
                end = deadline.waiting_until()
                await asyncio.wait_for(arrived, None if end is None else max(0.0, end - time.monotonic()))
        except TimeoutError:
            head = self._volume.tail.head()
            message = f"the volume is at revision {head}; revision {revision} did not come before the deadline"
            raise RevisionNotReached(message, revision=str(head), min_revision=str(revision)) from None
        finally:
            self._waiting.pop(arrived, None)

    def close(self) -> None:
        """Stop following the log; idempotent."""
        self._unsubscribe()
        self._unsubscribe = lambda: None

    def _log_grew(self, head: Revision) -> None:
        # Called in the tail's or the writer's thread.
        if self._waiting and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, head)

    def _wake(self, head: Revision) -> None:
        for arrived, revision in list(self._waiting.items()):
            if revision <= head and not arrived.done():
                arrived.set_result(None)
