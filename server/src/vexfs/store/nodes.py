"""The `node` table and its history: one row a file.

Called by `vexfs.core`. Functions take the view or transaction first; no state of their own. Every row that comes, changes or
goes is counted in the transaction's `usage`. Rules about what a change means (times, link counts) are the core's.
"""

from array import array
from collections.abc import Sequence

import apsw

from vexfs.core.types import Ino, Node
from vexfs.store import reader, sqlite
from vexfs.store.log import Executes, Writes

COLUMNS = ", ".join(Node._fields)

# Long lists of columns cost: apsw finds a prepared statement by its text, and these run for every file operation.
_GET = "SELECT * FROM node WHERE ino=?"
_GET_PAST = f"SELECT {COLUMNS} FROM node_history WHERE ino=? AND died>? ORDER BY died LIMIT 1"
_GET_MANY = "SELECT * FROM node WHERE ino IN (SELECT value FROM json_each(?))"
_KEEP = "INSERT OR IGNORE INTO node_history VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
_PUT = "REPLACE INTO node VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
_INSERT = "INSERT INTO node VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
_INSERT_ALIKE = f"INSERT INTO node SELECT value{',?' * (len(Node._fields) - 1)} FROM carray(?)"
_REMOVE = "DELETE FROM node WHERE ino=?"

# A join takes five times as long as these subqueries.
_CHILD = "SELECT * FROM node WHERE ino=(SELECT ino FROM dentry WHERE parent=? AND name=?)"
_ENTRY = (
    "SELECT (SELECT born FROM dentry WHERE parent=?1 AND name=?2), * FROM node"
    " WHERE ino=(SELECT ino FROM dentry WHERE parent=?1 AND name=?2)"
)

_make = Node._make


def get(view: "reader.Reader", ino: int) -> Node | None:
    """The file of that number as `view` sees it, or None."""
    touched = view.touched.get(ino)
    if touched is not None:
        return touched
    at_revision = view.at_revision
    for row in view.execute(_GET, (ino,)):
        node = _make(row)
        if at_revision is None or node.revision <= at_revision:
            return node
    if at_revision is None:
        return None
    for row in view.execute(_GET_PAST, (ino, at_revision)):
        node = _make(row)
        return node if node.revision <= at_revision else None
    return None


def get_many(view: "reader.Reader", inos: Sequence[int]) -> dict[int, Node]:
    """Those of the files that exist, as `view` sees them; of the present in one statement."""
    if view.at_revision is not None:
        return {ino: node for ino in inos if (node := get(view, ino)) is not None}
    touched = view.touched
    found = {row[0]: _make(row) for row in view.execute(_GET_MANY, (sqlite.json_list(inos),))}
    return {ino: touched.get(ino, node) for ino, node in found.items()} if touched else found


def get_child(view: "reader.Reader", parent: Ino, name: bytes) -> Node | None:
    """Where a name leads now, in one statement; for views of the present (`dentries.get` and `get` serve the past)."""
    for row in view.execute(_CHILD, (parent, name)):
        touched = view.touched.get(row[0])
        return _make(row) if touched is None else touched
    return None


def get_entry(view: "reader.Reader", parent: Ino, name: bytes) -> tuple[Node, int] | None:
    """As `get_child`, with the revision at which the name was born: for who is about to change the name."""
    for row in view.execute(_ENTRY, (parent, name)):
        touched = view.touched.get(row[1])
        return (_make(row[1:]) if touched is None else touched), row[0]
    return None


def insert(txn: Writes, node: Node) -> None:
    """A new file."""
    txn.execute(_INSERT, node)
    usage = txn.usage
    usage.files += 1
    usage.bytes += node.size_bytes


def insert_alike(txn: Writes, node: Node, inos: Sequence[int]) -> None:
    """New files that differ from `node` by their numbers alone; at least one."""
    txn.execute(_INSERT_ALIKE, (*node[1:], apsw.carray(array("q", inos))))
    txn.usage.files += len(inos)
    txn.usage.bytes += len(inos) * node.size_bytes


def write_row(txn: Writes, node: Node, old: Node, keep_from: int) -> None:
    """Replace the row `old` by `node`; the old version goes to the history when it was born at or before revision `keep_from`.

    `old` is the row as it stands in the table.
    """
    txn.execute(_PUT, node)
    txn.usage.bytes += node.size_bytes - node.hole_bytes - old.size_bytes + old.hole_bytes
    if old.revision <= keep_from:
        txn.append(_KEEP, (old.ino, node.revision, *old[1:]))


def write_touched(txn: Writes, node: Node, keep_from: int) -> None:
    """As `write_row`, for a directory whose row may be older than what the caller knew of it."""
    for row in txn.execute(_GET, (node.ino,)).fetchall():
        write_row(txn, node, _make(row), keep_from)


def remove(txn: Writes, old: Node, *, died: int, keep_from: int) -> None:
    """Delete the row `old`, keeping it in the history when it was born at or before `keep_from`."""
    txn.execute(_REMOVE, (old.ino,))
    txn.usage.files -= 1
    txn.usage.bytes -= old.size_bytes - old.hole_bytes
    if old.revision <= keep_from:
        txn.append(_KEEP, (old.ino, died, *old[1:]))


def put_symlink_target(txn: Executes, ino: Ino, target: bytes) -> None:
    txn.execute("INSERT INTO symlink VALUES(?, ?)", (ino, target))


def symlink_target(view: Executes, ino: Ino) -> bytes | None:
    for (target,) in view.execute("SELECT target FROM symlink WHERE ino=?", (ino,)):
        return bytes(target)
    return None


def add_orphan(txn: Executes, ino: Ino, origin: int) -> None:
    """Remember that `origin` has this file open although no name leads to it."""
    txn.execute("INSERT OR REPLACE INTO orphan VALUES(?, ?)", (ino, origin))


def remove_orphan(txn: Executes, ino: Ino) -> None:
    txn.execute("DELETE FROM orphan WHERE ino=?", (ino,))


def orphans(view: Executes) -> list[tuple[int, int]]:
    """(ino, origin) of every file that is open somewhere without a name."""
    return [(ino, origin) for ino, origin in view.execute("SELECT ino, origin FROM orphan")]
