"""Calls that come at about the same time are answered together; a lone one is not kept waiting."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import pytest

from vexfs.api import gathering
from vexfs.api.gathering import PATIENCE_S, PROBE_LAST, TOGETHER_MAX, Gathering


class Answered:
    """A gathering whose answers are the calls' doubles, and how many calls it took each time."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.gathering = Gathering(self.answer)

    def answer(self, calls: Sequence[int]) -> list[int | Exception]:
        self.sizes.append(len(calls))
        return [2 * call if call >= 0 else ValueError(str(call)) for call in calls]


def run(test: Callable[[Answered], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(Answered()), 30))


async def trickle(answered: Answered, count: int) -> None:
    """As many callers, each of which asks again when it is answered, a turn of the loop after the one before."""

    async def caller(number: int) -> None:
        for _ in range(number):
            await asyncio.sleep(0)
        for call in range(100):
            assert await answered.gathering.ask(call) == 2 * call
            for _ in range(number):
                await asyncio.sleep(0)

    await asyncio.gather(*(caller(number) for number in range(count)))


def test_calls_of_one_turn_are_answered_together_each_with_its_own() -> None:
    async def test(answered: Answered) -> None:
        assert await asyncio.gather(*map(answered.gathering.ask, range(5))) == [0, 2, 4, 6, 8]
        assert answered.sizes == [5]

    run(test)


def test_many_calls_are_answered_a_few_at_a_time() -> None:
    async def test(answered: Answered) -> None:
        calls = list(range(2 * TOGETHER_MAX + 3))
        assert await asyncio.gather(*map(answered.gathering.ask, calls)) == [2 * call for call in calls]
        assert answered.sizes == [TOGETHER_MAX, TOGETHER_MAX, 3]

    run(test)


def test_callers_that_ask_one_after_another_are_soon_answered_together() -> None:
    async def test(answered: Answered) -> None:
        await trickle(answered, 6)
        assert max(answered.sizes) == 6
        assert sum(answered.sizes[-40:]) > 3 * 40, answered.sizes

    run(test)


def test_a_caller_that_is_left_alone_is_soon_answered_at_once_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(answered: Answered) -> None:
        await trickle(answered, 6)
        for call in range(20):
            await answered.gathering.ask(call)
        answered.sizes.clear()
        waited = 0
        for call in range(4 * PROBE_LAST):
            begin = time.perf_counter()
            await answered.gathering.ask(call)
            waited += time.perf_counter() - begin > PATIENCE_S / 2
        assert set(answered.sizes) == {1}
        assert waited < 4 * PROBE_LAST / 10, "of a few it is looked whether there are others"

    # One that waits, waits long enough to be told from one that only a busy machine kept.
    monkeypatch.setattr(gathering, "PATIENCE_S", 0.02)
    run(test)


def test_an_error_of_one_call_is_its_own_and_one_of_the_function_is_everyones() -> None:
    async def test(answered: Answered) -> None:
        one, wrong, other = (answered.gathering.ask(call) for call in (1, -1, 3))
        assert await one == 2 and await other == 6
        with pytest.raises(ValueError, match="-1"):
            await wrong

        def broken(_: Sequence[int]) -> list[int]:
            raise OSError("all of them")

        several = [Gathering(broken).ask(1)]
        for each in await asyncio.gather(*several, return_exceptions=True):
            assert isinstance(each, OSError)

    run(test)


def test_a_call_that_was_given_up_is_not_answered() -> None:
    async def test(answered: Answered) -> None:
        kept, given_up = answered.gathering.ask(1), answered.gathering.ask(2)
        given_up.cancel()
        assert await kept == 2
        assert answered.sizes == [1]
        answered.gathering.ask(3).cancel()
        await asyncio.sleep(2 * PATIENCE_S)
        assert answered.sizes == [1]

    run(test)
