"""Brief calls that arrive at about the same time, answered together on the event loop. How many are worth waiting for?

A handler that takes less than a millisecond is slow for another reason than its work: since it ran last, other code and data
have taken its place in the processor's caches. So one function answers several calls, and takes all of them through each of its
steps: with 16 clients a query of vectors takes 0.8 instead of 1.2 ms of CPU. gRPC hands over one call after another, though; so
a call waits for as many others as came together the last time, which is as many as there are callers, if these ask again when
they are answered. A call that is alone is answered in the loop's next turn, and one in some hundred waits a little, to see
whether it still is.

Used on the event loop only. Of many calls a few are answered at a time, and the loop has its turn in between.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

TOGETHER_MAX = 16
"""So many calls are answered in one turn of the loop: they take some milliseconds."""
PATIENCE_S = 0.002
"""A call waits no longer for others; the loop's clock is exact to a millisecond."""
WORTH_S = 0.0006
"""If the others took longer to come, each, one fewer is waited for the next time: answering them together saves less."""
PROBE_FIRST, PROBE_LAST = 4, 128
"""After so many answers one more call is waited for; as long as none comes, after twice as many each time."""

AnswerAll: TypeAlias = Callable[[Sequence[Any]], Sequence[Any]]
"""What came to an answer each, in their order; an answer that is an exception is raised where the call waits."""


class Gathering:
    """The calls of one method that wait to be answered by `answer_all`."""

    def __init__(self, answer_all: AnswerAll) -> None:
        self._answer_all = answer_all
        self._waiting: list[tuple[Any, asyncio.Future[Any]]] = []
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_due = False
        self._expected = 1
        self._answers_to_probe = self._probe_after = PROBE_FIRST

    def ask(self, call: Any) -> asyncio.Future[Any]:
        """The answer to the call, which comes with the loop's next turn, or one of the next."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Any] = loop.create_future()
        if not self._waiting:
            self._since = time.perf_counter()
        self._waiting.append((call, answered))
        if not self._is_due:
            if len(self._waiting) >= self._expected:
                self._fall_due(loop)
            elif self._timer is None:
                self._timer = loop.call_later(PATIENCE_S, self._fall_due, loop)
        return answered

    def _fall_due(self, loop: asyncio.AbstractEventLoop) -> None:
        """Answer with the next turn, so that what comes with this one is answered, too."""
        self._is_due = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop.call_soon(self._answer, loop)

    def _answer(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_due = False
        self._expect(len(self._waiting))
        now, self._waiting = self._waiting[:TOGETHER_MAX], self._waiting[TOGETHER_MAX:]
        if self._waiting:
            self._fall_due(loop)
        now = [(call, answered) for call, answered in now if not answered.done()]  # some were given up
        try:
            answers = self._answer_all([call for call, _ in now]) if now else ()
        except Exception as error:
            answers = [error] * len(now)
        for (_, answered), answer in zip(now, answers, strict=True):
            if isinstance(answer, Exception):
                answered.set_exception(answer)
            else:
                answered.set_result(answer)

    def _expect(self, came: int) -> None:
        """How many the next calls wait for, after so many have come."""
        was_worth = time.perf_counter() - self._since <= WORTH_S * max(1, came - 1)
        if self._answers_to_probe == 0:
            has_grown = was_worth and came >= self._expected
            self._probe_after = PROBE_FIRST if has_grown else min(2 * self._probe_after, PROBE_LAST)
            self._answers_to_probe = self._probe_after
        has_come_slowly = came >= self._expected and not was_worth
        self._expected = max(1, min(came - has_come_slowly, TOGETHER_MAX))
        self._answers_to_probe -= 1
        if self._answers_to_probe == 0:
            self._expected = min(self._expected + 1, TOGETHER_MAX)
