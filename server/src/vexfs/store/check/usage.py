"""The rule of usage: what the volume counts as its own is what is there. Comes last, because other repairs change what is."""

from collections.abc import Iterator

from vexfs.store import usage
from vexfs.store.check.rule import Invariant, Problem
from vexfs.store.reader import Reader
from vexfs.store.writer import Transaction


def _find_wrong_usage(view: Reader) -> Iterator[Problem]:
    said = usage.read(view)
    held_bytes, held_files = view.execute(usage.RECOUNT).fetchall()[0]
    if (said.bytes, said.files) != (held_bytes, held_files):
        message = f"says {said.bytes} bytes in {said.files} files, and holds {held_bytes} in {held_files}"
        yield Problem("the volume", message)


def _count_usage(txn: Transaction, _: Problem) -> None:
    """The writer's counts become right, and it saves them with its commit."""
    txn.usage.bytes, txn.usage.files = txn.execute(usage.RECOUNT).fetchall()[0]


INVARIANTS = (
    Invariant("usage-counted", "The volume counts its files and the bytes they hold.", _find_wrong_usage, _count_usage),
)
