"""What an answer shows of many files that were found: their rows, names and metadata, in one statement.

Called by `vexfs.core.search`, on a snapshot of the present; for the past and for transactions there are `nodes`, `dentries` and
`versioned`, whose tables these are. Stateless.
"""

from array import array
from collections.abc import Sequence
from typing import NamedTuple

import apsw

from vexfs.core.types import Ino, Node
from vexfs.store.reader import Snapshot

_WIDTH = len(Node._fields)
_NAMES = "FROM carray(?1) a JOIN node n ON n.ino=a.value LEFT JOIN dentry d ON d.ino=n.ino"
_FOUND = f"SELECT n.*, d.parent, d.name, NULL {_NAMES}"
_FOUND_WITH_METADATA = (
    "SELECT n.*, d.parent, d.name, (SELECT json FROM metadata m WHERE m.ino=n.ino AND m.born<=?2 ORDER BY m.born DESC LIMIT 1) "
    + _NAMES
)


class FoundFile(NamedTuple):
    """A file that is there, as the snapshot shows it."""

    node: Node
    names: list[tuple[Ino, bytes]]
    """Every (directory, name) that leads to it."""
    metadata: str | None
    """JSON; None when it has none, or was not asked for."""


def read(view: Snapshot, inos: Sequence[int], *, with_metadata: bool) -> dict[int, FoundFile]:
    """Those of the files that exist, by their numbers."""
    listed = apsw.carray(array("q", inos))
    rows = view.execute(_FOUND_WITH_METADATA, (listed, view.revision)) if with_metadata else view.execute(_FOUND, (listed,))
    found: dict[int, FoundFile] = {}
    for row in rows:
        parent, name, metadata = row[_WIDTH:]
        names = [] if parent is None else [(parent, name)]
        known = found.get(row[0])
        if known is None:
            found[row[0]] = FoundFile(Node._make(row[:_WIDTH]), names, metadata)
        else:
            known.names.extend(names)
    return found
