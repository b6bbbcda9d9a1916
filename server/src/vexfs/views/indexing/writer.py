"""The one writer of `derived.db`; only the indexer process makes one.

Threads: any thread of the indexer may call it; each method is one transaction behind one lock and takes milliseconds.
Readers in other processes see whole transactions.

Durability: the file is written without waiting for the disk outside its checkpoints and `sync`, which whoever makes something
durable of its rows waits for first. A power cut can take it back a few seconds or, together with the volume, leave it ahead of
the volume's log; the indexer notices the latter by `log_mark` and `seen_mark`. A file that was removed under the writer is
noticed by `lost`, and the owner opens a new writer: everything is derived again.
"""

import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from vexfs.core.types import Ino, Revision
from vexfs.store.doorbell import Doorbell
from vexfs.store.durability import Syncer
from vexfs.views import derived

FRESH_LANE = 0
BULK_LANE = 1
_DOCUMENT_LANES = 2
"""A file that waits for the reader of documents stands in its lane and so much more, out of the way of all others."""
FRESH_PASSAGES = 16
"""Of a file in the fresh lane; what it has beyond is bulk."""
_PENDING_FILE = f"SELECT ino, lane % {_DOCUMENT_LANES}, first_revision, last_revision, due_ns FROM pending_file"
CHANGES_KEPT = 200_000
"""Rows of the change log; a reader further behind loads everything again."""


class PassageText(NamedTuple):
    """A passage to be stored; its ordinal is its place in the list."""

    start_byte: int
    end_byte: int
    start_line: int
    end_line: int
    text_key: bytes
    text: str


class PendingFile(NamedTuple):
    """A file that waits to be indexed. Revisions are those of the changes that put it here; `due_ns` is wall-clock time."""

    ino: Ino
    lane: int
    first_revision: Revision
    last_revision: Revision
    due_ns: int


class PendingText(NamedTuple):
    text_key: bytes
    lane: int
    text: str


