"""Points: files of a collection seen as vectors with a payload. Id = name, payload = metadata, content empty unless given.

Called by the surfaces. Validates a whole batch before it writes any of it; a transaction takes at most VECTOR_BATCH_MAX
vectors, a larger batch is split by the caller with `batches`.
"""

import itertools
import math
import os
import stat as _stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from vexfs.core import attributes, collections, content, files
from vexfs.core.content import Prepared
from vexfs.core.errors import (
    DimensionMismatch,
    InvalidName,
    InvalidRequest,
    InvalidVector,
    IsADirectory,
    NotARegularFile,
    NotFound,
    PointNotFound,
    VectorsDoNotFit,
)
from vexfs.core.paths import check_name
from vexfs.core.types import (
    CHANGE_METADATA,
    CHANGE_VECTORS,
    VECTOR_BATCH_MAX,
    Change,
    Collection,
    Ino,
    Node,
    Point,
    Removed,
    VectorSpec,
)
from vexfs.store import dentries, nodes, versioned
from vexfs.store.reader import Reader
from vexfs.store.versioned import VectorRow
from vexfs.store.writer import Transaction

_FLOAT_BYTES = 4
_DEFAULT_MODE = _stat.S_IFREG | 0o644


class PointInput(NamedTuple):
    """A point to be written. None for `metadata` or `content` leaves that of an existing point as it is."""

    id: str
    vectors: dict[str, bytes]
    """All it has afterwards, by name ("" for the collection's first); little-endian float32."""
    metadata: bytes | None = None
    content: Prepared | None = None


def validate(collection: Collection, items: Sequence[PointInput]) -> list[PointInput]:
    """Check a batch against the schema and return it with every vector's full name; nothing is written.

    Raises InvalidVector, DimensionMismatch, InvalidName, InvalidMetadata, InvalidSchema, InvalidRequest (the same id twice).
    """
    if len({item.id for item in items}) != len(items):
        raise InvalidRequest("the same point id stands twice in one batch")
    specs = {name: collections.vector_spec(collection, name) for name in {name for item in items for name in item.vectors}}
    for item in items:
        check_name(_name_of(item.id))
        if item.metadata is not None:
            attributes.check_metadata(item.metadata)
    for name, spec in specs.items():
        vectors = [(item.id, item.vectors[name]) for item in items if name in item.vectors]
        for start in range(0, len(vectors), VECTOR_BATCH_MAX):  # a copy of all would keep others from the interpreter
            _check_vectors(spec, dict(vectors[start : start + VECTOR_BATCH_MAX]))
    return [item._replace(vectors={specs[name].name: data for name, data in item.vectors.items()}) for item in items]


def _check_vectors(spec: VectorSpec, vectors: dict[str, bytes]) -> None:
    """`check_vector` of each, by the id of its point; those that one sum of squares shows to be in order are not looked at."""
    suspects: Iterable[str] = vectors
    if all(len(data) == spec.dimension * _FLOAT_BYTES for data in vectors.values()):
        values = np.frombuffer(b"".join(vectors.values()), "<f4").reshape(len(vectors), spec.dimension)
        squares = np.einsum("ij,ij->i", values, values)
        suspects = itertools.compress(vectors, ~(np.isfinite(squares) & (squares > 0)))
    for id in suspects:
        check_vector(spec, vectors[id], point=id)


def _name_of(id: str) -> bytes:
    try:
        return id.encode()
    except UnicodeEncodeError:
        raise InvalidName("a point's id is not valid Unicode") from None


def check_vector(spec: VectorSpec, data: bytes, *, point: str = "") -> None:
    """Raise InvalidVector or DimensionMismatch unless `data` is a vector that `spec` takes."""
    where = f"point {point!r}: " if point else ""
    if len(data) % _FLOAT_BYTES:
        raise InvalidVector(f"{where}a vector is packed little-endian float32; {len(data)} bytes are no whole number of them")
    dimension = len(data) // _FLOAT_BYTES
    if dimension != spec.dimension:
        raise DimensionMismatch(
            f"{where}the vector has {dimension} dimensions, {spec.name!r} has {spec.dimension}",
            expected=str(spec.dimension),
            actual=str(dimension),
        )
    values = np.frombuffer(data, "<f4")
    wide = values.astype(np.float64)  # no sum of squares of finite float32 overflows it
    if 0.0 < wide.dot(wide) < math.inf:
        return
    if not np.isfinite(values).all():
        raise InvalidVector(f"{where}the vector holds NaN or infinity")
    if spec.metric == "cosine" and not values.any():
        raise InvalidVector(f"{where}a zero vector has no direction, which the cosine metric needs")


