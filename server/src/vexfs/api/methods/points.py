"""PointsService: the files of a collection seen as vectors with a payload. Queries are in `queries`, streams of points in
`points_stream`."""

from collections.abc import Sequence
from typing import NamedTuple

from vexfs.api.context import CallContext
from vexfs.api.methods import messages, references
from vexfs.api.methods.defaults import PAGE_DEFAULT, VECTORS_MAX_BYTES
from vexfs.api.registry import Handler
from vexfs.contract.v1 import points_pb2 as pb
from vexfs.contract.v1.common_pb2 import FileRef
from vexfs.core import collections, content, files, points, trees
from vexfs.core.errors import InvalidRequest, TooLarge
from vexfs.core.points import PointInput
from vexfs.core.types import Collection, Point
from vexfs.store.reader import Reader
from vexfs.store.writer import Transaction

READ_POINTS = 256
"""Points are read so many at a time: few statements, and no more in memory than an answer may hold."""


class Incoming(NamedTuple):
    """Checked points on their way into the store."""

    collection: Collection
    items: list[PointInput]


async def upsert_points(context: CallContext, request: pb.UpsertPointsRequest) -> pb.UpsertPointsResponse:
    if len(request.points) > 1 and (stored := await context.stored(pb.UpsertPointsResponse)) is not None:
        return stored
    incoming = await context.read(lambda view, _: check(context, view, request.collection, request.points))
    *before, last = points.batches(incoming.items)
    for batch in before:
        context.deadline.check()
        await context.step(lambda txn, batch=batch: points.upsert(txn, incoming.collection, batch))  # type: ignore[misc]

    def finish(txn: Transaction) -> pb.UpsertPointsResponse:
        points.upsert(txn, incoming.collection, last)
        return pb.UpsertPointsResponse(revision=txn.revision, upserted=len(incoming.items))

    return await context.write(pb.UpsertPointsResponse, finish)


async def get_points(context: CallContext, request: pb.GetPointsRequest) -> pb.GetPointsResponse:
    def run(view: Reader, revision: int) -> pb.GetPointsResponse:
        collection = find(view, request.collection)
        response = pb.GetPointsResponse(revision=revision)
        size_bytes = 0
        for start in range(0, len(request.ids), READ_POINTS):
            ids = request.ids[start : start + READ_POINTS]
            for point in points.get_many(view, collection, ids, with_vectors=request.with_vectors):
                size_bytes += size_of(point)
                if size_bytes > VECTORS_MAX_BYTES:
                    raise TooLarge(f"the answer is larger than {VECTORS_MAX_BYTES:,} bytes: ask for fewer points at a time")
                fill(response.points.add(), point)
        return response

    return await context.read(run)


async def list_points(context: CallContext, request: pb.ListPointsRequest) -> pb.ListPointsResponse:
    limit = request.page_size or PAGE_DEFAULT
    after = messages.page_position(request.page_token)

    def run(view: Reader, revision: int) -> pb.ListPointsResponse:
        collection = find(view, request.collection)
        response = pb.ListPointsResponse(revision=revision)
        position, last, size_bytes = after, b"", 0
        # By entries, not by points: what else lies in the directory is no point, and a page of it is not the end.
        while page := files.list_directory(view, collection.ino, after=position, limit=min(limit, READ_POINTS)):
            regular = [entry for entry in page if entry.node.is_regular]
            found = [(entry.node, points.id_of(entry.name)) for entry in regular]
            read = points.from_nodes(view, found, with_vectors=request.with_vectors)
            for entry, point in zip(regular, read, strict=True):
                size_bytes += size_of(point)
                if len(response.points) == limit or (response.points and size_bytes > VECTORS_MAX_BYTES):
                    response.next_page_token = messages.page_token(last)
                    return response
                fill(response.points.add(), point)
                last = entry.name
            position = page[-1].name
        return response

    return await context.read(run)


async def delete_points(context: CallContext, request: pb.DeletePointsRequest) -> pb.DeletePointsResponse:
    if len(request.ids) > trees.STEP_FILES and (stored := await context.stored(pb.DeletePointsResponse)) is not None:
        return stored
    parts = [request.ids[start : start + trees.STEP_FILES] for start in range(0, len(request.ids), trees.STEP_FILES)]
    *before, last = parts
    deleted = 0
    for part in before:
        context.deadline.check()
        deleted += await context.step(lambda txn, part=part: _delete(txn, request.collection, part))  # type: ignore[misc]

    def finish(txn: Transaction) -> pb.DeletePointsResponse:
        count = deleted + _delete(txn, request.collection, last)
        return pb.DeletePointsResponse(revision=txn.revision, deleted=count)

    return await context.write(pb.DeletePointsResponse, finish)


def find(view: Reader, ref: FileRef) -> Collection:
    """The collection a reference names. Raises NotFound, CollectionNotFound."""
    return collections.get(view, references.find(view, ref).node.ino)


def fill(message: pb.Point, point: Point) -> None:
    """Put a point into an empty message as the contract shows it, with the vectors that were read."""
    message.id = point.id
    message.file_id = point.ino
    messages.fill_metadata(message.metadata, point.metadata)
    for name, data in point.vectors.items():
        message.vectors[name].values = data
    message.revision = point.revision


def size_of(point: Point) -> int:
    """About what a point takes in a message, in bytes."""
    return len(point.metadata) + len(point.id) + sum(map(len, point.vectors.values())) + 32


def check(context: CallContext, view: Reader, ref: FileRef, inputs: Sequence[pb.PointInput]) -> Incoming:
    """The collection and what is to be put, all of it in order. Raises as `find` and `points.validate`; nothing is written."""
    collection = find(view, ref)
    known = {spec.name for spec in collection.schema.vectors}
    for name in {name for point in inputs for name in point.vectors} - known:
        raise InvalidRequest(f"the collection has no vector named {name[:64]!r}; it has: {', '.join(sorted(known)) or 'none'}")
    blobs = context.application.volume.blobs
    items = [
        PointInput(
            point.id,
            {name: vector.values for name, vector in point.vectors.items()},
            messages.metadata_json(point.metadata) if point.HasField("metadata") else None,
            content.prepare(blobs, [(0, point.content)], whole=True) if point.HasField("content") else None,
        )
        for point in inputs
    ]
    return Incoming(collection, points.validate(collection, items))


def _delete(txn: Transaction, ref: FileRef, ids: Sequence[str]) -> int:
    return len(points.delete(txn, find(txn, ref), ids))


HANDLERS: dict[str, Handler] = {
    "vexfs.v1.PointsService.UpsertPoints": upsert_points,
    "vexfs.v1.PointsService.GetPoints": get_points,
    "vexfs.v1.PointsService.DeletePoints": delete_points,
    "vexfs.v1.PointsService.ListPoints": list_points,
}
