"""FilesService, links: symbolic ones and further names."""

from vexfs.api.context import CallContext
from vexfs.api.methods import messages, references
from vexfs.api.methods.defaults import owner
from vexfs.api.registry import Handler
from vexfs.contract.v1 import links_pb2 as pb
from vexfs.core import files
from vexfs.store.reader import Reader
from vexfs.store.writer import Transaction


async def create_symlink(context: CallContext, request: pb.CreateSymlinkRequest) -> pb.CreateSymlinkResponse:
    target = request.target_bytes if request.WhichOneof("destination") == "target_bytes" else request.target.encode()

    def run(txn: Transaction) -> pb.CreateSymlinkResponse:
        place = references.new_place(txn, request.link)
        node = files.make_symlink(txn, place.parent, place.name, target=target, **owner())
        return pb.CreateSymlinkResponse(revision=txn.revision, file=messages.file(node, place.path))

    return await context.write(pb.CreateSymlinkResponse, run)


async def read_symlink(context: CallContext, request: pb.ReadSymlinkRequest) -> pb.ReadSymlinkResponse:
    def run(view: Reader, revision: int) -> pb.ReadSymlinkResponse:
        target = files.read_symlink(view, references.find(view, request.file).node.ino)
        try:
            return pb.ReadSymlinkResponse(revision=revision, target=target.decode("utf-8"))
        except UnicodeDecodeError:
            return pb.ReadSymlinkResponse(revision=revision, target_bytes=target)

    return await context.read(run, at_revision=request.at_revision)


async def create_link(context: CallContext, request: pb.CreateLinkRequest) -> pb.CreateLinkResponse:
    def run(txn: Transaction) -> pb.CreateLinkResponse:
        node = references.find(txn, request.file).node
        place = references.new_place(txn, request.link)
        linked = files.link(txn, node.ino, place.parent, place.name)
        return pb.CreateLinkResponse(revision=txn.revision, file=messages.file(linked, place.path))

    return await context.write(pb.CreateLinkResponse, run)


HANDLERS: dict[str, Handler] = {
    "vexfs.v1.FilesService.CreateSymlink": create_symlink,
    "vexfs.v1.FilesService.ReadSymlink": read_symlink,
    "vexfs.v1.FilesService.CreateLink": create_link,
}
