"""Rules of the tree: names, directories, link counts, files without a name."""

from collections.abc import Iterator

from vexfs.core.types import ROOT_INO, Ino
from vexfs.store import dentries, nodes
from vexfs.store.check.rule import Invariant, Problem
from vexfs.store.reader import Reader
from vexfs.store.writer import Transaction

LOST_AND_FOUND = b"lost+found"
_IS_DIRECTORY = "mode & 61440 = 16384"
_IS_SYMLINK = "mode & 61440 = 40960"
_REACHABLE = (
    "WITH RECURSIVE reachable(ino) AS (SELECT 1 UNION SELECT d.ino FROM reachable r JOIN dentry d ON d.parent=r.ino)"
    " SELECT ino, mode FROM node WHERE ino NOT IN reachable AND nlink>0 ORDER BY ino"
)


def _find_root(view: Reader) -> Iterator[Problem]:
    root = nodes.get(view, ROOT_INO)
    if root is None or not root.is_directory:
        yield Problem("/", "the root is missing or no directory")


def _make_root(txn: Transaction, _: Problem) -> None:
    now, old = txn.now_ns, nodes.get(txn, ROOT_INO)
    if old is not None:
        txn.usage.bytes -= old.size_bytes - old.hole_bytes
    txn.usage.files += old is None
    txn.execute(
        "INSERT OR REPLACE INTO node VALUES(1, 16877, 2, 0, 0, 0, 0, ?, ?, ?, ?, ?, ?, 0, 0)",
        (now, now, now, now, txn.revision, txn.revision),
    )


def _find_dangling_entry(view: Reader) -> Iterator[Problem]:
    sql = "SELECT parent, name, ino FROM dentry d WHERE NOT EXISTS(SELECT 1 FROM node WHERE ino=d.ino)"
    for parent, name, ino in view.execute(sql).fetchall():
        yield Problem(f"{name!r} in directory {parent}", f"leads to file {ino}, which does not exist", (parent, name))


def _find_entry_outside_directory(view: Reader) -> Iterator[Problem]:
    sql = f"SELECT parent, name FROM dentry d WHERE NOT EXISTS(SELECT 1 FROM node WHERE ino=d.parent AND {_IS_DIRECTORY})"
    for parent, name in view.execute(sql).fetchall():
        yield Problem(f"{name!r}", f"stands in {parent}, which is no directory", (parent, name))


def _remove_entry(txn: Transaction, problem: Problem) -> None:
    parent, name = problem.data
    dentries.remove(txn, parent, name, died=txn.revision, keep_from=txn.keep_from)


def _find_second_name(view: Reader) -> Iterator[Problem]:
    sql = (
        f"SELECT d.parent, d.name, d.ino FROM dentry d JOIN node n ON n.ino=d.ino WHERE n.{_IS_DIRECTORY}"
        " AND EXISTS(SELECT 1 FROM dentry o WHERE o.ino=d.ino AND (o.parent, o.name)<(d.parent, d.name))"
    )
    for parent, name, ino in view.execute(sql).fetchall():
        yield Problem(f"directory {ino}", f"has a second name {name!r}", (parent, name))


def _find_unreachable(view: Reader) -> Iterator[Problem]:
    """Each file that no way from the root leads to; of a whole lost tree only its top (or, in a circle, its lowest number)."""
    lost = {ino for ino, _ in view.execute(_REACHABLE).fetchall()}
    parents = {ino: [parent for parent, _ in dentries.names_of(view, Ino(ino)) if parent in lost] for ino in lost}
    tops = [ino for ino in lost if not parents[ino]]
    for ino in tops or ([min(lost)] if lost else []):
        yield Problem(f"file {ino}", "no name leads to it from the root", (ino,))


def _put_in_lost_and_found(txn: Transaction, problem: Problem) -> None:
    (ino,) = problem.data
    for parent, name in dentries.names_of(txn, ino):
        node = nodes.get(txn, ino)
        if node is not None and node.is_directory:
            dentries.remove(txn, parent, name, died=txn.revision, keep_from=txn.keep_from)
    dentries.add(txn, _lost_and_found(txn), b"file-%d" % ino, ino, born=txn.revision)


