"""What a rule is: its statement, how to find what breaks it, and how to mend that."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from vexfs.store.reader import Reader
from vexfs.store.writer import Transaction


class Problem(NamedTuple):
    """One place where a rule is broken. `data` is what the rule's repair needs to know."""

    subject: str
    """What is wrong, for people: a file id, a blob, a name."""
    message: str
    data: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Invariant:
    """`name` stands in docs/INVARIANTS.md. `deep` rules read all content and run only when asked."""

    name: str
    statement: str
    find: Callable[[Reader], Iterator[Problem]]
    repair: Callable[[Transaction, Problem], None]
    deep: bool = False
