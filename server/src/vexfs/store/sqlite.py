"""How VexFS opens an SQLite file: the library's version, the pragmas, and what SQLite's errors mean here.

Called by the store and the derived views; nobody else opens a database. A connection belongs to one thread at a time. Never
uses the standard library's sqlite3: two SQLite libraries in one process drop each other's POSIX locks.
"""

from collections.abc import Iterable
from pathlib import Path

import apsw

from vexfs.core.errors import DataLoss, Internal, UnsafeSqlite, VexfsError, VolumeFull, VolumeReadOnly

#: Versions from 3.7.0 up to the one before this can corrupt a WAL that several connections write and checkpoint.
SAFE_VERSION_NUMBER = 3_051_003

JOURNAL_SIZE_LIMIT_BYTES = 64 * 1024 * 1024
BUSY_TIMEOUT_MS = 5_000
"""Covers WAL recovery after a crash and a checkpoint's short locks; writers never meet each other here (see `turn`)."""


def refuse_unsafe_library(version_number: int | None = None) -> None:
    """Raise UnsafeSqlite unless the linked SQLite keeps a shared WAL intact."""
    number = apsw.SQLITE_VERSION_NUMBER if version_number is None else version_number
    if number < SAFE_VERSION_NUMBER:
        raise UnsafeSqlite(
            f"SQLite {number // 1_000_000}.{number // 1000 % 1000}.{number % 1000} can corrupt a shared write-ahead log; "
            "install an apsw that brings SQLite 3.51.3 or newer"
        )


def connect(path: Path, *, read_only: bool = False, create: bool = False) -> apsw.Connection:
    """Open `path` in WAL mode with the pragmas VexFS relies on.

    `read_only` forbids statements that write (the file itself is opened read-write: WAL readers need the shared memory).
    Checkpoints never happen inside a COMMIT: they stalled the mount for 37–147 ms; `checkpoint` runs them elsewhere.
    """
    refuse_unsafe_library()
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    connection = apsw.Connection(str(path), flags=flags, statementcachesize=256)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "wal_autocheckpoint=0",
        f"journal_size_limit={JOURNAL_SIZE_LIMIT_BYTES}",
        "temp_store=MEMORY",
        "cache_size=-16000",
        "mmap_size=0",
        *(("query_only=ON",) if read_only else ()),
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def json_list(numbers: Iterable[int]) -> str:
    """What `x IN (SELECT value FROM json_each(?))` takes: as cheap as a list of placeholders, and one text for any length."""
    return f"[{','.join(map(str, numbers))}]"


def translate(error: apsw.Error) -> VexfsError:
    """The domain error an SQLite error stands for."""
    if isinstance(error, apsw.FullError):
        return VolumeFull("the disk under the volume is full: free some space, then try again")
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return DataLoss(f"the volume's database is damaged ({error}): run `vexfs check`")
    if isinstance(error, (apsw.ReadOnlyError, apsw.PermissionsError, apsw.CantOpenError)):
        return VolumeReadOnly(f"the volume's database cannot be written: {error}")
    if isinstance(error, apsw.IOError):
        return DataLoss(f"the disk under the volume failed: {error}")
    return Internal(f"unexpected database error: {type(error).__name__}: {error}")