def _lost_and_found(txn: Transaction) -> Ino:
    found = dentries.get(txn, ROOT_INO, LOST_AND_FOUND)
    if found is not None:
        return found
    ino, now = txn.new_ino(), txn.now_ns
    txn.execute(
        "INSERT INTO node VALUES(?, 16832, 2, 0, 0, 0, 0, ?, ?, ?, ?, ?, ?, 0, 0)",
        (ino, now, now, now, now, txn.revision, txn.revision),
    )
    txn.usage.files += 1
    dentries.add(txn, ROOT_INO, LOST_AND_FOUND, ino, born=txn.revision)
    return ino


def _find_link_count(view: Reader) -> Iterator[Problem]:
    sql = (
        f"SELECT ino, nlink, CASE WHEN {_IS_DIRECTORY} THEN 2 + (SELECT count(*) FROM dentry d JOIN node c ON c.ino=d.ino"
        f" WHERE d.parent=n.ino AND c.{_IS_DIRECTORY}) ELSE (SELECT count(*) FROM dentry WHERE ino=n.ino) END AS names"
        " FROM node n WHERE nlink<>names"
    )
    for ino, nlink, names in view.execute(sql).fetchall():
        yield Problem(f"file {ino}", f"counts {nlink} links and has {names}", (ino, names))


def _set_link_count(txn: Transaction, problem: Problem) -> None:
    ino, names = problem.data
    txn.execute("UPDATE node SET nlink=?, revision=? WHERE ino=?", (names, txn.revision, ino))
    if names == 0:
        nodes.add_orphan(txn, ino, 0)


def _find_orphan_mismatch(view: Reader) -> Iterator[Problem]:
    for (ino,) in view.execute(
        "SELECT ino FROM orphan o WHERE NOT EXISTS(SELECT 1 FROM node WHERE ino=o.ino AND nlink=0)"
    ).fetchall():
        yield Problem(f"file {ino}", "is listed as open without a name, and is not", (ino, False))
    for (ino,) in view.execute(
        "SELECT ino FROM node n WHERE nlink=0 AND NOT EXISTS(SELECT 1 FROM orphan WHERE ino=n.ino)"
    ).fetchall():
        yield Problem(f"file {ino}", "has no name and nobody has it open", (ino, True))


def _settle_orphan(txn: Transaction, problem: Problem) -> None:
    ino, forgotten = problem.data
    node = nodes.get(txn, ino)
    if forgotten and node is not None:
        nodes.remove(txn, node, died=txn.revision, keep_from=txn.keep_from)
    else:
        nodes.remove_orphan(txn, ino)


def _find_symlink_without_target(view: Reader) -> Iterator[Problem]:
    sql = f"SELECT ino FROM node n WHERE {_IS_SYMLINK} AND NOT EXISTS(SELECT 1 FROM symlink WHERE ino=n.ino)"
    for (ino,) in view.execute(sql).fetchall():
        yield Problem(f"symbolic link {ino}", "has lost its target", (ino,))


def _give_target(txn: Transaction, problem: Problem) -> None:
    (ino,) = problem.data
    target = b"/lost+found/target-of-%d-was-lost" % ino
    nodes.put_symlink_target(txn, ino, target)
    old = nodes.get(txn, ino)
    txn.usage.bytes += len(target) - (0 if old is None else old.size_bytes)
    txn.execute("UPDATE node SET size_bytes=?, revision=? WHERE ino=?", (len(target), txn.revision, ino))


INVARIANTS = (
    Invariant("root-exists", "The root is there and is a directory.", _find_root, _make_root),
    Invariant("entry-leads-to-file", "Every name leads to a file that exists.", _find_dangling_entry, _remove_entry),
    Invariant("entry-in-directory", "Every name stands in a directory.", _find_entry_outside_directory, _remove_entry),
    Invariant("directory-one-name", "A directory has one name.", _find_second_name, _remove_entry),
    Invariant("reachable", "Every file with a link is reachable from the root.", _find_unreachable, _put_in_lost_and_found),
    Invariant(
        "link-count", "A file counts its names, a directory two and its subdirectories.", _find_link_count, _set_link_count
    ),
    Invariant("orphan-open", "A file without a name is listed as open, and no other.", _find_orphan_mismatch, _settle_orphan),
    Invariant("symlink-target", "Every symbolic link has a target.", _find_symlink_without_target, _give_target),
)