class DerivedWriter:
    """Owns the read-write connection. `folder` is the volume's `derived` folder; it is made when missing."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._path = folder / derived.DATABASE_NAME
        self._lock = threading.RLock()
        self._connection, self.incarnation, self.created = _open(self._path)
        status = self._path.stat()
        self._identity = (status.st_dev, status.st_ino)
        self._writes_since_trim = 0
        self._doorbell = Doorbell(folder, secrets.randbits(62))
        self._syncer = Syncer(self._path, "derived", lambda _: None)
        self._depth = 0
        self._announced = False

    def close(self) -> None:
        """Idempotent; the last close checkpoints the file."""
        with self._lock:
            self._connection.close()
            self._doorbell.close()
            self._syncer.close()

    def lost(self) -> bool:
        """Whether the file at the path is no longer the one that is open."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return True
        return (status.st_dev, status.st_ino) != self._identity

    def sync(self) -> None:
        """Returns when everything committed so far is on the disk. Raises DataLoss when the disk refuses."""
        self._syncer.sync().result()

    @contextmanager
    def transaction(self) -> Iterator[apsw.Connection]:
        """Groups several calls of this writer into one commit, after which the readers are told; nests."""
        with self._lock:
            self._depth += 1
            try:
                with self._connection:
                    yield self._connection
            finally:
                self._depth -= 1
                if self._announced and self._depth == 0:
                    self._announced = False
                    self._doorbell.ring()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return list(self._connection.execute(sql, tuple(parameters)))

    # --- meta and positions

    def meta(self, key: str) -> Any:
        """None when it was never set."""
        found = self.rows("SELECT value FROM meta WHERE key = ?", (key,))
        return found[0][0] if found else None

    def set_meta(self, key: str, value: str | int) -> None:
        self.rows("INSERT INTO meta VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = ?2", (key, value))

    def position(self, view: str) -> Revision | None:
        found = self.rows("SELECT revision FROM position WHERE view = ?", (view,))
        return Revision(found[0][0]) if found else None

    def set_position(self, view: str, revision: int) -> None:
        self.rows("INSERT INTO position VALUES(?1, ?2) ON CONFLICT(view) DO UPDATE SET revision = ?2", (view, revision))

    def complete_position(self, view: str) -> Revision:
        """Up to which revision nothing is left to do for the view, going by what is pending."""
        sql = "SELECT (SELECT revision FROM position WHERE view = 'log'), (SELECT min(first_revision) FROM pending_file)"
        read, oldest = self.rows(sql)[0]
        position = min(read or 0, oldest - 1 if oldest is not None else read or 0)
        if view == derived.VIEW_EMBEDDING:
            oldest = self.rows("SELECT min(first_revision) FROM pending_text")[0][0]
            position = min(position, oldest - 1 if oldest is not None else position)
        return Revision(max(position, 0))

    # --- files that wait

    def enqueue(self, files: Iterable[PendingFile]) -> None:
        """Adds files, or pushes those that wait already: the earliest revision stays, due time and lane are the new ones'.

        A file that entered the fresh lane stays there.
        """
        sql = (
            "INSERT INTO pending_file VALUES(?, ?, ?, ?, ?) ON CONFLICT(ino) DO UPDATE SET"
            f" lane = min(lane % {_DOCUMENT_LANES}, excluded.lane),"
            " first_revision = min(first_revision, excluded.first_revision),"
            " last_revision = max(last_revision, excluded.last_revision), due_ns = excluded.due_ns"
        )
        with self.transaction() as connection:
            connection.executemany(sql, files)

    def due_files(self, now_ns: int, limit: int) -> list[PendingFile]:
        """What may be indexed now, the fresh lane first and in it the newest."""
        sql = f"{_PENDING_FILE} WHERE lane = ? AND due_ns <= ? ORDER BY due_ns {{}} LIMIT ?"
        fresh = self.rows(sql.format("DESC"), (FRESH_LANE, now_ns, limit))
        bulk = self.rows(sql.format("ASC"), (BULK_LANE, now_ns, limit - len(fresh))) if len(fresh) < limit else []
        return [PendingFile(*row) for row in (*fresh, *bulk)]

    def next_due_ns(self) -> int | None:
        """When the next file may be indexed; None when none waits but for the reader of documents."""
        sql = "SELECT min(due_ns) FROM pending_file WHERE lane < ?"
        return self.rows(sql, (_DOCUMENT_LANES,))[0][0]  # type: ignore[no-any-return]

    def pending_file(self, ino: int) -> PendingFile | None:
        found = self.rows(f"{_PENDING_FILE} WHERE ino = ?", (ino,))
        return PendingFile(*found[0]) if found else None

    def await_document(self, waiting: PendingFile) -> None:
        """Has a file wait for the reader of documents, unless it changed again: then it is due like any other."""
        sql = f"UPDATE pending_file SET lane = lane % {_DOCUMENT_LANES} + {_DOCUMENT_LANES} WHERE ino = ? AND last_revision = ?"
        self.rows(sql, (waiting.ino, waiting.last_revision))

    def next_document(self) -> PendingFile | None:
        """The file whose turn it is with the reader of documents: fresh ones first, then as they came."""
        sql = f"{_PENDING_FILE} WHERE lane >= ? ORDER BY pending_file.lane, due_ns LIMIT 1"
        found = self.rows(sql, (_DOCUMENT_LANES,))
        return PendingFile(*found[0]) if found else None

    def look_again_at_skipped(self, reasons: Sequence[str], now_ns: int) -> None:
        """Queues what was skipped for a reason that begins with one of these."""
        sql = "SELECT ino, content_revision FROM file_state WHERE state = ? AND substr(reason, 1, ?) = ?"
        with self.transaction():
            for reason in reasons:
                found = self.rows(sql, (derived.STATE_SKIPPED, len(reason), reason))
                self.enqueue(PendingFile(Ino(ino), BULK_LANE, revision, revision, now_ns) for ino, revision in found)

    # --- results

    def store_passages(self, state: derived.FileState, passages: Sequence[PassageText], model: str, done: PendingFile) -> None:
        """Replaces a file's passages, queues the texts without embedding under `model`, and takes the file off the queue."""
        with self.transaction() as connection:
            self._replace(connection, state, passages)
            missing = "SELECT 1 FROM embedding WHERE model = ? AND text_key = ?"
            complete = bool(passages)
            for rank, passage in enumerate(passages):
                if connection.execute(missing, (model, passage.text_key)).fetchone() is None:
                    complete = False
                    connection.execute(
                        "INSERT INTO pending_text VALUES(?, ?, ?, ?) ON CONFLICT(text_key) DO UPDATE SET"
                        " lane = min(lane, excluded.lane), rank = min(rank, excluded.rank)",
                        (passage.text_key, done.lane if rank < FRESH_PASSAGES else BULK_LANE, rank, done.first_revision),
                    )
            self._announce(state.ino, derived.WHAT_PASSAGES)
            if complete:
                self._announce(state.ino, derived.WHAT_VECTORS)
            self.finish(done)

    def store_skip(self, state: derived.FileState, done: PendingFile) -> None:
        """Records that a file has no passages, and why."""
        with self.transaction() as connection:
            had_passages = connection.execute("SELECT 1 FROM passage WHERE ino = ?", (state.ino,)).fetchone() is not None
            self._replace(connection, state, ())
            if had_passages:
                self._announce(state.ino, derived.WHAT_PASSAGES)
            self.finish(done)

    def remove(self, ino: int, done: PendingFile | None = None) -> None:
        """Forgets a file. Its texts and embeddings stay until they are collected, in case they come back."""
        with self.transaction() as connection, _dropping_unwanted_texts(connection, ino):
            connection.execute("DELETE FROM passage WHERE ino = ?", (ino,))
            connection.execute("DELETE FROM file_state WHERE ino = ?", (ino,))
            if connection.changes():
                self._announce(ino, derived.WHAT_REMOVED)
            if done is not None:
                self.finish(done)

    def distrust(self) -> None:
        """Makes every file's content count as changed: the volume's log is not the one that was followed."""
        self.rows("UPDATE file_state SET content_revision = -1")

    def finish(self, done: PendingFile) -> None:
        """Takes a file off the queue, unless it changed again since `done` was read from it."""
        self.rows("DELETE FROM pending_file WHERE ino = ? AND last_revision = ?", (done.ino, done.last_revision))

    def file_state(self, ino: int) -> derived.FileState | None:
        sql = "SELECT ino, content_revision, state, reason, language, size_bytes FROM file_state WHERE ino = ?"
        found = self.rows(sql, (ino,))
        return derived.FileState(*found[0]) if found else None

    def known_files(self, after_ino: int, limit: int = 1000) -> list[Ino]:
        sql = "SELECT ino FROM file_state WHERE ino > ? ORDER BY ino LIMIT ?"
        return [Ino(row[0]) for row in self.rows(sql, (after_ino, limit))]

    # --- embeddings

    def pending_texts(self, limit: int, lane: int = BULK_LANE) -> list[PendingText]:
        """The next texts to embed, up to the given lane: the fresh lane first, then the beginnings of files before the rest."""
        sql = (
            "SELECT text_key, lane, (SELECT text FROM text WHERE text.text_key = pending_text.text_key)"
            " FROM pending_text WHERE lane <= ? ORDER BY lane, rank LIMIT ?"
        )
        return [PendingText(*row) for row in self.rows(sql, (lane, limit))]

    def store_embeddings(self, model: str, vectors: Sequence[tuple[bytes, bytes]]) -> None:
        """Stores (text_key, vector) pairs and announces every file that has one of the texts."""
        with self.transaction() as connection:
            inos: set[int] = set()
            for text_key, vector in vectors:
                connection.execute("INSERT OR REPLACE INTO embedding VALUES(?, ?, ?)", (model, text_key, vector))
                connection.execute("DELETE FROM pending_text WHERE text_key = ?", (text_key,))
                inos.update(row[0] for row in connection.execute("SELECT ino FROM passage WHERE text_key = ?", (text_key,)))
            for ino in sorted(inos):
                self._announce(ino, derived.WHAT_VECTORS)

    def use_model(self, model: str) -> None:
        """Makes `model` the one in use; when it is another one, queues every text that it has not embedded."""
        with self.transaction() as connection:
            if self.meta("model") == model:
                return
            self.set_meta("model", model)
            connection.execute(
                "INSERT INTO pending_text SELECT text_key, ?, min(ordinal), ? FROM passage WHERE NOT EXISTS"
                " (SELECT 1 FROM embedding WHERE model = ? AND embedding.text_key = passage.text_key)"
                " GROUP BY text_key ON CONFLICT DO NOTHING",
                (BULK_LANE, 1, model),
            )

    # --- the change log, for the lexical index

    def head(self) -> int:
        return int(self.rows("SELECT coalesce(max(seq), (SELECT value FROM meta WHERE key = 'trimmed')) FROM change")[0][0])

    def changed_since(self, after: int) -> list[Ino] | None:
        """The files with changed passages after `after`; None when the log does not reach back that far."""
        if after < self.meta("trimmed") or after > self.head():
            return None
        sql = "SELECT DISTINCT ino FROM change WHERE seq > ? AND what IN (?, ?)"
        return [Ino(row[0]) for row in self.rows(sql, (after, derived.WHAT_PASSAGES, derived.WHAT_REMOVED))]

    def texts(self, ino: int) -> list[tuple[int, str]]:
        sql = (
            "SELECT ordinal, (SELECT text FROM text WHERE text.text_key = passage.text_key)"
            " FROM passage WHERE ino = ? ORDER BY ordinal"
        )
        return [(row[0], row[1]) for row in self.rows(sql, (ino,))]

    # --- upkeep

    def unused_texts(self, after_rowid: int, limit: int = 2000) -> tuple[list[bytes], int]:
        """Of the next `limit` texts after a rowid, those no file has; and the rowid to go on from, 0 at the end."""
        sql = (
            "SELECT rowid, text_key, EXISTS (SELECT 1 FROM passage WHERE passage.text_key = text.text_key)"
            " FROM text WHERE rowid > ? ORDER BY rowid LIMIT ?"
        )
        found = self.rows(sql, (after_rowid, limit))
        return [row[1] for row in found if not row[2]], found[-1][0] if len(found) == limit else 0

    def delete_texts(self, keys: Sequence[bytes]) -> None:
        """Deletes those of the texts that no file has, with their embeddings."""
        unused = " WHERE text_key = ?1 AND NOT EXISTS (SELECT 1 FROM passage WHERE text_key = ?1)"
        with self.transaction() as connection:
            for table in ("embedding", "text"):
                connection.executemany(f"DELETE FROM {table}{unused}", [(key,) for key in keys])

    def unused_models(self) -> set[str]:
        """The models with vectors that are neither served nor being made for the next one."""
        sql = (
            "WITH RECURSIVE found(model) AS (SELECT min(model) FROM embedding UNION ALL"
            " SELECT (SELECT min(model) FROM embedding WHERE embedding.model > found.model) FROM found"
            " WHERE found.model IS NOT NULL) SELECT model FROM found WHERE model IS NOT NULL"
        )
        return {row[0] for row in self.rows(sql)} - {self.meta("model"), self.meta("next_model")}

    def delete_vectors(self, model: str, limit: int) -> bool:
        """Deletes some of a model's vectors; whether there were any."""
        with self.transaction() as connection:
            some = "SELECT rowid FROM embedding WHERE model = ? LIMIT ?"
            connection.execute(f"DELETE FROM embedding WHERE rowid IN ({some})", (model, limit))
            return connection.changes() > 0

    def trim_changes(self) -> None:
        """Keeps the newest CHANGES_KEPT rows of the change log."""
        with self.transaction() as connection:
            trimmed = self.head() - CHANGES_KEPT
            if trimmed > self.meta("trimmed"):
                connection.execute("DELETE FROM change WHERE seq <= ?", (trimmed,))
                self.set_meta("trimmed", trimmed)

    def announce(self, ino: int, what: str) -> None:
        """A row of the change log; the readers are told when the transaction ends."""
        with self.transaction():
            self._announce(ino, what)

    def _announce(self, ino: int, what: str) -> None:
        self.rows("INSERT INTO change(ino, what) VALUES(?, ?)", (ino, what))
        self._announced = True
        self._writes_since_trim += 1
        if self._writes_since_trim >= CHANGES_KEPT // 10:
            self._writes_since_trim = 0
            self.trim_changes()

    def _replace(self, connection: apsw.Connection, state: derived.FileState, passages: Sequence[PassageText]) -> None:
        with _dropping_unwanted_texts(connection, state.ino):
            connection.execute("DELETE FROM passage WHERE ino = ?", (state.ino,))
            connection.execute("INSERT OR REPLACE INTO file_state VALUES(?, ?, ?, ?, ?, ?)", state)
            connection.executemany("INSERT OR IGNORE INTO text VALUES(?, ?)", [(p.text_key, p.text) for p in passages])
            rows = [(state.ino, ordinal, *passage[:5]) for ordinal, passage in enumerate(passages)]
            connection.executemany("INSERT INTO passage VALUES(?, ?, ?, ?, ?, ?, ?)", rows)


