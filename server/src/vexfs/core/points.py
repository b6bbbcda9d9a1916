"""Points: files of a collection seen as vectors with a payload. Id = name, payload = metadata, content empty unless given.

Called by the surfaces. Validates a whole batch before it writes any of it; a transaction takes at most VECTOR_BATCH_MAX
vectors, a larger batch is split by the caller with `batches`.
"""

import os
import stat as _stat
from collections.abc import Iterator, Sequence
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
    checked = []
    for item in items:
        check_name(_name_of(item.id))
        if item.metadata is not None:
            attributes.check_metadata(item.metadata)
        vectors = {}
        for name, data in item.vectors.items():
            spec = collections.vector_spec(collection, name)
            check_vector(spec, data, point=item.id)
            vectors[spec.name] = data
        checked.append(item._replace(vectors=vectors))
    return checked


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
    return [_upsert_one(txn, current, item) for item in items]


def _upsert_one(txn: Transaction, collection: Collection, item: PointInput) -> Ino:
    ino, is_new = _find_or_create(txn, collection.ino, item)
    if item.metadata is not None:
        versioned.put_metadata(txn, [(ino, item.metadata.decode())], born=txn.revision)
        txn.note(Change(CHANGE_METADATA, ino))
    rows = [VectorRow(ino, vector, txn.revision, collection.ino, data) for vector, data in item.vectors.items()]
    if not is_new and len(item.vectors) < len(collection.schema.vectors):
        left_out = [row for row in versioned.get_vectors(txn, ino) if row.name not in item.vectors]
        rows += [row._replace(born=txn.revision, data=None) for row in left_out]
    put_vectors(txn, rows)
    if item.content is not None:
        content.replace(txn, ino, item.content)
    return ino


def _find_or_create(txn: Transaction, collection: Ino, item: PointInput) -> tuple[Ino, bool]:
    """The point's file, as changed now; and whether it is new."""
    name = _name_of(item.id)
    ino = dentries.get(txn, collection, name)
    if ino is None:
        return files.create(txn, collection, name, mode=_DEFAULT_MODE, uid=os.getuid(), gid=os.getgid()).ino, True
    node = files.stat(txn, ino)
    if node.is_directory:
        raise IsADirectory(f"{item.id!r} names a directory: a point is a regular file", id=item.id)
    if not node.is_regular:
        raise NotARegularFile(f"{item.id!r} names a special file: a point is a regular file", id=item.id)
    if node.nlink > 1 and any(collections.owner_of(txn, parent).ino != collection for parent, _ in dentries.names_of(txn, ino)):
        raise VectorsDoNotFit(f"{item.id!r} has another name, outside the collection: its vectors would not fit there")
    nodes.write_row(txn, node.with_links_changed(txn.now_ns, txn.revision, 0), node, txn.keep_from)
    return ino, False


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
