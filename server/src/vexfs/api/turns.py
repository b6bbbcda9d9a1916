"""The work of one call that is long but comes in small steps: in turns with the work of others. How long does anybody wait?

Used by methods that answer many questions in one call. The steps are a generator, which yields wherever others may go first. It
runs in reader threads, one turn after another, and before each it queues behind whoever waits: a call with a hundred steps gets
as much of the threads as a caller who sends a hundred calls. Between turns the event loop sees that the caller has gone, or
that the deadline has passed; then no further step begins. The generator is closed in any case, once nothing runs it: what it
has open, such as a snapshot, it closes with `with` or `finally`.
"""

import threading
import time
from collections.abc import Generator
from typing import Generic, TypeVar

from vexfs.api.readers import ReaderThreads

TURN_SECONDS = 0.005
"""After so long the next step waits its turn: some searches of vectors, and half of what readers wait for patiently."""

T = TypeVar("T")
Steps = Generator[None, None, T]
"""`yield` between two steps; what it returns is the result."""


async def in_turns(readers: ReaderThreads, steps: Steps[T]) -> T:
    """What the steps return. Raises what they raise; cancelled, no step begins after the one that runs."""
    turns = _Turns(steps)
    try:
        while not await readers.run(turns.take):
            pass
        return turns.result
    finally:
        turns.end()


class _Turns(Generic[T]):
    """One generator, and who has the right to run or close it: who holds the lock."""

    result: T
    """Once `take` has answered True."""

    def __init__(self, steps: Steps[T]) -> None:
        self._steps = steps
        self._lock = threading.Lock()
        self._ended = False

    def take(self) -> bool:
        """One turn, in a reader thread; whether it was the last."""
        try:
            with self._lock:
                return self._go_on()
        finally:
            if self._ended:
                self._close()

    def end(self) -> None:
        """No step begins any more; the generator is closed now, or by the thread that runs it. Called on the event loop."""
        self._ended = True  # before looking at the lock: a thread that has it looks here after it has given it back
        self._close()

    def _go_on(self) -> bool:
        until = time.monotonic() + TURN_SECONDS
        while not self._ended:
            try:
                next(self._steps)
            except StopIteration as last:
                self.result = last.value
                return True
            if time.monotonic() >= until:
                break
        return False

    def _close(self) -> None:
        if self._lock.acquire(blocking=False):
            try:
                self._steps.close()
            finally:
                self._lock.release()
