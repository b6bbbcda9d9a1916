"""The threads of reads: one for short ones, more beside a long one; what becomes of results, faults and cancelled calls."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

from vexfs.api import readers as readers_module
from vexfs.api.readers import PATIENCE_SECONDS, ReaderThreads
from vexfs.core.errors import NotFound, Unavailable

THREADS_MAX = 3
LONG_SECONDS = 10 * PATIENCE_SECONDS


def with_readers(test: Callable[[ReaderThreads], Awaitable[None]]) -> None:
    async def run() -> None:
        readers = ReaderThreads(THREADS_MAX, "test-read")
        try:
            await asyncio.wait_for(test(readers), 60)
        finally:
            readers.close()

    asyncio.run(run())


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool that takes no thread for stuck that a busy machine keeps waiting: only what a test holds up is a long read."""
    monkeypatch.setattr(readers_module, "PATIENCE_SECONDS", 1.0)


def thread_name() -> str:
    return threading.current_thread().name


@pytest.mark.usefixtures("patient")
def test_short_reads_share_one_thread_and_keep_their_order() -> None:
    begun: list[int] = []

    async def test(readers: ReaderThreads) -> None:
        def read(number: int) -> tuple[int, str]:
            begun.append(number)
            return number, thread_name()

        found = await asyncio.gather(*(readers.run(lambda n=number: read(n)) for number in range(200)))  # type: ignore[misc]
        assert [number for number, _ in found] == begun == list(range(200))
        assert {name for _, name in found} == {"test-read-0"}

    with_readers(test)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("at_once", [1, 2, THREADS_MAX, THREADS_MAX + 1])
def test_reads_outside_the_interpreter_run_at_once_on_all_processors(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(readers_module, "OUTSIDE_THREADS", at_once)
    threads = min(at_once, THREADS_MAX)

    async def test(readers: ReaderThreads) -> None:
        running = most = 0
        lock = threading.Lock()
        together = threading.Barrier(threads)

        def read(number: int) -> str:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            if number < threads:
                together.wait(20)
            time.sleep(0.002)
            with lock:
                running -= 1
            return thread_name()

        for _ in range(2):
            found = await asyncio.gather(*(readers.run(lambda n=number: read(n), outside=True) for number in range(40)))  # type: ignore[misc]
            assert most == threads == len(set(found))
        assert len(set(await asyncio.gather(*(readers.run(thread_name) for _ in range(40))))) == 1

    with_readers(test)


@pytest.mark.usefixtures("patient")
def test_a_long_read_does_not_keep_the_others_waiting() -> None:
    async def test(readers: ReaderThreads) -> None:
        release = threading.Event()
        long = readers.run(lambda: release.wait(20))
        names = await asyncio.gather(*(readers.run(thread_name) for _ in range(20)))
        assert not long.done() and set(names) == {"test-read-1"}
        release.set()
        assert await long is True

    with_readers(test)


def test_so_many_run_at_once_and_no_more() -> None:
    async def test(readers: ReaderThreads) -> None:
        running, most = 0, 0
        lock, all_run = threading.Lock(), threading.Event()

        def read() -> None:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
                if running == THREADS_MAX:
                    all_run.set()
            all_run.wait(20)
            time.sleep(LONG_SECONDS)
            with lock:
                running -= 1

        await asyncio.gather(*(readers.run(read) for _ in range(4 * THREADS_MAX)))
        assert most == THREADS_MAX

    with_readers(test)


@pytest.mark.usefixtures("patient")
def test_after_long_reads_one_thread_is_enough_again() -> None:
    async def test(readers: ReaderThreads) -> None:
        both, release = threading.Barrier(3), threading.Event()

        def hold_up() -> None:
            both.wait(30)
            release.wait(30)

        def short() -> str:
            time.sleep(0.0001)  # lets go of the interpreter, so that a second thread would come in between
            return thread_name()

        long = [readers.run(hold_up) for _ in range(2)]
        await asyncio.to_thread(both.wait, 30)
        found = asyncio.gather(*(readers.run(short) for _ in range(1_000)))
        release.set()
        names = await found
        await asyncio.gather(*long)
        changes = sum(one != other for one, other in pairwise(names))
        assert changes < 20, "both threads went on"

    with_readers(test)


def test_a_fault_of_the_read_comes_to_its_caller_alone() -> None:
    async def test(readers: ReaderThreads) -> None:
        def fail() -> None:
            raise NotFound("there is no such thing")

        def stop() -> None:
            raise StopIteration

        failed, stopped, fine = readers.run(fail), readers.run(stop), readers.run(lambda: "here")
        with pytest.raises(NotFound, match="no such thing"):
            await failed
        with pytest.raises(RuntimeError, match="StopIteration"):
            await stopped
        assert await fine == "here"

    with_readers(test)


def test_a_call_that_was_cancelled_in_the_queue_does_not_run() -> None:
    async def test(readers: ReaderThreads) -> None:
        release, ran = threading.Event(), threading.Event()
        blocked = [readers.run(lambda: release.wait(20)) for _ in range(THREADS_MAX)]
        late = readers.run(ran.set)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(late, 5 * PATIENCE_SECONDS)
        release.set()
        assert await asyncio.gather(*blocked) == [True] * THREADS_MAX
        assert await readers.run(thread_name)
        assert not ran.is_set()

    with_readers(test)


def test_a_closed_pool_ends_what_runs_cancels_what_waits_and_takes_nothing() -> None:
    async def test(readers: ReaderThreads) -> None:
        begun, release, ran = threading.Event(), threading.Event(), threading.Event()

        def read() -> str:
            begun.set()
            release.wait(20)
            return "whole"

        running = readers.run(read)
        begun.wait(20)
        waiting = readers.run(ran.set)
        closing = asyncio.get_running_loop().run_in_executor(None, readers.close)
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not closing.done()
        release.set()
        await closing
        assert await running == "whole" and not ran.is_set()
        with pytest.raises(Unavailable):
            readers.run(thread_name)
        readers.close()

    with_readers(test)
