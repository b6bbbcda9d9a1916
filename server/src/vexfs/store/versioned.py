"""The tables versioned by insertion: xattrs, metadata, vectors and collection schemas.

Called by `vexfs.core`. A change inserts a row with the revision at which it was born, NULL meaning removed; a reader takes
the newest one born at or before its revision. Stateless.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import apsw

from vexfs.store import reader, sqlite
from vexfs.store.log import Executes, Writes

_FOREVER = (1 << 63) - 1


def _at(view: "reader.Reader") -> int:
    return _FOREVER if view.at_revision is None else view.at_revision


# -- extended attributes ---------------------------------------------------------------------------


def get_xattr(view: "reader.Reader", ino: int, name: bytes) -> bytes | None:
    sql = "SELECT value FROM xattr WHERE ino=? AND name=? AND born<=? ORDER BY born DESC LIMIT 1"
    for (value,) in view.execute(sql, (ino, name, _at(view))):
        return None if value is None else bytes(value)
    return None


def list_xattrs(view: "reader.Reader", ino: int) -> list[bytes]:
    """Names, in byte order."""
    sql = (
        "SELECT name FROM xattr x WHERE ino=?1 AND born=(SELECT max(born) FROM xattr WHERE ino=?1 AND name=x.name AND born<=?2)"
        " AND value IS NOT NULL ORDER BY name"
    )
    return [bytes(name) for (name,) in view.execute(sql, (ino, _at(view)))]


def put_xattr(txn: Executes, ino: int, name: bytes, value: bytes | None, *, born: int) -> None:
    txn.execute("INSERT OR REPLACE INTO xattr(ino, name, born, value) VALUES(?, ?, ?, ?)", (ino, name, born, value))


# -- metadata --------------------------------------------------------------------------------------


def get_metadata(view: "reader.Reader", ino: int) -> str | None:
    """The file's metadata as JSON, or None."""
    sql = "SELECT json FROM metadata WHERE ino=? AND born<=? ORDER BY born DESC LIMIT 1"
    for (json,) in view.execute(sql, (ino, _at(view))):
        return None if json is None else str(json)
    return None


def metadata_of(view: "reader.Reader", inos: Sequence[int]) -> dict[int, str]:
    """As `get_metadata`, of those of the files that have any; in one statement."""
    sql = (
        "SELECT ino, json FROM metadata m WHERE ino IN (SELECT value FROM json_each(?1)) AND json IS NOT NULL"
        " AND born=(SELECT max(born) FROM metadata WHERE ino=m.ino AND born<=?2)"
    )
    return dict(view.execute(sql, (sqlite.json_list(inos), _at(view))))


def put_metadata(txn: Writes, rows: Iterable[tuple[int, str | None]], *, born: int) -> None:
    """(ino, JSON or None) each."""
    sql = "INSERT OR REPLACE INTO metadata(ino, born, json) VALUES(?, ?, ?)"
    txn.execute_many(sql, ((ino, born, json) for ino, json in rows))


# -- vectors ---------------------------------------------------------------------------------------


class VectorRow(NamedTuple):
    ino: int
    name: str
    born: int
    collection: int
    data: bytes | None
    """Little-endian float32; None when removed."""


def get_vectors(view: "reader.Reader", ino: int) -> list[VectorRow]:
    """The file's vectors by name."""
    sql = (
        "SELECT ino, name, born, collection, data FROM vector v WHERE ino=?1 AND data IS NOT NULL"
        " AND born=(SELECT max(born) FROM vector WHERE ino=?1 AND name=v.name AND born<=?2) ORDER BY name"
    )
    return [VectorRow._make(row) for row in view.execute(sql, (ino, _at(view)))]


def vectors_of(view: "reader.Reader", inos: Sequence[int]) -> dict[int, list[VectorRow]]:
    """As `get_vectors`, of those of the files that have any; in one statement."""
    sql = (
        "SELECT ino, name, born, collection, data FROM vector v WHERE ino IN (SELECT value FROM json_each(?1))"
        " AND data IS NOT NULL AND born=(SELECT max(born) FROM vector WHERE ino=v.ino AND name=v.name AND born<=?2)"
        " ORDER BY ino, name"
    )
    found: dict[int, list[VectorRow]] = {}
    for row in view.execute(sql, (sqlite.json_list(inos), _at(view))):
        found.setdefault(row[0], []).append(VectorRow._make(row))
    return found


