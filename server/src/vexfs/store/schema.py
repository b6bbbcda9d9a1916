"""The tables of a volume, and the migrations that lead from any older format to this one.

Called by `Volume.open` inside the writer's turn. All migrations are one SQL transaction together with the format number they
lead to, so a crash leaves the old format or the new one, and what fills new columns may ask as for the newest format.

`node.hole_bytes` (format 2) is what of `size_bytes` lies in blocks without content: counted with every change of content,
because stat(2) asks far more often than anything changes. `node.flags` holds NODE_* of `vexfs.core.types`.

`usage` (format 3) is one row: what `node` adds up to, and the quota; see `vexfs.store.usage`.

`chunk.runs` (format 4) is NULL for a whole block, and says of a patch where its bytes go; see `vexfs.store.patches`.

`extent.died` (format 5) is the revision from which on nothing of a row shows, where that is known; see `vexfs.store.extents`.

`log.base` is the newest revision before a row's own that can be shown: the one before, or, where the mount made one version of
all that a commit changed, the last one of the commit before.

Rows are versioned three ways. `node` and `dentry` hold the present; an update or a delete first copies the old row to the
`_history` table with the revision at which it died. Content, xattrs, metadata, vectors and schemas are never updated: a
change inserts a row with the revision at which it was `born`, NULL meaning "gone", and a reader takes the newest one born
at or before its revision. Rows that can hold 500 bytes or more are rowid tables with a unique index: WITHOUT ROWID more
than doubled both time and size there.
"""

import time
import uuid
from typing import Any

import apsw

from vexfs.core.errors import FormatTooNew
from vexfs.store import content, usage

_FORMAT_1 = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY) WITHOUT ROWID, STRICT;

CREATE TABLE node(
    ino INTEGER PRIMARY KEY, mode INTEGER NOT NULL, nlink INTEGER NOT NULL, uid INTEGER NOT NULL, gid INTEGER NOT NULL,
    rdev INTEGER NOT NULL, size_bytes INTEGER NOT NULL, atime_ns INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL, btime_ns INTEGER NOT NULL, revision INTEGER NOT NULL, content_revision INTEGER NOT NULL
) STRICT;
CREATE TABLE node_history(
    ino INTEGER NOT NULL, died INTEGER NOT NULL, mode INTEGER NOT NULL, nlink INTEGER NOT NULL, uid INTEGER NOT NULL,
    gid INTEGER NOT NULL, rdev INTEGER NOT NULL, size_bytes INTEGER NOT NULL, atime_ns INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL, btime_ns INTEGER NOT NULL, revision INTEGER NOT NULL,
    content_revision INTEGER NOT NULL, PRIMARY KEY(ino, died)
) WITHOUT ROWID, STRICT;

CREATE TABLE dentry(
    parent INTEGER NOT NULL, name BLOB NOT NULL, ino INTEGER NOT NULL, born INTEGER NOT NULL, PRIMARY KEY(parent, name)
) WITHOUT ROWID, STRICT;
CREATE INDEX dentry_by_ino ON dentry(ino);
CREATE TABLE dentry_history(
    parent INTEGER NOT NULL, name BLOB NOT NULL, died INTEGER NOT NULL, ino INTEGER NOT NULL, born INTEGER NOT NULL,
    PRIMARY KEY(parent, name, died)
) WITHOUT ROWID, STRICT;

CREATE TABLE symlink(ino INTEGER PRIMARY KEY, target BLOB NOT NULL) STRICT;
CREATE TABLE orphan(ino INTEGER PRIMARY KEY, origin INTEGER NOT NULL) STRICT;

CREATE TABLE chunk(
    id INTEGER PRIMARY KEY, ino INTEGER NOT NULL, block INTEGER NOT NULL, born INTEGER NOT NULL, data BLOB
) STRICT;
CREATE UNIQUE INDEX chunk_key ON chunk(ino, block, born);
CREATE TABLE extent(
    ino INTEGER NOT NULL, first_block INTEGER NOT NULL, born INTEGER NOT NULL, has_data INTEGER NOT NULL,
    block_count INTEGER NOT NULL, blob BLOB, blob_offset INTEGER NOT NULL, PRIMARY KEY(ino, first_block, born, has_data)
) WITHOUT ROWID, STRICT;
CREATE INDEX extent_by_blob ON extent(blob) WHERE blob IS NOT NULL;
CREATE TABLE blob(hash BLOB PRIMARY KEY, size_bytes INTEGER NOT NULL, condemned_ns INTEGER) WITHOUT ROWID, STRICT;
CREATE INDEX blob_condemned ON blob(condemned_ns) WHERE condemned_ns IS NOT NULL;

