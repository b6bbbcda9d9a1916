"""What VexFS derives from the files' text: passages, embeddings, positions; where it lies and how it is read.

`derived.db` (in a volume's `derived` folder) has one writer, the indexer, through `vexfs.views.indexing.writer`; the API, the
builder of dense generations and the command line read it through `DerivedReader`. Nothing in it is truth: it can be deleted at
any time and is built again. A new file has a new incarnation, which tells every reader to start over.

The table `change` is the log that the readers tail: whatever they know of a file is out of date when a row about it appears.

Threads: a `DerivedReader` may be used from several threads; each call is one short read behind a lock. It never writes, never
creates the file, and never returns part of a file's rows: a call sees one state of the database.
"""

import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from vexfs.core.errors import ViewUnavailable
from vexfs.core.types import Ino, Revision
from vexfs.store.doorbell import Doorbell
from vexfs.store.durability import Syncer

DATABASE_NAME = "derived.db"
LEXICAL_FOLDER = "lexical"
FORMAT = 1
"""Of `derived.db`; a file of any other format is thrown away and built again."""

EXTRACTION = 2
"""Of what can be read as text; files that were skipped under an older one are looked at again."""

STATE_READY = "ready"
"""The passages are those of `content_revision`."""
STATE_SKIPPED = "skipped"
"""The file has no passages, for the reason given."""

WHAT_PASSAGES = "passages"
"""The file's passages were replaced (possibly by none)."""
WHAT_VECTORS = "vectors"
"""Some or all of the file's passages have an embedding now."""
WHAT_REMOVED = "removed"
"""The file is gone from the index."""

VIEW_LOG = "log"
"""How far the indexer has read the volume's log."""
VIEW_SEEN = "seen"
"""The newest revision that any row may tell of: files are read as they are, perhaps newer than what was read of the log."""
VIEW_LEXICAL = "lexical"
"""Up to which revision everything can be found by its words."""
VIEW_EMBEDDING = "embedding"
"""Up to which revision every passage has its embedding here (a dense index still has to read the change log)."""

TEXT_KEY_BYTES = 16
POLL_S = 0.25
"""How late a lost ring of the doorbell is made up for."""

