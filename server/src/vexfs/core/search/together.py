"""Brief searches of several threads, answered by one of them. Who does the work?

Used by the engine, in its callers' threads. The interpreter runs one thread at a time, and threads that take turns within their
searches, each with its own data in the processor's caches, answer a third less than one thread does. So a search is put where
the others wait, and the thread whose turn it is answers all that wait there; the others find their answers when it is theirs.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

TOGETHER_MAX = 16
"""So many are answered in one turn, so that nobody works long for others."""

Q = TypeVar("Q")
A = TypeVar("A")


class _Ticket(Generic[Q, A]):
    """A question on its way."""

    __slots__ = ("answer", "is_answered", "question")

    def __init__(self, question: Q) -> None:
        self.question = question
        self.is_answered = False
        self.answer: A | None = None


class Together(Generic[Q, A]):
    """Answers with `answer_all`, which gets at most TOGETHER_MAX questions and runs in one thread at a time."""

    def __init__(self, answer_all: Callable[[Sequence[Q]], Sequence[A]]) -> None:
        self._answer_all = answer_all
        self._turn = threading.Lock()
        self._waiting: deque[_Ticket[Q, A]] = deque()

    def ask(self, question: Q) -> A:
        """The answer. Raises what `answer_all` raises for this question alone."""
        ticket: _Ticket[Q, A] = _Ticket(question)
        self._waiting.append(ticket)
        with self._turn:
            if not ticket.is_answered:
                self._answer_with_others(ticket)
        answer: A = ticket.answer  # type: ignore[assignment]
        return answer

    def _answer_with_others(self, own: _Ticket[Q, A]) -> None:
        others: list[_Ticket[Q, A]] = []
        while self._waiting and len(others) < TOGETHER_MAX - 1:
            ticket = self._waiting.popleft()
            if ticket is not own and not ticket.is_answered:
                others.append(ticket)
        tickets = [own, *others]
        try:
            answers = self._answer_all([ticket.question for ticket in tickets])
        except Exception:
            if not others:
                raise
            self._waiting.extendleft(reversed(others))  # each hears from its own thread what is wrong with it
            tickets, answers = [own], self._answer_all([own.question])
        for ticket, answer in zip(tickets, answers, strict=True):
            ticket.answer, ticket.is_answered = answer, True