CREATE TABLE xattr(id INTEGER PRIMARY KEY, ino INTEGER NOT NULL, name BLOB NOT NULL, born INTEGER NOT NULL, value BLOB) STRICT;
CREATE UNIQUE INDEX xattr_key ON xattr(ino, name, born);
CREATE TABLE metadata(id INTEGER PRIMARY KEY, ino INTEGER NOT NULL, born INTEGER NOT NULL, json TEXT) STRICT;
CREATE UNIQUE INDEX metadata_key ON metadata(ino, born);
CREATE TABLE vector(
    id INTEGER PRIMARY KEY, ino INTEGER NOT NULL, name TEXT NOT NULL, born INTEGER NOT NULL, collection INTEGER NOT NULL,
    data BLOB
) STRICT;
CREATE UNIQUE INDEX vector_key ON vector(ino, name, born);
CREATE INDEX vector_by_collection ON vector(collection, name, ino);
CREATE TABLE collection(ino INTEGER NOT NULL, born INTEGER NOT NULL, schema TEXT, PRIMARY KEY(ino, born)) WITHOUT ROWID, STRICT;

CREATE TABLE log(
    revision INTEGER PRIMARY KEY, base INTEGER NOT NULL, time_ns INTEGER NOT NULL, operation TEXT NOT NULL,
    origin INTEGER NOT NULL, changes BLOB NOT NULL
) STRICT;
CREATE TABLE request(
    request_id TEXT PRIMARY KEY, digest BLOB NOT NULL, revision INTEGER NOT NULL, time_ns INTEGER NOT NULL,
    response BLOB NOT NULL
) STRICT;
CREATE INDEX request_by_time ON request(time_ns);
"""

_FORMAT_2 = """
ALTER TABLE node ADD COLUMN hole_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE node ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;
ALTER TABLE node_history ADD COLUMN hole_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE node_history ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;
"""

_FORMAT_3 = f"""
CREATE TABLE usage(
    id INTEGER PRIMARY KEY CHECK(id=1), bytes INTEGER NOT NULL, files INTEGER NOT NULL, limit_bytes INTEGER, limit_files INTEGER
) STRICT;
INSERT INTO usage SELECT 1, *, NULL, NULL FROM ({usage.RECOUNT});
"""

_FORMAT_4 = "ALTER TABLE chunk ADD COLUMN runs BLOB;"

_FORMAT_5 = """
ALTER TABLE extent ADD COLUMN died INTEGER;
CREATE INDEX extent_present ON extent(ino, first_block) WHERE died IS NULL;
"""

#: `MIGRATIONS[n]` leads from format n to format n + 1.
MIGRATIONS: tuple[str, ...] = (_FORMAT_1, _FORMAT_2, _FORMAT_3, _FORMAT_4, _FORMAT_5)
FORMAT = len(MIGRATIONS)

_DIRECTORY_MODE = 0o40755


def format_of(connection: apsw.Connection) -> int:
    """The format number of an open database; 0 for an empty one."""
    version: Any = connection.execute("PRAGMA user_version").fetchall()[0][0]
    return int(version)


def migrate(connection: apsw.Connection, *, uid: int, gid: int) -> None:
    """Bring the database to FORMAT, creating the root (owned by `uid`, `gid`) when it is empty. The caller holds the turn.

    Raises FormatTooNew and changes nothing when a newer VexFS wrote it.
    """
    found = format_of(connection)
    if found > FORMAT:
        raise FormatTooNew(
            f"the volume has format {found} and this VexFS knows formats up to {FORMAT}: use the newer VexFS that wrote it"
        )
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number in range(found, FORMAT):
            connection.execute(MIGRATIONS[number])
            if number == 0:
                _fill_empty(connection, uid=uid, gid=gid)
        if found == 1:
            _count_holes(connection)
        connection.execute(f"PRAGMA user_version={FORMAT}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _fill_empty(connection: apsw.Connection, *, uid: int, gid: int) -> None:
    now_ns = time.time_ns()
    connection.executemany(
        "INSERT INTO meta VALUES(?, ?)",
        [("volume_id", str(uuid.uuid4())), ("created_ns", now_ns), ("next_ino", 2), ("history_floor", 0)],
    )
    connection.execute(
        "INSERT INTO node VALUES(1, ?, 2, ?, ?, 0, 0, ?, ?, ?, ?, 0, 0)",
        (_DIRECTORY_MODE, uid, gid, now_ns, now_ns, now_ns, now_ns),
    )


def _count_holes(connection: apsw.Connection) -> None:
    """Fill `hole_bytes` of the files there are, and count anew what follows from it; their past keeps 0, which nobody asks of
    it.
    """
    for ino, _, counted in list(content.wrong_hole_bytes(connection)):
        connection.execute("UPDATE node SET hole_bytes=? WHERE ino=?", (counted, ino))
    connection.execute(f"UPDATE usage SET (bytes, files) = ({usage.RECOUNT})")
