"""An event loop in a thread of its own: how the synchronous client does what only asyncio can, such as ending a call under way.

May be used by many threads at the same time. The thread is started when it is first needed, and ends when it is told to, or
when its owner is forgotten.
"""

import asyncio
import contextlib
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from concurrent import futures
from typing import Any, TypeVar

from vexfs_client._errors import CancelledError

T = TypeVar("T")
AtEnd = Callable[[], Awaitable[object]]
Ready = futures.Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]

_END_SECONDS = 5.0
"""How long `stop` waits for the thread; it takes longer only when the system looks up a name that nobody answers for."""
_in_here = threading.local()
"""`waits` is true in a thread that is inside `run` or `finish`."""


class LoopThread:
    """Runs coroutines for other threads, and `at_end` as its last; that must not refer to the owner."""

    def __init__(self, at_end: AtEnd) -> None:
        self._at_end = at_end
        self._lock = threading.RLock()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of the coroutine, or what it raises. It is cancelled when the waiting is interrupted.

        Raises CancelledError when the thread is stopped before.
        """
        waited, _in_here.waits = getattr(_in_here, "waits", False), True
        # There before the coroutine is handed over: an interrupt may come in the middle of that, and cancels it all the same.
        future: futures.Future[T] = futures.Future()
        try:
            self._post(coroutine, future)
            return future.result()
        except futures.CancelledError:
            raise CancelledError("the client is closed") from None
        except BaseException:
            future.cancel()
            raise
        finally:
            _in_here.waits = waited

    def finish(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """Run what ends something, if there still is something to end.

        It is waited for, unless the interpreter called this from within our own waiting, while it collected garbage: then one
        would wait for the other without end.
        """
        with contextlib.suppress(CancelledError):
            if getattr(_in_here, "waits", False) or threading.current_thread() is self._thread:
                self._post(coroutine, futures.Future())
            else:
                self.run(coroutine)

    def stop(self) -> None:
        """End the thread; what still runs is cancelled then. Stopping again does nothing."""
        with self._lock:
            self._stopped = True
            thread = self._thread
            if thread is None or not thread.is_alive():
                return
            self._loop.call_soon_threadsafe(self._stop.set)
        if thread is not threading.current_thread():
            thread.join(_END_SECONDS)

    def _post(self, coroutine: Coroutine[Any, Any, T], future: "futures.Future[T]") -> None:
        """Have the coroutine run: its result becomes the future's, and whoever cancels the future cancels it."""
        with self._lock:
            try:
                if self._stopped:
                    raise CancelledError("the client is closed")
                if self._thread is None:
                    self._start()
                elif not self._thread.is_alive():
                    raise CancelledError("the client was used before this process was forked: make one after that")
            except BaseException:
                coroutine.close()
                raise
            # Under the lock, so that nothing is posted behind the end.
            self._loop.call_soon_threadsafe(_begin, coroutine, future)

    def _start(self) -> None:
        ready: Ready = futures.Future()
        thread = threading.Thread(target=_serve, args=(ready, self._at_end), name="vexfs-client", daemon=True)
        thread.start()
        self._loop, self._stop = ready.result()
        self._thread = thread
        weakref.finalize(self, _stop, self._loop, self._stop)


def _serve(ready: Ready, at_end: AtEnd) -> None:
    """The thread; it knows nothing of its owner, so that that can be forgotten."""

    async def until_stopped() -> None:
        stop = asyncio.Event()
        ready.set_result((asyncio.get_running_loop(), stop))
        await stop.wait()
        await at_end()

    asyncio.run(until_stopped())  # cancels what still runs when it ends


def _begin(coroutine: Coroutine[Any, Any, T], future: "futures.Future[T]") -> None:
    """Called in the loop."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(coroutine)

    def hand_over(_: object) -> None:
        failure = futures.CancelledError() if task.cancelled() else task.exception()
        if not future.set_running_or_notify_cancel():
            return  # nobody waits for it any more
        if failure is None:
            future.set_result(task.result())
        else:
            future.set_exception(failure)

    def give_up(given: "futures.Future[T]") -> None:  # not `future`: it would refer to itself, and what it answers stay behind
        if given.cancelled():
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(task.cancel)

    task.add_done_callback(hand_over)
    future.add_done_callback(give_up)


def _stop(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(stop.set)
