"""Transactions and commits: the one writing connection of an opening.

Owned by `Volume`; used by one thread at a time (the mount's loop, or the write queue's thread). A transaction is one
operation: atomic, one revision, one row in the log. A commit is a group of transactions under one SQL COMMIT, written in
one turn. Never calls fsync: that is the Syncer's, after the turn was given back.

Order of a group: take the turn → BEGIN IMMEDIATE → read head and usage → (SAVEPOINT → rows → log row → RELEASE)* →
directories' times → appended rows → usage → COMMIT → leave the turn → ring. A crash anywhere before the COMMIT is whole in the
WAL leaves the state before the group.
"""

import logging
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import apsw

from vexfs.core.errors import Internal, Unavailable, VexfsError, VolumeFull, VolumeReadOnly
from vexfs.core.types import Change, Ino, Node, Revision
from vexfs.store import log, nodes, sqlite
from vexfs.store.blobs import BlobFolder
from vexfs.store.openings import OpenElsewhere
from vexfs.store.turn import Turn
from vexfs.store.usage import Usage

logger = logging.getLogger(__name__)

GROUP_MAX_NS = 10_000_000
"""Of a writer that is busy; the mount commits earlier when it has nothing to do."""
GROUP_MAX_NS_WAITED = 15_000_000
"""The most a holder keeps the turn while another writer waits; within it, as long as it last waited itself."""
GROUP_MIN_NS = 2_000_000
GROUP_MAX_OPERATIONS = 500
_INO_BATCH = 1024


class Transaction:
    """One operation being written; a context manager that ends it, or undoes it when the body raises.

    `revision` and `now_ns` are the operation's. Reads through it see the group's earlier operations.
    """

    __slots__ = (
        "_hidden",
        "_used",
        "append",
        "at_revision",
        "blobs",
        "changes",
        "execute",
        "execute_many",
        "keep_from",
        "now_ns",
        "operation",
        "revision",
        "touched",
        "usage",
        "writer",
    )

    def __init__(self, writer: "Writer", operation: str, revision: Revision) -> None:
        self.writer = writer
        self.operation = operation
        self.revision = revision
        self.now_ns = time.time_ns()
        self.changes: list[Change] = []
        self.execute: Callable[..., Any] = writer.execute
        self.execute_many: Callable[..., Any] = writer.execute_many
        self.append = writer.append
        self.touched = writer.touched
        self.usage = usage = writer.usage
        self._used = (usage.bytes, usage.files)
        self.blobs: BlobFolder = writer.blobs
        self.at_revision: int | None = None
        #: A version that was born after this revision needs no history: nobody can have seen it.
        self.keep_from: int = writer.group_base if writer.coalesce else revision - 1
        self._hidden: dict[int, Node | None] = {}

    def touch(self, node: Node) -> None:
        """A directory's new times and link count. The mount writes them once a group; elsewhere they are written at once."""
        if self.writer.coalesce:
            self._hidden.setdefault(node.ino, self.touched.get(node.ino))
            self.writer.touched[node.ino] = node
        else:
            nodes.write_touched(self, node, self.keep_from)

    def untouch(self, ino: int) -> None:
        """The row of `ino` is about to be written itself."""
        if ino in self.touched:
            self._hidden.setdefault(ino, self.writer.touched.pop(ino))

    def undo_touches(self) -> None:
        for ino, node in self._hidden.items():
            if node is None:
                self.writer.touched.pop(ino, None)
            else:
                self.writer.touched[ino] = node

    def undo_usage(self) -> None:
        self.usage.bytes, self.usage.files = self._used

    def note(self, change: Change) -> None:
        """Tell the views of one effect; it becomes part of the log row."""
        self.changes.append(change)

    def new_ino(self) -> Ino:
        """An inode number never used before."""
        return self.writer.new_ino()

    def new_inos(self, count: int) -> range:
        """So many of them, one after the other."""
        return self.writer.new_inos(count)

    def __enter__(self) -> "Transaction":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.writer.end(self)
        else:
            self.writer.abort(self)
            if isinstance(error, apsw.Error):
                raise self.writer.explain(error) from error


