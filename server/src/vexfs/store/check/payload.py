"""Rules of what clients attach: metadata, schemas, vectors."""

from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from vexfs.core import acls, collections
from vexfs.core.attributes import check_metadata
from vexfs.core.errors import VexfsError
from vexfs.core.points import check_vector
from vexfs.core.types import (
    CHANGE_COLLECTION,
    CHANGE_METADATA,
    CHANGE_VECTORS,
    CHANGE_XATTR,
    NODE_HAS_ACL,
    NODE_HAS_DEFAULT_ACL,
    Change,
    Collection,
    Ino,
    Node,
)
from vexfs.store import nodes, versioned
from vexfs.store.check.rule import Invariant, Problem
from vexfs.store.reader import Reader
from vexfs.store.versioned import VectorRow
from vexfs.store.writer import Transaction


def _find_bad_metadata(view: Reader) -> Iterator[Problem]:
    sql = "SELECT ino, json FROM metadata m WHERE json IS NOT NULL AND born=(SELECT max(born) FROM metadata WHERE ino=m.ino)"
    for ino, json in view.execute(sql).fetchall():
        try:
            check_metadata(json.encode())
        except VexfsError as error:
            yield Problem(f"file {ino}", error.message, (ino,))


def _drop_metadata(txn: Transaction, problem: Problem) -> None:
    (ino,) = problem.data
    versioned.put_metadata(txn, [(ino, None)], born=txn.revision)
    txn.note(Change(CHANGE_METADATA, ino))


def _find_wrong_acl(view: Reader) -> Iterator[Problem]:
    sql = (
        "SELECT DISTINCT ino FROM xattr x WHERE name IN (?, ?) AND EXISTS(SELECT 1 FROM node WHERE ino=x.ino)"
        " UNION SELECT ino FROM node WHERE flags<>0"
    )
    for (ino,) in view.execute(sql, acls.NAMES).fetchall():
        node = nodes.get(view, ino)
        if node is not None and (message := _wrong_acl(view, node)):
            yield Problem(f"file {ino}", message, (ino,))


def _wrong_acl(view: Reader, node: Node) -> str:
    access, default = (versioned.get_xattr(view, node.ino, name) for name in acls.NAMES)
    flags = (NODE_HAS_ACL if access is not None else 0) | (NODE_HAS_DEFAULT_ACL if default is not None else 0)
    try:
        entries = [acls.parse(value) for value in (access, default) if value is not None]
    except VexfsError as error:
        return f"has an unusable access control list: {error.message}"
    if node.flags != flags:
        return "is not marked as its access control lists want it"
    if access is not None and acls.permissions(entries[0]) != node.mode & 0o777:
        return "has an access control list that says another mode than its own"
    return "has a default access control list and is no directory" if default is not None and not node.is_directory else ""


def _settle_acl(txn: Transaction, problem: Problem) -> None:
    """Keep what can be read, as the mode has it; the rest goes."""
    (ino,) = problem.data
    node = nodes.get(txn, ino)
    if node is None:
        return
    flags = 0
    for name, flag in zip(acls.NAMES, (NODE_HAS_ACL, NODE_HAS_DEFAULT_ACL), strict=True):
        value = versioned.get_xattr(txn, ino, name)
        if value is None:
            continue
        kept = _kept_acl(node, name, value)
        flags |= flag if kept is not None else 0
        versioned.put_xattr(txn, ino, name, kept, born=txn.revision)
    txn.execute("UPDATE node SET flags=?, revision=? WHERE ino=?", (flags, txn.revision, ino))
    txn.note(Change(CHANGE_XATTR, ino))


def _kept_acl(node: Node, name: bytes, value: bytes) -> bytes | None:
    try:
        entries = acls.parse(value)
    except VexfsError:
        return None
    if name == acls.DEFAULT:
        return value if node.is_directory else None
    return None if acls.is_minimal(entries) else acls.pack(acls.with_mode(entries, node.mode))


def _find_bad_schema(view: Reader) -> Iterator[Problem]:
    for ino, _, schema in versioned.all_schemas(view):
        node = nodes.get(view, ino)
        if node is None or not node.is_directory:
            yield Problem(f"collection {ino}", "is no directory", (ino,))
            continue
        try:
            collections.check_schema(collections.get(view, node.ino).schema)
        except (VexfsError, msgspec.DecodeError) as error:
            yield Problem(f"collection {ino}", f"has an unusable schema {schema[:80]!r}: {error}", (ino,))


def _drop_schema(txn: Transaction, problem: Problem) -> None:
    (ino,) = problem.data
    versioned.put_schema(txn, ino, None, born=txn.revision)
    txn.note(Change(CHANGE_COLLECTION, ino))


def _find_misfit_vector(view: Reader) -> Iterator[Problem]:
    sql = (
        "SELECT ino, name, born, collection, data FROM vector v WHERE data IS NOT NULL"
        " AND born=(SELECT max(born) FROM vector WHERE ino=v.ino AND name=v.name)"
        " AND EXISTS(SELECT 1 FROM node WHERE ino=v.ino)"
    )
    declared = {found.ino: found for found in collections.list_all(view)}
    for row in map(VectorRow._make, view.execute(sql).fetchall()):
        message = _misfit(view, row, declared)
        if message:
            yield Problem(f"vector {row.name!r} of file {row.ino}", message, (row.ino, row.name, row.collection))


def _misfit(view: Reader, row: VectorRow, declared: Mapping[Ino, Collection]) -> str:
    owner = collections.owner_of(view, Ino(row.ino))
    if owner.ino != row.collection:
        return f"belongs to collection {row.collection}; the file lies in {owner.ino}"
    try:
        check_vector(collections.vector_spec(declared.get(Ino(row.collection), owner), row.name), row.data or b"")
    except VexfsError as error:
        return error.message
    return "" if np.frombuffer(row.data or b"", "<f4").size else "is empty"


def _drop_vector(txn: Transaction, problem: Problem) -> None:
    ino, name, collection = problem.data
    versioned.put_vectors(txn, [VectorRow(ino, name, txn.revision, collection, None)])
    txn.note(Change(CHANGE_VECTORS, ino, collection, name.encode()))


INVARIANTS = (
    Invariant(
        "acl-agrees",
        "An access control list is usable and agrees with its file's mode, and the file is marked as having it.",
        _find_wrong_acl,
        _settle_acl,
    ),
    Invariant("metadata-object", "Metadata is a JSON object within its limit.", _find_bad_metadata, _drop_metadata),
    Invariant("schema-usable", "A collection is a directory with a usable schema.", _find_bad_schema, _drop_schema),
    Invariant("vector-fits", "A vector fits the schema of the collection its file lies in.", _find_misfit_vector, _drop_vector),
)