def batches(items: Sequence[PointInput]) -> Iterator[Sequence[PointInput]]:
    """Split so that each part has at most VECTOR_BATCH_MAX vectors."""
    start = count = 0
    for index, item in enumerate(items):
        vectors = max(1, len(item.vectors))
        if count and count + vectors > VECTOR_BATCH_MAX:
            yield items[start:index]
            start, count = index, 0
        count += vectors
    if start < len(items):
        yield items[start:]


def upsert(txn: Transaction, collection: Collection, items: Sequence[PointInput]) -> list[Ino]:
    """Write validated points, creating those that are absent.

    Raises CollectionNotFound when the schema has changed meanwhile; as `content.replace` for the content.
    """
    current = collections.get(txn, collection.ino)
    if current.schema != collection.schema:
        validate(current, items)
    names = [_name_of(item.id) for item in items]
    there = _change_existing(txn, current, dict(zip(names, items, strict=True)))
    absent = [name for name in names if name not in there]
    made = files.create_many(txn, current.ino, absent, mode=_DEFAULT_MODE, uid=os.getuid(), gid=os.getgid())
    inos_by_name = there | dict(zip(absent, made, strict=True))
    inos = [inos_by_name[name] for name in names]
    _put_metadata(txn, inos, items)
    _put_vectors_of(txn, current, inos, items, set(there.values()))
    for ino, item in zip(inos, items, strict=True):
        if item.content is not None:
            content.replace(txn, ino, item.content)
    return inos


def _change_existing(txn: Transaction, collection: Collection, items: Mapping[bytes, PointInput]) -> dict[bytes, Ino]:
    """Where those of the names lead that are there; their files count as changed now."""
    there = dentries.get_many(txn, collection.ino, list(items))
    if not there:
        return there
    found = nodes.get_many(txn, list(there.values()))
    for name, ino in there.items():
        _check_point(txn, collection, items[name].id, found[ino])
    for node in found.values():
        nodes.write_row(txn, node.with_links_changed(txn.now_ns, txn.revision, 0), node, txn.keep_from)
    return there


def _check_point(txn: Transaction, collection: Collection, id: str, node: Node) -> None:
    """Raise IsADirectory, NotARegularFile or VectorsDoNotFit unless the file can be a point."""
    if node.is_directory:
        raise IsADirectory(f"{id!r} names a directory: a point is a regular file", id=id)
    if not node.is_regular:
        raise NotARegularFile(f"{id!r} names a special file: a point is a regular file", id=id)
    if node.nlink > 1 and any(
        collections.owner_of(txn, parent).ino != collection.ino for parent, _ in dentries.names_of(txn, node.ino)
    ):
        raise VectorsDoNotFit(f"{id!r} has another name, outside the collection: its vectors would not fit there")


def _put_metadata(txn: Transaction, inos: Sequence[Ino], items: Sequence[PointInput]) -> None:
    rows = [(ino, item.metadata.decode()) for ino, item in zip(inos, items, strict=True) if item.metadata is not None]
    versioned.put_metadata(txn, rows, born=txn.revision)
    for ino, _ in rows:
        txn.note(Change(CHANGE_METADATA, ino))