SCHEMA = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY) WITHOUT ROWID, STRICT;
CREATE TABLE file_state(
    ino INTEGER PRIMARY KEY,
    content_revision INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    language TEXT NOT NULL,
    size_bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE passage(
    ino INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    start_byte INTEGER NOT NULL,
    end_byte INTEGER NOT NULL,
    start_line INTEGER NOT NULL,
    end_line INTEGER NOT NULL,
    text_key BLOB NOT NULL,
    PRIMARY KEY(ino, ordinal)
) WITHOUT ROWID, STRICT;
CREATE INDEX passage_by_text ON passage(text_key);
CREATE TABLE text(text_key BLOB NOT NULL, text TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX text_by_key ON text(text_key);
CREATE TABLE embedding(model TEXT NOT NULL, text_key BLOB NOT NULL, vector BLOB NOT NULL) STRICT;
CREATE UNIQUE INDEX embedding_by_key ON embedding(model, text_key);
CREATE TABLE change(seq INTEGER PRIMARY KEY AUTOINCREMENT, ino INTEGER NOT NULL, what TEXT NOT NULL) STRICT;
CREATE TABLE position(view TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE pending_file(
    ino INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    first_revision INTEGER NOT NULL,
    last_revision INTEGER NOT NULL,
    due_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX pending_file_by_lane ON pending_file(lane, due_ns);
CREATE INDEX pending_file_by_revision ON pending_file(first_revision);
CREATE TABLE pending_text(
    text_key BLOB PRIMARY KEY,
    lane INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    first_revision INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
CREATE INDEX pending_text_by_lane ON pending_text(lane, rank);
CREATE INDEX pending_text_by_revision ON pending_text(first_revision);
"""
# meta: format, incarnation (random), model (name of the embedding model in use), model_source (where it comes from), next_model
# and next_source (the same of the one that is to take over, while there is one), embedding_failure (why the last text could not
# be embedded), trimmed (newest seq no longer in `change`), log_mark and seen_mark (what tell the records at the positions
# `log` and `seen`), extraction (what the files were read under).


class FileState(NamedTuple):
    """What the indexer made of one file."""

    ino: Ino
    content_revision: Revision
    state: str
    reason: str
    """Why the file was skipped; empty when it is ready."""
    language: str
    """What the text was taken for: "text", "markdown", "html", "python" …; of a skipped file "pdf" or "docx", else empty."""
    size_bytes: int


class Passage(NamedTuple):
    """A piece of a file's text. Bytes are positions in the file's content; lines count from 1, both ends included.

    Of a PDF or docx: all of its bytes, and no line, 0.
    """

    ino: Ino
    ordinal: int
    start_byte: int
    end_byte: int
    start_line: int
    end_line: int
    text_key: bytes


class PassageVector(NamedTuple):
    """The embedding of one passage: little-endian float32 of unit length."""

    ino: Ino
    ordinal: int
    vector: bytes


class DerivedChange(NamedTuple):
    seq: int
    ino: Ino
    what: str


class ChangeBatch(NamedTuple):
    """Answer of `DerivedReader.changes`.

    With `reset` the reader's position means nothing any more (another incarnation, or the log was trimmed past it): it drops
    what it knows, reads `incarnation` and `head` and loads everything again.
    """

    incarnation: int
    changes: list[DerivedChange]
    reset: bool


class Pending(NamedTuple):
    """What the indexer has seen in the log and not finished."""

    files: int
    """Files waiting to be read and split."""
    passages: int
    """Distinct passage texts waiting for their embedding."""


class ModelState(NamedTuple):
    """The embedding models: the one in use, and the one that is to take over."""

    model: str
    source: str
    """Where the model in use comes from, for `vexfs.views.embedding.choice`."""
    next_model: str
    """Empty when none is to take over."""
    done: int
    """Passages that the next one has embedded, each distinct text once."""
    total: int
    failure: str
    """Why passages cannot be embedded now; empty when they can."""


class _Waiting:
    """A doorbell for each thread that waits: one ring must wake them all. Only its thread waits at it; others may ring it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bells: dict[int, tuple[tuple[int, int], Doorbell]] = {}

    def wait(self, timeout_s: float) -> None:
        """Until the writer rings, or the time is over; soon while there is no folder."""
        try:
            self._bell().wait(timeout_s)
        except OSError:
            time.sleep(min(timeout_s, 0.02))

    def _bell(self) -> Doorbell:
        """This thread's, made again when the folder is another one than it lies in."""
        thread = threading.get_ident()
        status = self._folder.stat()
        identity = (status.st_dev, status.st_ino)
        known = self._bells.get(thread)
        if known is not None and known[0] == identity:
            return known[1]
        if known is not None:
            self._bells.pop(thread)
            known[1].close()
        bell = Doorbell(self._folder, secrets.randbits(62))
        self._bells[thread] = (identity, bell)
        return bell

    def wake(self) -> None:
        for _, bell in list(self._bells.values()):
            bell.ring_self()

    def close(self) -> None:
        while self._bells:
            self._bells.popitem()[1][1].close()


def derived_folder(volume_folder: Path) -> Path:
    return volume_folder / "derived"


class DerivedReader:
    """Reads `derived.db` of one `derived` folder, across its loss and rebuilding.

    Every method raises `ViewUnavailable` while the file is missing or of another format.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / DATABASE_NAME
        self._lock = threading.RLock()
        self._connection: apsw.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._incarnation = 0
        self._waiting = _Waiting(folder)

    def close(self) -> None:
        """Idempotent; when no thread waits any more."""
        self._disconnect()
        self._waiting.close()

    def _disconnect(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    # --- the change log

    def incarnation(self) -> int:
        """Random id of the database file; another one after it was lost."""
        with self._lock:
            self._open()
            return self._incarnation

    def sync(self) -> None:
        """Returns when everything read so far is on the disk; the writer itself waits for that at its checkpoints only.

        Raises DataLoss when the disk refuses.
        """
        syncer = Syncer(self._path, "derived", lambda _: None)
        try:
            syncer.sync().result()
        finally:
            syncer.close()

    def head(self) -> int:
        """Newest `seq` of the change log; 0 when nothing has happened."""
        return int(self._value("SELECT coalesce(max(seq), (SELECT value FROM meta WHERE key = 'trimmed')) FROM change"))

    def changes(self, incarnation: int, after: int, limit: int = 1000) -> ChangeBatch:
        """The changes after `after`, oldest first. `incarnation` is the one the position belongs to."""
        with self._lock:
            rows = self._rows("SELECT seq, ino, what FROM change WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
            trimmed = int(self._value("SELECT value FROM meta WHERE key = 'trimmed'"))
            reset = incarnation != self._incarnation or after < trimmed
            return ChangeBatch(self._incarnation, [] if reset else [DerivedChange(*row) for row in rows], reset)

    def wait(self, incarnation: int, after: int, timeout_s: float) -> bool:
        """Blocks until the log has something after `after`, or the incarnation is another; False when the time is over.

        A doorbell wakes it; it also looks every quarter of a second. A missing database counts as nothing new.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                if self.incarnation() != incarnation or self.head() > after:
                    return True
            except ViewUnavailable:
                pass
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._waiting.wait(min(POLL_S, left))

    def wait_for_ring(self, timeout_s: float) -> None:
        """Until the writer has announced something, `wake` is called, or the time is over; soon while there is no folder."""
        self._waiting.wait(timeout_s)

    def wake(self) -> None:
        """Ends the waits of every thread of this reader; any thread may call it."""
        self._waiting.wake()

    # --- files and passages

    def file_state(self, ino: int) -> FileState | None:
        """None when the indexer has not come to the file, or it is no regular file."""
        for row in self._rows(f"SELECT {_STATE_COLUMNS} FROM file_state WHERE ino = ?", (ino,)):
            return FileState(*row)
        return None

    def skipped(self, after_ino: int = 0, limit: int = 1000) -> list[FileState]:
        """The files without passages, by ino."""
        sql = f"SELECT {_STATE_COLUMNS} FROM file_state WHERE state = ? AND ino > ? ORDER BY ino LIMIT ?"
        return [FileState(*row) for row in self._rows(sql, (STATE_SKIPPED, after_ino, limit))]

    def count_files(self, state: str) -> int:
        return int(self._value("SELECT count(*) FROM file_state WHERE state = ?", (state,)))

    def count_passages(self) -> int:
        return int(self._value("SELECT count(*) FROM passage"))

    def passages(self, ino: int) -> list[Passage]:
        """All passages of a file, in order of the text."""
        return [
            Passage(*row)
            for row in self._rows(f"SELECT {_PASSAGE_COLUMNS} FROM passage WHERE ino = ? ORDER BY ordinal", (ino,))
        ]

    def passage(self, ino: int, ordinal: int) -> tuple[Passage, str] | None:
        """One passage with its text; None when the file has changed and no longer has it."""
        return self.passages_at([(ino, ordinal)]).get((ino, ordinal))

    def passages_at(self, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[Passage, str]]:
        """The passages at (file, ordinal) with their texts, of those places that still have one; in one statement."""
        sql = (
            f"SELECT {_PASSAGE_COLUMNS}, (SELECT text FROM text WHERE text.text_key = passage.text_key) FROM passage"
            " WHERE (ino, ordinal) IN (SELECT value->>0, value->>1 FROM json_each(?))"
        )
        asked = f"[{','.join(f'[{ino},{ordinal}]' for ino, ordinal in places)}]"
        return {(row[0], row[1]): (Passage(*row[:-1]), row[-1]) for row in self._rows(sql, (asked,))}

    def texts(self, ino: int) -> list[tuple[int, str]]:
        """(ordinal, text) of every passage of a file."""
        sql = (
            "SELECT ordinal, (SELECT text FROM text WHERE text.text_key = passage.text_key)"
            " FROM passage WHERE ino = ? ORDER BY ordinal"
        )
        return [(row[0], row[1]) for row in self._rows(sql, (ino,))]

    # --- embeddings

    def model(self) -> str:
        """Name of the embedding model in use: the `model` of the other calls. Empty before the first one is loaded."""
        return str(self._value("SELECT coalesce((SELECT value FROM meta WHERE key = 'model'), '')"))

    def model_state(self) -> ModelState:
        """Counts the vectors of the next model while there is one: some milliseconds then."""
        names = ("model", "model_source", "next_model", "embedding_failure")
        meta = dict(self._rows(f"SELECT key, value FROM meta WHERE key IN ({','.join('?' * len(names))})", names))
        model, source, following, failure = (str(meta.get(name) or "") for name in names)
        done = total = 0
        if following:
            counts = "SELECT (SELECT count(*) FROM embedding WHERE model = ?), (SELECT count(*) FROM text)"
            done, total = self._rows(counts, (following,))[0]
        return ModelState(model, source, following, min(done, total), total, failure)

    def vectors(self, ino: int, model: str) -> list[PassageVector]:
        """The passages of a file that have an embedding already, by ordinal."""
        sql = (
            "SELECT ino, ordinal, (SELECT vector FROM embedding WHERE model = ?1 AND embedding.text_key = passage.text_key)"
            " FROM passage WHERE ino = ?2 ORDER BY ordinal"
        )
        return [PassageVector(*row) for row in self._rows(sql, (model, ino)) if row[2] is not None]

    def all_vectors(self, model: str, page: int = 500) -> Iterator[list[PassageVector]]:
        """Every embedded passage, in pages by (ino, ordinal); each page is its own short read.

        The whole is therefore not one state: take `head` before and apply the changes after it.
        """
        after = (-1, -1)
        sql = (
            "SELECT ino, ordinal, (SELECT vector FROM embedding WHERE model = ? AND embedding.text_key = passage.text_key)"
            " FROM passage WHERE (ino, ordinal) > (?, ?) ORDER BY ino, ordinal LIMIT ?"
        )
        while rows := self._rows(sql, (model, *after, page)):
            after = (rows[-1][0], rows[-1][1])
            found = [PassageVector(*row) for row in rows if row[2] is not None]
            if found:
                yield found

    # --- how far it is

    def positions(self) -> dict[str, Revision]:
        """Revision by VIEW_* name; a view that has not started is absent."""
        return {view: Revision(revision) for view, revision in self._rows("SELECT view, revision FROM position")}

    def marks(self) -> list[tuple[int, str | None]]:
        """The newest records of the volume's log that were read and seen: (revision, mark), for `vexfs.views.marks`."""
        sql = "SELECT revision, (SELECT value FROM meta WHERE key = view || '_mark') FROM position WHERE view IN (?, ?)"
        return [(revision, mark) for revision, mark in self._rows(sql, (VIEW_LOG, VIEW_SEEN))]

    def pending(self) -> Pending:
        row = self._rows("SELECT (SELECT count(*) FROM pending_file), (SELECT count(*) FROM pending_text)")[0]
        return Pending(*row)

    def pending_of(self, ino: int, model: str) -> int:
        """How much of one file is not there yet: 1 when it waits to be read, else its passages without an embedding."""
        if self._rows("SELECT 1 FROM pending_file WHERE ino = ?", (ino,)):
            return 1
        sql = (
            "SELECT count(*) FROM passage WHERE ino = ?"
            " AND NOT EXISTS (SELECT 1 FROM embedding WHERE model = ? AND embedding.text_key = passage.text_key)"
        )
        return int(self._value(sql, (ino, model)))

    # --- the connection

    def _rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            connection = self._open()
            try:
                return list(connection.execute(sql, tuple(parameters)))
            except apsw.Error as error:
                self._disconnect()
                raise ViewUnavailable(f"the index of the text cannot be read now: {error}") from error

    def _value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        return self._rows(sql, parameters)[0][0]

    def _open(self) -> apsw.Connection:
        """The connection to the file that has the name now; a file put in its place is noticed by its inode."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._disconnect()
            raise ViewUnavailable("the index of the text is not there; the indexer builds it again") from None
        identity = (status.st_dev, status.st_ino)
        if self._connection is None or identity != self._identity:
            self._disconnect()
            self._connection, self._incarnation = _connect(self._path)
            self._identity = identity
        return self._connection


_STATE_COLUMNS = "ino, content_revision, state, reason, language, size_bytes"
_PASSAGE_COLUMNS = "ino, ordinal, start_byte, end_byte, start_line, end_line, text_key"


def _connect(path: Path) -> tuple[apsw.Connection, int]:
    """A reading connection and the incarnation it reads. Raises ViewUnavailable when the schema is not there (yet)."""
    try:
        # Not read-only: a reader of a WAL database must be able to create its shared memory.
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(2000)
        connection.execute("PRAGMA query_only = ON; PRAGMA wal_autocheckpoint = 0")
        meta = dict(connection.execute("SELECT key, value FROM meta WHERE key IN ('format', 'incarnation')"))
    except apsw.Error as error:
        raise ViewUnavailable(f"the index of the text is not ready: {error}") from error
    if meta.get("format") != FORMAT:
        connection.close()
        raise ViewUnavailable("the index of the text has another format; the indexer builds it again")
    return connection, meta["incarnation"]
