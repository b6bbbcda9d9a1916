"""Threads that ask at the same time are answered by one of them, each with its own answer or error."""

import threading
import time
from collections.abc import Sequence

import pytest

from vexfs.core.search.together import TOGETHER_MAX, Together


class Asked:
    """Threads that ask for doubles while the first question is still worked on, and how many were answered at a time."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.running = 0
        self.go_on = threading.Event()
        self.together: Together[int, int] = Together(self.answer)
        self.heard: dict[int, int | str] = {}

    def answer(self, questions: Sequence[int]) -> list[int]:
        assert self.running == 0, "one thread works at a time"
        self.running += 1
        try:
            self.sizes.append(len(questions))
            assert self.go_on.wait(20)
            if any(question < 0 for question in questions):
                raise ValueError(str(sorted(questions)))
            return [2 * question for question in questions]
        finally:
            self.running -= 1

    def ask(self, question: int) -> None:
        try:
            self.heard[question] = self.together.ask(question)
        except ValueError as error:
            self.heard[question] = str(error)

    def ask_all(self, questions: Sequence[int]) -> None:
        """The first, and while it is worked on all others."""
        threads = [threading.Thread(target=self.ask, args=(question,)) for question in questions]
        threads[0].start()
        while not self.sizes:
            time.sleep(0.001)
        for thread in threads[1:]:
            thread.start()
        while len(self.together._waiting) < len(questions) - 1:
            time.sleep(0.001)
        self.go_on.set()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()


def test_what_waits_is_answered_at_once_and_each_hears_its_own_answer() -> None:
    asked = Asked()
    asked.ask_all(range(8))
    assert asked.heard == {question: 2 * question for question in range(8)}
    assert asked.sizes == [1, 7]


def test_nobody_works_long_for_others() -> None:
    asked = Asked()
    asked.ask_all(range(3 * TOGETHER_MAX))
    assert asked.heard == {question: 2 * question for question in range(3 * TOGETHER_MAX)}
    assert max(asked.sizes) == TOGETHER_MAX
    assert sum(asked.sizes) == 3 * TOGETHER_MAX


def test_an_error_is_heard_by_the_thread_that_asked_for_it_alone() -> None:
    asked = Asked()
    asked.ask_all([0, 1, 2, -5, 3, 4])
    assert asked.heard == {0: 0, 1: 2, 2: 4, 3: 6, 4: 8, -5: "[-5]"}


def test_a_thread_that_dies_at_work_leaves_the_others_to_themselves() -> None:
    dying = threading.Event()

    def answer(questions: Sequence[int]) -> list[int]:
        if not dying.is_set():
            dying.set()
            time.sleep(0.1)
            raise KeyboardInterrupt
        return [2 * question for question in questions]

    together: Together[int, int] = Together(answer)
    heard: list[int] = []

    def other() -> None:
        dying.wait()
        heard.append(together.ask(7))

    thread = threading.Thread(target=other)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        together.ask(1)
    thread.join(20)
    assert heard == [14]
