"""FilesService, content: reading and writing, at once and as streams."""

import hashlib
from collections.abc import AsyncIterator, Callable

from vexfs.api.context import CallContext
from vexfs.api.errors import MalformedRequest
from vexfs.api.methods import messages, references
from vexfs.api.methods.defaults import CONTENT_MAX_BYTES, DIRECTORY_MODE, FILE_MODE, PIECE_BYTES, owner
from vexfs.api.methods.references import Found
from vexfs.api.registry import Handler
from vexfs.contract.v1 import content_pb2 as pb
from vexfs.contract.v1.common_pb2 import FileRef
from vexfs.core import content, files, quotas, trees
from vexfs.core.content import Prepared, StagedContent
from vexfs.core.errors import AlreadyExists, ContentChanged, NotFound, TooLarge
from vexfs.core.types import INLINE_MAX_BYTES, Node
from vexfs.core.uploads import PlacedContent
from vexfs.store.reader import Reader
from vexfs.store.writer import Transaction


async def get_content(context: CallContext, request: pb.GetContentRequest) -> pb.GetContentResponse:
    def run(view: Reader, revision: int) -> pb.GetContentResponse:
        node, path = references.find(view, request.file)
        length = _length(node, request.offset, request.length)
        if length > CONTENT_MAX_BYTES:
            raise TooLarge(
                f"that is {length:,} bytes, and one answer holds {CONTENT_MAX_BYTES:,}: read a part of it, or use ReadFile",
                limit_bytes=str(CONTENT_MAX_BYTES),
            )
        data = content.read(view, node.ino, request.offset, length)
        return pb.GetContentResponse(revision=revision, data=data, file=messages.file(node, path))

    return await context.read(run, at_revision=request.at_revision)


async def read_file(context: CallContext, request: pb.ReadFileRequest) -> AsyncIterator[pb.ReadFileResponse]:
    def begin(view: Reader, revision: int) -> tuple[pb.ReadFileResponse, Node, int]:
        node, path = references.find(view, request.file)
        length = _length(node, request.offset, request.length)
        data = content.read(view, node.ino, request.offset, min(length, PIECE_BYTES))
        file = messages.file(node, path)
        return pb.ReadFileResponse(revision=revision, data=data, offset=request.offset, file=file), node, length

    first, node, length = await context.read(begin, at_revision=request.at_revision)
    yield first
    offset, end = request.offset + len(first.data), request.offset + length

    # The later pieces show the revision of the first, whatever is written meanwhile.
    while offset < end:
        size = min(PIECE_BYTES, end - offset)
        data = await context.read(_reading(node, offset, size), at_revision=first.revision)
        yield pb.ReadFileResponse(revision=first.revision, data=data, offset=offset)
        offset += size


async def put_content(context: CallContext, request: pb.PutContentRequest) -> pb.PutContentResponse:
    if len(request.data) > CONTENT_MAX_BYTES:
        raise TooLarge(
            f"the content has {len(request.data):,} bytes, and one message takes {CONTENT_MAX_BYTES:,}: use WriteFile",
            limit_bytes=str(CONTENT_MAX_BYTES),
        )
    whole = not request.options.HasField("offset")
    blobs = context.application.volume.blobs

    def prepare() -> Prepared:
        segments = [(request.options.offset, request.data)] if request.data else []
        return content.prepare(blobs, segments, whole=whole)

    # Small content is only copied, which is no reason to change threads.
    prepared = prepare() if len(request.data) < INLINE_MAX_BYTES else await context.run(prepare)

    def run(txn: Transaction) -> pb.PutContentResponse:
        node, path = write(txn, request.file, request.options, prepared)
        return pb.PutContentResponse(revision=txn.revision, file=messages.file(node, path))

    return await context.write(pb.PutContentResponse, run)


async def write_file(context: CallContext, requests: AsyncIterator[pb.WriteFileRequest]) -> pb.WriteFileResponse:
    first = await anext(requests, None)
    if first is None or first.WhichOneof("part") != "header":
        raise MalformedRequest("the first message of the stream holds the header")
    header = first.header
    blobs = context.application.volume.blobs
    placed = header.options.HasField("offset")
    sum_of_data = hashlib.blake2b(context.request_digest, digest_size=32) if context.request_id else None
    limit_bytes = await context.run(lambda: quotas.limit_bytes(context.application.volume))
    with PlacedContent(blobs, header.options.offset, limit_bytes) if placed else StagedContent(blobs, limit_bytes) as incoming:
        async for request in requests:
            if request.WhichOneof("part") != "data":
                raise MalformedRequest("only the first message of the stream holds a header")
            await context.run(_writing(incoming, request.data))
            if sum_of_data is not None:
                sum_of_data.update(request.data)
        prepared = await context.run(incoming.finish)
    if sum_of_data is not None:
        context.request_digest = sum_of_data.digest()  # the same request is one with the same data

    def run(txn: Transaction) -> pb.WriteFileResponse:
        node, path = write(txn, header.file, header.options, prepared)
        return pb.WriteFileResponse(revision=txn.revision, file=messages.file(node, path))

    return await context.write(pb.WriteFileResponse, run)


def write(txn: Transaction, ref: FileRef, options: pb.WriteOptions, prepared: Prepared) -> Found:
    """Put prepared content into the file of a reference, which is made if a path names none yet. Raises ContentChanged."""
    condition = options.if_content_revision if options.HasField("if_content_revision") else None
    try:
        found = references.find(txn, ref)
    except NotFound:
        if ref.WhichOneof("name") == "id":
            raise
        if condition:
            raise ContentChanged("there is no such file (any more)", content_revision="0") from None
        found = _make(txn, ref, options)
    else:
        _check_condition(found.node, condition)
    ino = found.node.ino
    node = content.write(txn, ino, prepared) if options.HasField("offset") else content.replace(txn, ino, prepared)
    return Found(node, found.path)


def _make(txn: Transaction, ref: FileRef, options: pb.WriteOptions) -> Found:
    if options.make_parents:
        trees.make_parents(txn, references.components_of(ref), mode=DIRECTORY_MODE, **owner())
    place = references.new_place(txn, ref)
    mode = options.mode if options.HasField("mode") else FILE_MODE
    return Found(files.create(txn, place.parent, place.name, mode=mode, **owner()), place.path)


def _check_condition(node: Node, condition: int | None) -> None:
    if condition == 0:
        raise AlreadyExists("the file is there already", content_revision=str(node.content_revision))
    if condition is not None and condition != node.content_revision:
        raise ContentChanged(
            f"the content is of revision {node.content_revision} by now, not {condition}: read it and decide again",
            content_revision=str(node.content_revision),
        )


def _length(node: Node, offset: int, wanted: int) -> int:
    there = max(0, node.size_bytes - offset) if node.is_regular else 0
    return min(wanted, there) if wanted else there


def _reading(node: Node, offset: int, size: int) -> Callable[[Reader, int], bytes]:
    return lambda view, _: content.read(view, node.ino, offset, size)


def _writing(incoming: StagedContent | PlacedContent, data: bytes) -> Callable[[], None]:
    return lambda: incoming.write(data)


HANDLERS: dict[str, Handler] = {
    "vexfs.v1.FilesService.ReadFile": read_file,
    "vexfs.v1.FilesService.GetContent": get_content,
    "vexfs.v1.FilesService.WriteFile": write_file,
    "vexfs.v1.FilesService.PutContent": put_content,
}
