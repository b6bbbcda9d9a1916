"""The threads that reads run in: as few as get on, more when one of them takes long. Where does a short read cost least?

Owned by the application; `run` is called on the event loop, the functions run in threads of this pool. A thread for every
waiting read would cost more than most reads do: whenever one of them leaves the interpreter for a statement of SQL or a search,
another takes the interpreter's lock, and each has to wait to get it back. So reads queue for one thread, and only when none has
begun for a whole PATIENCE_SECONDS another one joins, up to the pool's limit. A thread rests when the queue is empty, and when
its read was a short one and others have begun meanwhile. Reads of which the caller says that they spend half their time outside
the interpreter (a question is embedded, words are looked up) get as many threads as there are processors at once. Results go
back in as few wake-ups of the loop as it takes.
"""

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

from vexfs.core.errors import Unavailable

PATIENCE_SECONDS = 0.01
"""How long the queue may stand still before another thread joins: longer than a search of vectors, shorter than is felt."""

OUTSIDE_THREADS = len(os.sched_getaffinity(0))
"""How many reads run at once that are outside the interpreter for long. On two processors two hybrid searches at a time
answer 1.7 times what one does, and more than four or eight at a time do."""

T = TypeVar("T")


class _Job(NamedTuple):
    function: Callable[[], Any]
    result: "asyncio.Future[Any]"
    threads: int
    """How many threads may work for it to begin."""


class _Ended(NamedTuple):
    """A job that has run. Without an `error` the value counts."""

    result: "asyncio.Future[Any]"
    value: Any
    error: BaseException | None


class ReaderThreads:
    """See the module. Made on the event loop that uses it; `close` may be called from any thread."""

    def __init__(self, threads_max: int, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._threads_max = threads_max
        self._name = name
        self._lock = threading.Lock()
        """Guards the queue's ends and `_working`: who sees an empty queue rests, who fills it sees who works."""
        self._queue: deque[_Job] = deque()
        self._ended: deque[_Ended] = deque()
        self._told = False
        """Whether the loop knows that there is something in `_ended`."""
        self._calls: SimpleQueue[bool] = SimpleQueue()
        """A resting thread waits here: True to work, False to end."""
        self._threads: list[threading.Thread] = []
        self._working = 0
        self._begun = 0
        self._watch: asyncio.TimerHandle | None = None
        self._closed = False

    def run(self, function: Callable[[], T], *, outside: bool = False) -> "asyncio.Future[T]":
        """What `function` returns or raises, once a thread has run it. A call that is cancelled before that does not run.

        `outside` says that it spends half its time or more outside the interpreter. Raises Unavailable once the pool is closed.
        """
        result: asyncio.Future[T] = self._loop.create_future()
        job = _Job(function, result, min(OUTSIDE_THREADS, self._threads_max) if outside else 1)
        with self._lock:
            if self._closed:
                raise Unavailable("the server is being stopped")
            self._queue.append(job)
            called = self._working < job.threads
            if called:
                self._call_thread()
        if not called and self._watch is None:
            self._watch = self._loop.call_later(PATIENCE_SECONDS, self._look, self._begun)
        return result

    def close(self) -> None:
        """Cancel what has not begun and wait for what has. Idempotent."""
        with self._lock:
            already, self._closed = self._closed, True
            left = [job.result for job in self._queue]
            self._queue.clear()
        if already:
            return
        if left and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_cancel, left)
        for _ in self._threads:
            self._calls.put(False)
        for thread in self._threads:
            thread.join()

    # -- on the event loop -----------------------------------------------------------------------------

    def _call_thread(self) -> None:
        """One more thread shall work; the caller has the lock."""
        self._working += 1
        if self._working > len(self._threads):
            thread = threading.Thread(target=self._rest, name=f"{self._name}-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._calls.put(True)

    def _look(self, begun_before: int) -> None:
        """Has the queue moved since the last look? If not, whatever runs takes long."""
        self._watch = None
        with self._lock:
            if not self._queue or self._closed:
                return
            if self._begun == begun_before and self._working < self._threads_max:
                self._call_thread()
        self._watch = self._loop.call_later(PATIENCE_SECONDS, self._look, self._begun)

    def _deliver(self) -> None:
        self._told = False  # before looking: what ends from here on tells again
        while self._ended:
            result, value, error = self._ended.popleft()
            if result.done():
                continue  # its caller has gone
            if error is None:
                result.set_result(value)
            else:
                result.set_exception(error)

    # -- in the threads --------------------------------------------------------------------------------

    def _rest(self) -> None:
        while self._calls.get():
            self._work()

    def _work(self) -> None:
        number, began = 0, 0.0
        while True:
            with self._lock:
                if not self._queue or (self._others_go_on(number) and time.monotonic() - began < PATIENCE_SECONDS):
                    self._working -= 1
                    return
                job = self._queue.popleft()
                self._begun = number = self._begun + 1
            began = time.monotonic()
            if not job.result.cancelled():
                self._end(_run(job))
            del job

    def _others_go_on(self, number: int) -> bool:
        """Whether the queue moves without the thread that ran that read; 0 is none."""
        return self._working > self._queue[0].threads and 0 < number < self._begun

    def _end(self, ended: _Ended) -> None:
        self._ended.append(ended)
        if not self._told:
            self._told = True
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._deliver)


def _run(job: _Job) -> _Ended:
    try:
        return _Ended(job.result, job.function(), None)
    except StopIteration as error:
        fault = RuntimeError("a read raised StopIteration, which no future carries")
        fault.__cause__ = error
        return _Ended(job.result, None, fault)
    except BaseException as error:
        return _Ended(job.result, None, error)


def _cancel(results: "list[asyncio.Future[Any]]") -> None:
    for result in results:
        result.cancel()
