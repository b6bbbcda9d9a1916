"""The `dentry` table and its history: the names in directories.

Called by `vexfs.core`. Names are bytes, compared and ordered as bytes. Stateless.
"""

import json
from collections.abc import Iterable, Sequence

import apsw

from vexfs.core.types import DirectoryEntry, Ino, Node
from vexfs.store import nodes, reader, sqlite
from vexfs.store.log import Executes, Writes

_GET = "SELECT ino, born FROM dentry WHERE parent=? AND name=?"
_GET_MANY = "SELECT name, ino FROM dentry WHERE parent=? AND name IN (SELECT unhex(value) FROM json_each(?))"
_NAMES_UPWARD = (
    "WITH RECURSIVE up(ino) AS (SELECT value FROM json_each(?) UNION SELECT d.parent FROM up JOIN dentry d ON d.ino=up.ino)"
    " SELECT d.ino, d.parent, d.name FROM up JOIN dentry d ON d.ino=up.ino"
)
_GET_PAST = "SELECT ino, born FROM dentry_history WHERE parent=? AND name=? AND died>? ORDER BY died LIMIT 1"
_ADD = "INSERT INTO dentry VALUES(?, ?, ?, ?)"
_ADD_MANY = "INSERT INTO dentry SELECT ?1, value, ?2 + rowid - 1, ?3 FROM carray(?4)"
_KEEP = "INSERT OR IGNORE INTO dentry_history VALUES(?,?,?,?,?)"
_REMOVE = "DELETE FROM dentry WHERE parent=? AND name=?"
_MOVE = "UPDATE dentry SET parent=?, name=?, born=? WHERE parent=? AND name=?"
_LIST = "SELECT d.name, n.* FROM dentry d JOIN node n ON n.ino=d.ino WHERE d.parent=? AND d.name>? ORDER BY d.name LIMIT ?"
_LIST_PAST = """
SELECT name, ino FROM (
    SELECT name, ino FROM dentry WHERE parent=?1 AND name>?2 AND born<=?3
    UNION ALL
    SELECT name, ino FROM dentry_history WHERE parent=?1 AND name>?2 AND born<=?3 AND died>?3
) ORDER BY name LIMIT ?4"""


def get(view: "reader.Reader", parent: Ino, name: bytes) -> Ino | None:
    """Where that name leads, or None."""
    at_revision = view.at_revision
    for ino, born in view.execute(_GET, (parent, name)):
        if at_revision is None or born <= at_revision:
            return Ino(ino)
    if at_revision is None:
        return None
    for ino, born in view.execute(_GET_PAST, (parent, name, at_revision)):
        return Ino(ino) if born <= at_revision else None
    return None


def get_node(view: "reader.Reader", parent: Ino, name: bytes) -> Node | None:
    """The file that name leads to, or None; of the present in one statement."""
    if view.at_revision is None:
        return nodes.get_child(view, parent, name)
    ino = get(view, parent, name)
    return None if ino is None else nodes.get(view, ino)


def get_many(view: "reader.Reader", parent: Ino, names: Sequence[bytes]) -> dict[bytes, Ino]:
    """Where those of the names lead that are there; of the present in one statement."""
    if view.at_revision is not None:
        return {name: ino for name in names if (ino := get(view, parent, name)) is not None}
    asked = json.dumps([name.hex() for name in names])  # a name is any bytes, JSON is text
    return {name: Ino(ino) for name, ino in view.execute(_GET_MANY, (parent, asked))}


def add(txn: Executes, parent: Ino, name: bytes, ino: Ino, *, born: int) -> None:
    """A new name. Raises apsw.ConstraintError when it is taken."""
    txn.execute(_ADD, (parent, name, ino, born))


def add_many(txn: Executes, parent: Ino, names: Sequence[bytes], first_ino: int, *, born: int) -> None:
    """New names, at least one, for files with numbers from `first_ino` on. Raises as `add`."""
    txn.execute(_ADD_MANY, (parent, first_ino, born, apsw.carray(tuple(names))))


def remove(txn: Writes, parent: Ino, name: bytes, *, died: int, keep_from: int) -> None:
    """Delete a name, if it is there; its past stays in the history when it was born at or before `keep_from`."""
    for ino, born in txn.execute(_GET, (parent, name)).fetchall():
        remove_found(txn, parent, name, ino, born, died=died, keep_from=keep_from)


def remove_found(txn: Writes, parent: Ino, name: bytes, ino: Ino, born: int, *, died: int, keep_from: int) -> None:
    """As `remove`, of a name that is known to lead to `ino` since `born`."""
    txn.execute(_REMOVE, (parent, name))
    if born <= keep_from:
        txn.append(_KEEP, (parent, name, died, ino, born))


def move(
    txn: Writes, parent: Ino, name: bytes, ino: Ino, born: int, new_parent: Ino, new_name: bytes, *, moved: int, keep_from: int
) -> None:
    """Give a name that leads to `ino` since `born` another place at revision `moved`; its past stays as with `remove`.

    Raises apsw.ConstraintError, and has changed nothing, when the new name is taken.
    """
    txn.execute(_MOVE, (new_parent, new_name, moved, parent, name))
    if born <= keep_from:
        txn.append(_KEEP, (parent, name, moved, ino, born))


def list_page(view: "reader.Reader", parent: Ino, *, after: bytes, limit: int) -> list[DirectoryEntry]:
    """Up to `limit` entries with names above `after`, in byte order."""
    if view.at_revision is not None:
        return _list_past(view, parent, after, limit, view.at_revision)
    entry, node = DirectoryEntry._make, Node._make  # what a listing of 10^5 entries costs is spent here
    page = [entry((row[0], node(row[1:]))) for row in view.execute(_LIST, (parent, after, limit)).fetchall()]
    if touched := view.touched:
        return [entry((name, touched.get(found.ino, found))) for name, found in page]
    return page


def _list_past(view: "reader.Reader", parent: Ino, after: bytes, limit: int, at_revision: int) -> list[DirectoryEntry]:
    page = []
    for name, ino in view.execute(_LIST_PAST, (parent, after, at_revision, limit)).fetchall():
        node = nodes.get(view, ino)
        if node is not None:
            page.append(DirectoryEntry(name, node))
    return page


def is_empty(view: Executes, parent: Ino) -> bool:
    return not view.execute("SELECT 1 FROM dentry WHERE parent=? LIMIT 1", (parent,)).fetchall()


def names_of(view: Executes, ino: Ino) -> list[tuple[Ino, bytes]]:
    """Every (directory, name) that leads to the file now."""
    return [(Ino(parent), name) for parent, name in view.execute("SELECT parent, name FROM dentry WHERE ino=?", (ino,))]


def names_upward(view: Executes, inos: Iterable[int]) -> dict[int, list[tuple[Ino, bytes]]]:
    """As `names_of`, of all these files and of every directory above them, in one statement."""
    found: dict[int, list[tuple[Ino, bytes]]] = {}
    for ino, parent, name in view.execute(_NAMES_UPWARD, (sqlite.json_list(inos),)):
        found.setdefault(ino, []).append((Ino(parent), name))
    return found


def directories_below(view: Executes, ino: Ino) -> list[Ino]:
    """The directory and every directory below it, now."""
    rows = view.execute(
        "WITH RECURSIVE below(ino) AS (SELECT ? UNION ALL"
        " SELECT d.ino FROM below JOIN dentry d ON d.parent=below.ino JOIN node n ON n.ino=d.ino WHERE n.mode & 61440 = 16384)"
        " SELECT ino FROM below",
        (ino,),
    )
    return [Ino(row[0]) for row in rows]
