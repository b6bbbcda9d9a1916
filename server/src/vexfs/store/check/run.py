"""Running the rules over a volume."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from vexfs.core.errors import VexfsError
from vexfs.store.check import contents, database, payload, tree, usage
from vexfs.store.check.rule import Invariant, Problem
from vexfs.store.volume import Volume

#: In the order in which they are checked and repaired.
INVARIANTS: tuple[Invariant, ...] = (
    *database.INVARIANTS,
    *tree.INVARIANTS,
    *contents.INVARIANTS,
    *payload.INVARIANTS,
    *usage.INVARIANTS,
)

_ROUNDS_MAX = 4
"""A repair may uncover a problem of an earlier rule (an entry removed leaves a file without a name)."""


class Finding(NamedTuple):
    """One broken rule at one place. `repaired` is False when repair was not asked for, or failed with `error`."""

    invariant: str
    subject: str
    message: str
    repaired: bool = False
    error: str = ""


def check_volume(
    folder: Path, *, repair: bool = False, deep: bool = False, progress: Callable[[str], None] = lambda _: None
) -> list[Finding]:
    """Check the volume in `folder`; `progress` hears each rule's name as it begins.

    `deep` also compares every blob with its hash. With `repair` nothing else may have the volume open (the command takes the
    server's lock). Raises NotFound, FormatTooNew.
    """
    with Volume.open(folder, "check") as volume:
        if not repair:
            return list(_find_all(volume, deep, progress))
        findings: list[Finding] = []
        for _ in range(_ROUNDS_MAX):
            found = [_repair(volume, invariant, problem) for invariant, problem in _problems(volume, deep, progress)]
            if not found:
                break
            findings += found
        return findings


def _find_all(volume: Volume, deep: bool, progress: Callable[[str], None]) -> Iterator[Finding]:
    for invariant, problem in _problems(volume, deep, progress):
        yield Finding(invariant.name, problem.subject, problem.message)


def _problems(volume: Volume, deep: bool, progress: Callable[[str], None]) -> Iterator[tuple[Invariant, Problem]]:
    for invariant in INVARIANTS:
        if invariant.deep and not deep:
            continue
        progress(invariant.name)
        with volume.snapshot() as view:
            problems = list(invariant.find(view))
        for problem in problems:
            yield invariant, problem


def _repair(volume: Volume, invariant: Invariant, problem: Problem) -> Finding:
    try:
        volume.queue.submit("repair", lambda txn: invariant.repair(txn, problem)).result()
    except VexfsError as error:
        return Finding(invariant.name, problem.subject, problem.message, False, error.message)
    return Finding(invariant.name, problem.subject, problem.message, True)
