"""FilesService, what clients attach to files: attributes, extended attributes, metadata."""

from vexfs.api.context import CallContext
from vexfs.api.methods import messages, references
from vexfs.api.registry import Handler
from vexfs.contract.v1 import attributes_pb2 as pb
from vexfs.core import attributes, content, files
from vexfs.store.reader import Reader
from vexfs.store.writer import Transaction


async def set_attributes(context: CallContext, request: pb.SetAttributesRequest) -> pb.SetAttributesResponse:
    def run(txn: Transaction) -> pb.SetAttributesResponse:
        node, path = references.find(txn, request.file)
        if request.HasField("size_bytes"):
            content.truncate(txn, node.ino, request.size_bytes)
        changed = files.set_attributes(
            txn,
            node.ino,
            mode=request.mode if request.HasField("mode") else None,
            uid=request.uid if request.HasField("uid") else None,
            gid=request.gid if request.HasField("gid") else None,
            atime_ns=messages.nanoseconds(request.atime) if request.HasField("atime") else None,
            mtime_ns=messages.nanoseconds(request.mtime) if request.HasField("mtime") else None,
        )
        return pb.SetAttributesResponse(revision=txn.revision, file=messages.file(changed, path))

    return await context.write(pb.SetAttributesResponse, run)


async def get_xattr(context: CallContext, request: pb.GetXattrRequest) -> pb.GetXattrResponse:
    def run(view: Reader, revision: int) -> pb.GetXattrResponse:
        node = references.find(view, request.file).node
        return pb.GetXattrResponse(revision=revision, value=attributes.get_xattr(view, node.ino, request.name.encode()))

    return await context.read(run, at_revision=request.at_revision)


async def set_xattr(context: CallContext, request: pb.SetXattrRequest) -> pb.SetXattrResponse:
    def run(txn: Transaction) -> pb.SetXattrResponse:
        attributes.set_xattr(
            txn,
            references.find(txn, request.file).node.ino,
            request.name.encode(),
            request.value,
            create=request.create_only,
            replace=request.replace_only,
        )
        return pb.SetXattrResponse(revision=txn.revision)

    return await context.write(pb.SetXattrResponse, run)


async def list_xattrs(context: CallContext, request: pb.ListXattrsRequest) -> pb.ListXattrsResponse:
    def run(view: Reader, revision: int) -> pb.ListXattrsResponse:
        names = attributes.list_xattrs(view, references.find(view, request.file).node.ino)
        return pb.ListXattrsResponse(revision=revision, names=[name.decode("utf-8", "backslashreplace") for name in names])

    return await context.read(run, at_revision=request.at_revision)


async def remove_xattr(context: CallContext, request: pb.RemoveXattrRequest) -> pb.RemoveXattrResponse:
    def run(txn: Transaction) -> pb.RemoveXattrResponse:
        attributes.remove_xattr(txn, references.find(txn, request.file).node.ino, request.name.encode())
        return pb.RemoveXattrResponse(revision=txn.revision)

    return await context.write(pb.RemoveXattrResponse, run)


async def get_metadata(context: CallContext, request: pb.GetMetadataRequest) -> pb.GetMetadataResponse:
    def run(view: Reader, revision: int) -> pb.GetMetadataResponse:
        json = attributes.get_metadata(view, references.find(view, request.file).node.ino)
        return pb.GetMetadataResponse(revision=revision, metadata=messages.metadata_struct(json))

    return await context.read(run, at_revision=request.at_revision)


async def set_metadata(context: CallContext, request: pb.SetMetadataRequest) -> pb.SetMetadataResponse:
    json = messages.metadata_json(request.metadata)

    def run(txn: Transaction) -> pb.SetMetadataResponse:
        node, path = references.find(txn, request.file)
        changed = attributes.set_metadata(txn, node.ino, json)
        return pb.SetMetadataResponse(revision=txn.revision, file=messages.file(changed, path))

    return await context.write(pb.SetMetadataResponse, run)


HANDLERS: dict[str, Handler] = {
    "vexfs.v1.FilesService.SetAttributes": set_attributes,
    "vexfs.v1.FilesService.GetXattr": get_xattr,
    "vexfs.v1.FilesService.SetXattr": set_xattr,
    "vexfs.v1.FilesService.ListXattrs": list_xattrs,
    "vexfs.v1.FilesService.RemoveXattr": remove_xattr,
    "vexfs.v1.FilesService.GetMetadata": get_metadata,
    "vexfs.v1.FilesService.SetMetadata": set_metadata,
}