def _put_vectors_of(
    txn: Transaction, collection: Collection, inos: Sequence[Ino], items: Sequence[PointInput], existing: set[Ino]
) -> None:
    """Each point has its item's vectors afterwards and no other; of two that are the same file, the last one's."""
    last = dict(zip(inos, items, strict=True))
    for spec in collection.schema.vectors:
        put = {ino: item.vectors[spec.name] for ino, item in last.items() if spec.name in item.vectors}
        if put:
            name, owner = spec.name, collection.ino
            versioned.put_named_vectors(txn, list(put), list(put.values()), name=name, collection=owner, born=txn.revision)
            txn.changes += [Change(CHANGE_VECTORS, ino, owner, name.encode()) for ino in put]
    for ino in existing:
        item = last[ino]
        if len(item.vectors) < len(collection.schema.vectors):
            left_out = [row for row in versioned.get_vectors(txn, ino) if row.name not in item.vectors]
            put_vectors(txn, [row._replace(born=txn.revision, data=None) for row in left_out])


def put_vectors(txn: Transaction, rows: Sequence[VectorRow]) -> None:
    """Write vectors, or their removal where a row has no data, and tell the views."""
    versioned.put_vectors(txn, rows)
    for row in rows:
        txn.note(Change(CHANGE_VECTORS, row.ino, row.collection, row.name.encode()))


def get(view: Reader, collection: Collection, id: str) -> Point:
    """Raises PointNotFound."""
    for point in get_many(view, collection, [id], with_vectors=True):
        return point
    raise PointNotFound(f"the collection has no point {id!r}", id=id)


def get_many(view: Reader, collection: Collection, ids: Sequence[str], *, with_vectors: bool) -> list[Point]:
    """Those of the points that are there, in the order of the ids; vectors are empty unless asked for.

    Takes a few statements whatever their number; who asks for very many pages the call.
    """
    names = [id.encode("utf-8", "surrogatepass") for id in ids]
    inos = dentries.get_many(view, collection.ino, names)
    found = nodes.get_many(view, list(inos.values()))
    asked = [(id, found.get(inos.get(name, 0))) for id, name in zip(ids, names, strict=True)]
    return from_nodes(
        view, [(node, id) for id, node in asked if node is not None and node.is_regular], with_vectors=with_vectors
    )


def from_node(view: Reader, node: Node, id: str) -> Point:
    """A file as a point, with its vectors."""
    return from_nodes(view, [(node, id)], with_vectors=True)[0]


def from_nodes(view: Reader, files: Sequence[tuple[Node, str]], *, with_vectors: bool) -> list[Point]:
    """Files as points, each with its id; vectors are empty unless asked for. Takes two statements at most."""
    inos = [node.ino for node, _ in files]
    metadata = versioned.metadata_of(view, inos)
    vectors = versioned.vectors_of(view, inos) if with_vectors else {}
    return [
        Point(
            node.ino,
            id,
            metadata[node.ino].encode() if node.ino in metadata else attributes.NO_METADATA,
            {row.name: bytes(row.data or b"") for row in vectors.get(node.ino, ())},
            node.revision,
        )
        for node, id in files
    ]


def id_of(name: bytes) -> str:
    """The id of the point whose file has that name."""
    return name.decode("utf-8", "backslashreplace")


def list_page(view: Reader, collection: Collection, *, after: bytes = b"", limit: int = 100) -> list[Point]:
    """Up to `limit` points with ids above `after`, in byte order."""
    found: list[Point] = []
    while len(found) < limit and (page := dentries.list_page(view, collection.ino, after=after, limit=limit)):
        regular = [(entry.node, id_of(entry.name)) for entry in page if entry.node.is_regular]
        found += from_nodes(view, regular[: limit - len(found)], with_vectors=True)
        after = page[-1].name
    return found


def delete(txn: Transaction, collection: Collection, ids: Sequence[str]) -> list[Removed]:
    """Remove points; those that are absent are no error. Returns the removed."""
    removed = []
    for id in ids:
        try:
            removed.append(_delete_one(txn, collection, id.encode("utf-8", "surrogatepass")))
        except NotFound:
            continue
    return removed


def _delete_one(txn: Transaction, collection: Collection, name: bytes) -> Removed:
    node = files.lookup(txn, collection.ino, name)
    for row in versioned.get_vectors(txn, node.ino):
        txn.note(Change(CHANGE_VECTORS, node.ino, row.collection, row.name.encode()))
    return files.remove(txn, collection.ino, name)