@contextmanager
def _dropping_unwanted_texts(connection: apsw.Connection, ino: int) -> Iterator[None]:
    """Around a change of a file's passages: what waits for an embedding and no file has any more waits no longer."""
    before = list(connection.execute("SELECT DISTINCT text_key FROM passage WHERE ino = ?", (ino,)))
    yield
    sql = "DELETE FROM pending_text WHERE text_key = ?1 AND NOT EXISTS (SELECT 1 FROM passage WHERE text_key = ?1)"
    connection.executemany(sql, before)


def _open(path: Path) -> tuple[apsw.Connection, int, bool]:
    """Opens the file, or makes it when it is missing, damaged or of another format; (connection, incarnation, made)."""
    existing = _open_existing(path) if path.exists() else None
    if existing is not None:
        return (*existing, False)
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    connection = _connect(path)
    incarnation = secrets.randbits(62)
    with connection:
        connection.execute(derived.SCHEMA)
        values = [("format", derived.FORMAT), ("incarnation", incarnation), ("trimmed", 0)]
        connection.executemany("INSERT INTO meta VALUES(?, ?)", values)
    return connection, incarnation, True


def _open_existing(path: Path) -> tuple[apsw.Connection, int] | None:
    try:
        connection = _connect(path)
        meta = dict(connection.execute("SELECT key, value FROM meta"))
    except apsw.Error:
        return None
    if meta.get("format") != derived.FORMAT or "incarnation" not in meta:
        connection.close()
        return None
    return connection, int(meta["incarnation"])


def _connect(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(5000)
    # A checkpoint waits for the disk: some 16 MB of new pages each.
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = 4000", "journal_size_limit = 33554432"):
        connection.execute(f"PRAGMA {pragma}").fetchall()  # read to the end: a statement that gave a row is not over before
    return connection
