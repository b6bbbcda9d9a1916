"""Work in turns: others come in between, who is gone takes no further step, and what was open is closed once."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Generator

import pytest

from vexfs.api import turns
from vexfs.api.readers import ReaderThreads
from vexfs.api.turns import in_turns
from vexfs.core.errors import NotFound

STEP_SECONDS = 0.02


class Steps:
    """Steps that take some time each, what they did, and how often they were closed while none ran."""

    def __init__(self, count: int, seconds: float = STEP_SECONDS) -> None:
        self.done: list[int] = []
        self.closed = 0
        self._running = threading.Lock()
        self._count, self._seconds = count, seconds

    def steps(self) -> Generator[None, None, int]:
        try:
            for number in range(self._count):
                with self._running:
                    time.sleep(self._seconds)
                    self.done.append(number)
                yield
            return sum(self.done)
        finally:
            assert not self._running.locked()
            self.closed += 1


def with_one_reader(test: Callable[[ReaderThreads], Awaitable[None]]) -> None:
    async def run() -> None:
        readers = ReaderThreads(1, "test-turns")
        try:
            await asyncio.wait_for(test(readers), 60)
        finally:
            readers.close()

    asyncio.run(run())


def test_all_steps_are_taken_in_order_and_the_result_comes_back() -> None:
    async def test(readers: ReaderThreads) -> None:
        work = Steps(7, 0.002)
        assert await in_turns(readers, work.steps()) == 21
        assert (work.done, work.closed) == ([*range(7)], 1)

    with_one_reader(test)


def test_other_reads_get_their_turn_between_steps() -> None:
    async def test(readers: ReaderThreads) -> None:
        work = Steps(40)
        running = asyncio.ensure_future(in_turns(readers, work.steps()))
        for _ in range(5):
            before = len(work.done)
            assert await readers.run(lambda: "read") == "read"
            assert len(work.done) - before <= 2
        assert not running.done()
        assert await running == sum(range(40))

    with_one_reader(test)


def test_several_of_them_take_turns_with_each_other() -> None:
    async def test(readers: ReaderThreads) -> None:
        first, second = Steps(10), Steps(10)
        tasks = [asyncio.ensure_future(in_turns(readers, work.steps())) for work in (first, second)]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) and min(len(first.done), len(second.done)) >= 8
        await asyncio.gather(*tasks)

    with_one_reader(test)


@pytest.mark.parametrize("how", ["cancelled", "too late"])
def test_a_caller_that_is_gone_ends_it_after_the_step_that_runs(how: str) -> None:
    async def test(readers: ReaderThreads) -> None:
        work = Steps(1000)
        if how == "cancelled":
            running = asyncio.ensure_future(in_turns(readers, work.steps()))
            while not work.done:
                await asyncio.sleep(0.001)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        else:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3.5 * STEP_SECONDS):
                    await in_turns(readers, work.steps())
        taken = len(work.done)
        await readers.run(lambda: None)  # the only thread: whatever was running has ended
        assert 0 < taken <= len(work.done) <= taken + 1 < 1000
        assert work.closed == 1

    with_one_reader(test)


def test_what_is_cancelled_before_its_first_turn_is_closed_too() -> None:
    async def test(readers: ReaderThreads) -> None:
        release = threading.Event()
        held = readers.run(lambda: release.wait(20))
        work = Steps(3)
        steps = work.steps()
        running = asyncio.ensure_future(in_turns(readers, steps))
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        release.set()
        await held
        assert not work.done
        with pytest.raises(StopIteration):
            next(steps)

    with_one_reader(test)


def test_an_error_of_a_step_ends_it() -> None:
    async def test(readers: ReaderThreads) -> None:
        taken: list[int] = []

        def steps() -> Generator[None, None, None]:
            for number in range(10):
                if number == 3:
                    raise NotFound("nothing there")
                taken.append(number)
                yield

        with pytest.raises(NotFound):
            await in_turns(readers, steps())
        assert taken == [0, 1, 2]

    with_one_reader(test)


def test_short_steps_share_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", 10.0)

    async def test(readers: ReaderThreads) -> None:
        begun: list[str] = []

        def steps() -> Generator[None, None, None]:
            for _ in range(100):
                begun.append(threading.current_thread().name)
                yield

        running = asyncio.ensure_future(in_turns(readers, steps()))
        await asyncio.sleep(0)
        other = readers.run(lambda: len(begun))
        assert await other == 100
        await running

    with_one_reader(test)
