"""Brief searches of several threads, answered by one of them. Who does the work?

Used by the engine, in its callers' threads. The interpreter runs one thread at a time, and threads that take turns within their
searches, each with its own data in the processor's caches, answer a third less than one thread does. So one thread leads: it
answers what waits together with its own question, and then the one that has waited longest leads. Those that were answered
may ask again meanwhile.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

TOGETHER_MAX = 16
"""So many are answered by one leader, so that nobody works long for others."""

Q = TypeVar("Q")
A = TypeVar("A")


class _Ticket(Generic[Q, A]):
    """A question on its way."""

    __slots__ = ("answer", "is_answered", "leads", "question", "woken")

    def __init__(self, question: Q) -> None:
        self.question = question
        self.is_answered = False
        self.answer: A | None = None
        self.leads = False
        self.woken = threading.Lock()
        """Held until there is an answer, or it is this one's turn to lead."""
        self.woken.acquire()


class Together(Generic[Q, A]):
    """Answers with `answer_all`, which gets at most TOGETHER_MAX questions and runs in one thread at a time."""

    def __init__(self, answer_all: Callable[[Sequence[Q]], Sequence[A]]) -> None:
        self._answer_all = answer_all
        self._mutex = threading.Lock()
        self._waiting: deque[_Ticket[Q, A]] = deque()
        self._is_led = False

    def ask(self, question: Q) -> A:
        """The answer. Raises what `answer_all` raises for this question alone."""
        ticket: _Ticket[Q, A] = _Ticket(question)
        with self._mutex:
            ticket.leads = not self._is_led
            self._is_led = True
            if not ticket.leads:
                self._waiting.append(ticket)
        if not ticket.leads:
            self._wait(ticket)
        if not ticket.is_answered:
            self._lead(ticket)
        answer: A = ticket.answer  # type: ignore[assignment]
        return answer

    def _wait(self, ticket: _Ticket[Q, A]) -> None:
        try:
            ticket.woken.acquire()
        except BaseException:  # such as KeyboardInterrupt: nobody may wait for this thread
            with self._mutex:
                was_to_lead = ticket.leads
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
            if was_to_lead:
                self._pass_on()
            raise

    def _lead(self, own: _Ticket[Q, A]) -> None:
        with self._mutex:
            others = [self._waiting.popleft() for _ in range(min(len(self._waiting), TOGETHER_MAX - 1))]
        try:
            self._answer([own, *others])
        except BaseException as error:
            with self._mutex:
                self._waiting.extendleft(reversed(others))  # each hears from its own thread what is wrong with it
            if not others or not isinstance(error, Exception):
                raise
            self._answer([own])
        finally:
            self._pass_on()

    def _answer(self, tickets: Sequence[_Ticket[Q, A]]) -> None:
        answers = self._answer_all([ticket.question for ticket in tickets])
        for ticket, answer in zip(tickets, answers, strict=True):
            ticket.answer, ticket.is_answered = answer, True
            ticket.woken.release()

    def _pass_on(self) -> None:
        with self._mutex:
            following = self._waiting.popleft() if self._waiting else None
            self._is_led = following is not None
            if following is not None:
                following.leads = True
                following.woken.release()