def put_vectors(txn: Writes, rows: Iterable[VectorRow]) -> None:
    txn.execute_many("INSERT OR REPLACE INTO vector(ino, name, born, collection, data) VALUES(?, ?, ?, ?, ?)", rows)


def put_named_vectors(
    txn: Executes, inos: Sequence[int], vectors: Sequence[bytes], *, name: str, collection: int, born: int
) -> None:
    """A vector of that name for each of the files, all equally long, at least one; in one statement."""
    sql = (
        "INSERT OR REPLACE INTO vector(ino, name, born, collection, data)"
        " SELECT value, ?1, ?2, ?3, substr(?4, 1 + (rowid - 1) * ?5, ?5) FROM carray(?6)"
    )
    files = apsw.carray(array("q", inos))
    txn.execute(sql, (name, born, collection, b"".join(vectors), len(vectors[0]), files))


def collection_vectors(
    view: "reader.Reader", collection: int, name: str, *, after_ino: int = 0, limit: int = 1000
) -> list[VectorRow]:
    """Up to `limit` vectors of that name of files in the collection, by ino above `after_ino`: one page of a scan.

    The present only: a removed file's vectors stay in the table for the history window.
    """
    sql = (
        "SELECT ino, name, born, collection, data FROM vector v WHERE collection=?1 AND name=?2 AND ino>?3 AND data IS NOT NULL"
        " AND born=(SELECT max(born) FROM vector WHERE ino=v.ino AND name=?2)"
        " AND EXISTS(SELECT 1 FROM node WHERE ino=v.ino) ORDER BY ino LIMIT ?4"
    )
    return [VectorRow._make(row) for row in view.execute(sql, (collection, name, after_ino, limit))]


def collection_vectors_of(view: "reader.Reader", collection: int, name: str, inos: Sequence[int]) -> list[tuple[int, bytes]]:
    """(ino, vector) of those of the files that `collection_vectors` would list, by ino; in one statement."""
    sql = (
        "SELECT ino, data FROM vector v WHERE ino IN (SELECT value FROM json_each(?3)) AND collection=?1 AND name=?2"
        " AND data IS NOT NULL AND born=(SELECT max(born) FROM vector WHERE ino=v.ino AND name=?2)"
        " AND EXISTS(SELECT 1 FROM node WHERE ino=v.ino) ORDER BY ino"
    )
    return view.execute(sql, (collection, name, sqlite.json_list(inos))).fetchall()  # type: ignore[no-any-return]


def iterate_collection(view: "reader.Reader", collection: int, name: str) -> Iterator[VectorRow]:
    """Every present vector of that name in the collection, by ino; for tests and small collections (a long read otherwise)."""
    after = 0
    while page := collection_vectors(view, collection, name, after_ino=after):
        yield from page
        after = page[-1].ino


# -- collection schemas ----------------------------------------------------------------------------


def get_schema(view: "reader.Reader", ino: int) -> tuple[int, str] | None:
    """(born, JSON) of the directory's schema, or None."""
    sql = "SELECT born, schema FROM collection WHERE ino=? AND born<=? ORDER BY born DESC LIMIT 1"
    for born, schema in view.execute(sql, (ino, _at(view))):
        return None if schema is None else (born, schema)
    return None


def all_schemas(view: "reader.Reader") -> list[tuple[int, int, str]]:
    """(ino, born, JSON) of every directory with a schema, by ino."""
    sql = (
        "SELECT ino, born, schema FROM collection c WHERE schema IS NOT NULL"
        " AND born=(SELECT max(born) FROM collection WHERE ino=c.ino AND born<=?) ORDER BY ino"
    )
    return [(ino, born, schema) for ino, born, schema in view.execute(sql, (_at(view),))]


def put_schema(txn: Executes, ino: int, schema: str | None, *, born: int) -> None:
    txn.execute("INSERT OR REPLACE INTO collection VALUES(?, ?, ?)", (ino, born, schema))


def forget(txn: Executes, ino: int) -> None:
    """Delete every version of everything here about a file whose history is over."""
    for table in ("xattr", "metadata", "vector", "collection"):
        txn.execute(f"DELETE FROM {table} WHERE ino=?", (ino,))