class Writer:
    """See the module. `coalesce` is for the mount: versions that arise inside one group are one version in the history."""

    at_revision: int | None = None

    def __init__(
        self,
        connection: apsw.Connection,
        turn: Turn,
        blobs: BlobFolder,
        openings: OpenElsewhere,
        *,
        origin: int,
        coalesce: bool,
        on_commit: Callable[[Revision], None],
    ) -> None:
        self._connection = connection
        self._turn = turn
        self._openings = openings
        self._on_commit = on_commit
        self.origin = origin
        #: Since when this opening has waited for the turn, of time.monotonic.
        self.asked_s: float | None = None
        self._last_wait_ns = 0
        self._began_ns = 0
        self._operations = 0
        self._ino_next = 0
        self._ino_end = 0
        self._changes_before = 0
        self._head = 0
        self._failure: VexfsError | None = None
        self.execute: Callable[..., Any] = connection.execute
        self.execute_many: Callable[..., Any] = connection.executemany
        #: Insert a row that nobody reads before the commit, of the history or the log; after the change it belongs to, so that
        #: `abort` sees that one. The mount, whose operations are many and small, inserts them together at the commit.
        self.append: Callable[[str, tuple[Any, ...]], object] = self._append if coalesce else connection.execute
        self._appended: dict[str, list[tuple[Any, ...]]] = {}
        self.blobs = blobs
        self.touched: dict[int, Node] = {}
        self.usage = Usage()
        self.usage.load(self)
        self.coalesce = coalesce
        self.group_open = False
        #: Revision before the open group; rows born above it were born inside the group.
        self.group_base = Revision(0)
        #: Called after a whole group was lost, with the reason; the mount drops its caches then.
        self.on_group_lost: Callable[[VexfsError], None] = lambda _: None

    # -- one operation ---------------------------------------------------------------------------

    def begin(self, operation: str) -> Transaction:
        """Start an operation, taking the turn when no group is open.

        Raises VolumeReadOnly after a failure that made the volume read-only.
        """
        if not self.group_open:
            self._open_group()
        if self.coalesce:
            self._changes_before = self._connection.total_changes()
        else:
            self.execute("SAVEPOINT operation")
        return Transaction(self, operation, Revision(self._head + 1))

    def end(self, transaction: Transaction) -> Revision:
        """Close the operation: its log row is written, its revision taken."""
        try:
            self.append(
                log.APPEND,
                (
                    transaction.revision,
                    transaction.keep_from,
                    transaction.now_ns,
                    transaction.operation,
                    self.origin,
                    log.pack(transaction.changes),
                ),
            )
            if not self.coalesce:
                self.execute("RELEASE operation")
        except apsw.Error as error:
            self.abort(transaction)
            raise self.explain(error) from error
        self._head = transaction.revision
        self._operations += 1
        return transaction.revision

    def abort(self, transaction: Transaction) -> None:
        """Undo the operation; the group's earlier ones stay. Its revision is free for the next.

        The mount saves the savepoint, a fifth of a create: the operations of `vexfs.core` raise before they write their first
        row, so there is nothing to undo. Should one have written all the same, its whole group is given up.
        """
        if not self._connection.in_transaction:
            return
        transaction.undo_touches()
        transaction.undo_usage()
        if self.coalesce:
            if self._connection.total_changes() != self._changes_before:
                self._lose_group(Internal(f"{transaction.operation} failed halfway"), read_only=False)
            return
        self.execute("ROLLBACK TO operation")
        self.execute("RELEASE operation")
        # The reservation may have been made inside the operation and be undone with it.
        self._ino_end = self._ino_next = 0

    def explain(self, error: apsw.Error) -> VexfsError:
        """The domain error of an SQLite error inside an operation; gives up the group when SQLite did so itself."""
        meaning = sqlite.translate(error)
        if self.group_open and not self._connection.in_transaction:
            self._lose_group(meaning)
        return meaning

    # -- the group -------------------------------------------------------------------------------

    def must_commit(self, now_ns: int) -> bool:
        """Whether the open group has to be committed now (`now_ns` from time.monotonic_ns)."""
        if not self.group_open:
            return False
        age_ns = now_ns - self._began_ns
        if age_ns >= GROUP_MAX_NS_WAITED or self._operations >= GROUP_MAX_OPERATIONS:
            return True
        if age_ns < GROUP_MIN_NS:
            return False
        if self._turn.somebody_waits():
            return age_ns >= min(max(GROUP_MIN_NS, self._last_wait_ns), GROUP_MAX_NS_WAITED)
        return age_ns >= GROUP_MAX_NS

    def commit(self) -> Revision | None:
        """Commit the open group; returns its last revision, None when there was nothing to commit.

        On failure the group is lost as a whole, the volume turns read-only unless only the disk was full, and the error
        says why.
        """
        if not self.group_open:
            return None
        if self._operations == 0:
            self._rollback()
            self._close_group()
            return None
        try:
            self._write_touched()
            self._write_appended()
            self.usage.save(self)
            self.execute("COMMIT")
        except apsw.Error as error:
            meaning = sqlite.translate(error)
            self._lose_group(meaning)
            raise meaning from error
        head = Revision(self._head)
        self._close_group()
        self._on_commit(head)
        return head

    def roll_back_group(self) -> None:
        """Forget the open group; for a write queue whose group has to be done again one by one."""
        if self.group_open:
            self._rollback()
            self._close_group()

    def fail(self, reason: VexfsError) -> None:
        """Turn read-only: nothing is written from here on."""
        self._failure = reason

    @property
    def failure(self) -> VexfsError | None:
        """Why this opening takes no writes, or None."""
        return self._failure

    @property
    def head(self) -> int:
        """The newest revision this writer knows of, those of its open group included."""
        return self._head

    def new_ino(self) -> Ino:
        if self._ino_next >= self._ino_end:
            self._reserve_inos(_INO_BATCH)
        self._ino_next += 1
        return Ino(self._ino_next - 1)

    def new_inos(self, count: int) -> range:
        if self._ino_end - self._ino_next < count:
            self._reserve_inos(max(_INO_BATCH, count))
        self._ino_next += count
        return range(self._ino_next - count, self._ino_next)

    def _reserve_inos(self, count: int) -> None:
        """In the group's own transaction, so that a lost group loses the reservation with it; what was left is passed over."""
        rows = self.execute("UPDATE meta SET value=value+? WHERE key='next_ino' RETURNING value", (count,)).fetchall()
        self._changes_before += 1  # a reservation stays when the operation that made it is refused
        self._ino_end = rows[0][0]
        self._ino_next = self._ino_end - count

    def holder(self, ino: int) -> int | None:
        """The origin of another opening that has the file open, or None. Inside a transaction."""
        return self._openings.holder(ino, self._began_ns)

    def keeps(self, ino: int, origin: int) -> bool:
        """Whether the opening `origin` lives and may have the file open. Inside a transaction."""
        return self._openings.keeps(ino, origin, self._began_ns)

    def close(self) -> None:
        """Commit what is open and close the connection; idempotent."""
        try:
            if self._failure is None:
                self.commit()
        finally:
            self.roll_back_group()
            self._failure = self._failure or Unavailable("the volume is closed")
            self._openings.close()
            self._connection.close()

    def _open_group(self) -> None:
        if self._failure is not None:
            raise VolumeReadOnly(f"the volume takes no writes since this failed: {self._failure.message}") from self._failure
        asked_ns = time.monotonic_ns()
        self.asked_s = asked_ns / 1e9
        try:
            self._turn.take()
        finally:
            self.asked_s = None
        self._began_ns = time.monotonic_ns()
        self._last_wait_ns = self._began_ns - asked_ns
        try:
            self.execute("BEGIN IMMEDIATE")
            self._head = log.head(self)
            self.usage.load(self)
        except BaseException as error:
            self._rollback()
            self._turn.leave()
            if isinstance(error, apsw.Error):
                raise sqlite.translate(error) from error
            raise
        self.group_base = Revision(self._head)
        self._operations = 0
        self.group_open = True

    def _write_touched(self) -> None:
        for node in self.touched.values():
            nodes.write_touched(self, node, self.group_base)
        self.touched.clear()

    def _append(self, sql: str, row: tuple[Any, ...]) -> None:
        rows = self._appended.get(sql)
        if rows is None:
            self._appended[sql] = [row]
        else:
            rows.append(row)

    def _write_appended(self) -> None:
        for sql, rows in self._appended.items():
            self._connection.executemany(sql, rows)
        self._appended.clear()

    def _close_group(self) -> None:
        self.group_open = False
        self.touched.clear()
        self._appended.clear()
        self._turn.leave()

    def _rollback(self) -> None:
        if self._connection.in_transaction:
            self.execute("ROLLBACK")
        self._ino_end = self._ino_next = 0

    def _lose_group(self, reason: VexfsError, *, read_only: bool = True) -> None:
        """Give up everything since the last commit; a full disk leaves the volume writable."""
        logger.error("a commit was lost", extra={"reason": reason.reason, "operations": self._operations})
        try:
            self._rollback()
        except apsw.Error:
            self.fail(reason)
        if read_only and not isinstance(reason, VolumeFull):
            self.fail(reason)
        self._close_group()
        self.on_group_lost(reason)
