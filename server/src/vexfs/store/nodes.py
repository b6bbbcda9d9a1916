"""The `node` table and its history: one row a file.

Called by `vexfs.core`. Functions take the view or transaction first; no state of their own. Rules about what a change means
(times, link counts) are the core's.
"""

from vexfs.core.types import Ino, Node
from vexfs.store import reader
from vexfs.store.log import Executes

_COLUMNS = "ino, mode, nlink, uid, gid, rdev, size_bytes, atime_ns, mtime_ns, ctime_ns, btime_ns, revision, content_revision"
_WITHOUT_INO = _COLUMNS.removeprefix("ino, ")

_GET = f"SELECT {_COLUMNS} FROM node WHERE ino=?"
_GET_PAST = f"SELECT {_COLUMNS} FROM node_history WHERE ino=? AND died>? ORDER BY died LIMIT 1"
_KEEP = (
    f"INSERT OR IGNORE INTO node_history(ino, died, {_WITHOUT_INO})"
    f" SELECT ino, ?, {_WITHOUT_INO} FROM node WHERE ino=? AND revision<=?"
)
_PUT = f"INSERT OR REPLACE INTO node({_COLUMNS}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT = f"INSERT INTO node({_COLUMNS}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_REMOVE = "DELETE FROM node WHERE ino=?"

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


def insert(txn: Executes, node: Node) -> None:
    """A new file."""
    txn.execute(_INSERT, node)


def write_row(txn: Executes, node: Node, keep_from: int) -> None:
    """Replace the row of `node.ino`; the old version goes to the history when it was born at or before revision `keep_from`."""
    txn.execute(_KEEP, (node.revision, node.ino, keep_from))
    txn.execute(_PUT, node)


def remove(txn: Executes, ino: Ino, *, died: int, keep_from: int) -> None:
    """Delete the row, keeping its last version in the history."""
    txn.execute(_KEEP, (died, ino, keep_from))
    txn.execute(_REMOVE, (ino,))


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
