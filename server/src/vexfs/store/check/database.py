"""Rules of the database as a whole: SQLite's own structure, the log, revisions, inode numbers."""

from collections.abc import Iterator

from vexfs.store import history, log
from vexfs.store.check.rule import Invariant, Problem
from vexfs.store.reader import Reader
from vexfs.store.writer import Transaction

#: Columns that hold the revision at which a row came to be.
_BORN = (
    ("node", "revision"),
    ("dentry", "born"),
    ("chunk", "born"),
    ("extent", "born"),
    ("xattr", "born"),
    ("metadata", "born"),
    ("vector", "born"),
    ("collection", "born"),
)


def _find_damage(view: Reader) -> Iterator[Problem]:
    for (message,) in view.execute("PRAGMA integrity_check(20)").fetchall():
        if message != "ok":
            yield Problem("database", str(message))


def _reindex(txn: Transaction, _: Problem) -> None:
    """Indexes can be made again from their tables; a damaged table needs a backup."""
    txn.execute("REINDEX")


def _find_log_gap(view: Reader) -> Iterator[Problem]:
    floor = history.floor(view)
    lowest, highest, count = view.execute("SELECT min(revision), max(revision), count(*) FROM log").fetchall()[0]
    if count == 0 or (lowest == floor + 1 and highest - lowest + 1 == count):
        return
    gaps = view.execute(
        "SELECT max(revision) FROM log l WHERE revision>?1 AND NOT EXISTS(SELECT 1 FROM log WHERE revision=l.revision-1)",
        (floor,),
    ).fetchall()
    first_after_gap = max(gaps[0][0] or lowest, lowest)
    yield Problem("log", f"revisions are missing before {first_after_gap}", (first_after_gap - 1,))


def _raise_floor(txn: Transaction, problem: Problem) -> None:
    """What led to the gap cannot be shown or followed any more; views behind it rebuild."""
    (floor,) = problem.data
    txn.execute("DELETE FROM log WHERE revision<=?", (floor,))
    txn.execute("UPDATE meta SET value=? WHERE key='history_floor'", (floor,))


def _find_future_rows(view: Reader) -> Iterator[Problem]:
    head = log.head(view)
    for table, column in _BORN:
        count = view.execute(f"SELECT count(*) FROM {table} WHERE {column}>?", (head,)).fetchall()[0][0]
        if count:
            yield Problem(table, f"{count} rows are newer than the log's head {head}", (table, column, head))


def _bring_back(txn: Transaction, problem: Problem) -> None:
    table, column, head = problem.data
    txn.execute(f"UPDATE OR REPLACE {table} SET {column}=?1 WHERE {column}>?2", (txn.revision, head))


def _find_reusable_ino(view: Reader) -> Iterator[Problem]:
    next_ino = view.execute("SELECT value FROM meta WHERE key='next_ino'").fetchall()[0][0]
    used = view.execute(
        "SELECT max(i) FROM (SELECT max(ino) i FROM node UNION ALL SELECT max(ino) FROM node_history)"
    ).fetchall()[0][0]
    if next_ino <= used:
        yield Problem("next inode number", f"{next_ino} was given to a file already", (used + 1,))


def _advance_ino(txn: Transaction, problem: Problem) -> None:
    txn.execute("UPDATE meta SET value=max(value, ?) WHERE key='next_ino'", problem.data)


def _find_disordered_history(view: Reader) -> Iterator[Problem]:
    head = log.head(view)
    for table, born in (("node_history", "revision"), ("dentry_history", "born")):
        sql = f"SELECT count(*) FROM {table} WHERE {born}>=died OR died>?"
        count = view.execute(sql, (head,)).fetchall()[0][0]
        if count:
            yield Problem(table, f"{count} past versions end before they begin, or in the future", (table, born, head))


def _delete_disordered(txn: Transaction, problem: Problem) -> None:
    table, born, head = problem.data
    txn.execute(f"DELETE FROM {table} WHERE {born}>=died OR died>?", (head,))


INVARIANTS = (
    Invariant("database-sound", "SQLite's own structures are intact.", _find_damage, _reindex),
    Invariant("log-gapless", "The log holds every revision from the history floor to the head.", _find_log_gap, _raise_floor),
    Invariant("revisions-bounded", "No row is newer than the log's head.", _find_future_rows, _bring_back),
    Invariant("ino-never-reused", "The next inode number is above every one ever used.", _find_reusable_ino, _advance_ino),
    Invariant(
        "history-ordered",
        "A past version ends after it begins, at or before the head.",
        _find_disordered_history,
        _delete_disordered,
    ),
)
