"""FilesService, the tree: stat, list, make directories, move, copy, remove."""

from vexfs.api.context import CallContext
from vexfs.api.methods import messages, references
from vexfs.api.methods.defaults import DIRECTORY_MODE, PAGE_DEFAULT, PAGE_PATH_BYTES_MAX, owner
from vexfs.api.registry import Handler
from vexfs.contract.v1 import files_pb2 as pb
from vexfs.core import files, trees
from vexfs.core.errors import AlreadyExists
from vexfs.core.types import Node
from vexfs.store.reader import Reader
from vexfs.store.writer import Transaction


async def stat_file(context: CallContext, request: pb.StatFileRequest) -> pb.StatFileResponse:
    def run(view: Reader, revision: int) -> pb.StatFileResponse:
        node, path = references.find(view, request.file)
        return pb.StatFileResponse(revision=revision, file=messages.file(node, path))

    return await context.read(run, at_revision=request.at_revision)


async def list_files(context: CallContext, request: pb.ListFilesRequest) -> pb.ListFilesResponse:
    limit = request.page_size or PAGE_DEFAULT
    after = messages.page_position(request.page_token)

    def run(view: Reader, revision: int) -> pb.ListFilesResponse:
        node, path = references.find(view, request.directory)
        entries = files.list_directory(view, node.ino, after=after, limit=limit)
        response = pb.ListFilesResponse(revision=revision)
        path_bytes = 0
        for entry in entries:
            child = references.child_path(path, entry.name)
            path_bytes += len(child or b"")
            if path_bytes > PAGE_PATH_BYTES_MAX:
                break
            response.files.append(messages.file(entry.node, child))
        shown = len(response.files)
        if shown == limit or shown < len(entries):
            response.next_page_token = messages.page_token(entries[shown - 1].name)
        return response

    return await context.read(run, at_revision=request.at_revision)


async def make_directory(context: CallContext, request: pb.MakeDirectoryRequest) -> pb.MakeDirectoryResponse:
    components = references.components_of(request.directory)
    mode = request.mode if request.HasField("mode") else DIRECTORY_MODE

    def run(txn: Transaction) -> pb.MakeDirectoryResponse:
        if request.make_parents:
            if not components:
                return answer(txn, files.stat(txn, 1))
            trees.make_parents(txn, components, mode=DIRECTORY_MODE, **owner())
        place = references.new_place(txn, request.directory)
        try:
            return answer(txn, files.make_directory(txn, place.parent, place.name, mode=mode, **owner()))
        except AlreadyExists:
            there = files.lookup(txn, place.parent, place.name)
            if request.make_parents and there.is_directory:
                return answer(txn, there)
            raise

    def answer(txn: Transaction, node: Node) -> pb.MakeDirectoryResponse:
        return pb.MakeDirectoryResponse(revision=txn.revision, file=messages.file(node, references.join(components)))

    return await context.write(pb.MakeDirectoryResponse, run)


async def move_file(context: CallContext, request: pb.MoveFileRequest) -> pb.MoveFileResponse:
    def run(txn: Transaction) -> pb.MoveFileResponse:
        source, node = references.entry(txn, request.source)
        target = references.place(txn, request.destination)
        files.rename(
            txn,
            source.parent,
            source.name,
            target.parent,
            target.name,
            no_replace=request.no_replace,
            exchange=request.exchange,
        )
        return pb.MoveFileResponse(revision=txn.revision, file=messages.file(files.stat(txn, node.ino), target.path))

    return await context.write(pb.MoveFileResponse, run)


async def copy_file(context: CallContext, request: pb.CopyFileRequest) -> pb.CopyFileResponse:
    path = references.join(references.components_of(request.destination))
    source = await context.read(lambda view, _: references.find(view, request.source).node)
    copy = trees.TreeCopy(source.ino, recursive=request.recursive, no_replace=request.no_replace, **owner())

    def begin(txn: Transaction) -> trees.CopyState:
        place = references.place(txn, request.destination)
        return copy.begin(txn, place.parent, place.name)

    def answer(txn: Transaction, state: trees.CopyState) -> pb.CopyFileResponse:
        node = files.stat(txn, state.top.ino)
        return pb.CopyFileResponse(revision=txn.revision, file=messages.file(node, path), copied=state.copied)

    def at_once(txn: Transaction) -> pb.CopyFileResponse:
        state = begin(txn)
        if not state.done:
            raise trees.TreeTooLarge("the tree takes more than one step")
        return answer(txn, state)

    try:
        return await context.write(pb.CopyFileResponse, at_once)
    except trees.TreeTooLarge:
        state = await context.step(begin)
    while not state.done:
        context.deadline.check()
        state = await context.step(lambda txn, before=state: copy.step(txn, before))  # type: ignore[misc]
    return await context.write(pb.CopyFileResponse, lambda txn: answer(txn, state))


async def remove_file(context: CallContext, request: pb.RemoveFileRequest) -> pb.RemoveFileResponse:
    if not request.recursive:
        return await context.write(pb.RemoveFileResponse, lambda txn: _remove_one(txn, request))
    removed = 0

    def at_once(txn: Transaction) -> pb.RemoveFileResponse:
        place, _ = references.entry(txn, request.file)
        count = trees.remove_at_once(txn, place.parent, place.name)
        return pb.RemoveFileResponse(revision=txn.revision, removed=removed + count)

    def step(txn: Transaction) -> trees.RemoveStep:
        return trees.empty_step(txn, references.entry(txn, request.file)[1].ino)

    while True:
        try:
            return await context.write(pb.RemoveFileResponse, at_once)
        except trees.TreeTooLarge:
            done = False
        while not done:
            context.deadline.check()
            result = await context.step(step)
            removed += result.removed
            done = result.done


def _remove_one(txn: Transaction, request: pb.RemoveFileRequest) -> pb.RemoveFileResponse:
    place, node = references.entry(txn, request.file)
    if node.is_directory:
        files.remove_directory(txn, place.parent, place.name)
    else:
        files.remove(txn, place.parent, place.name)
    return pb.RemoveFileResponse(revision=txn.revision, removed=1)


HANDLERS: dict[str, Handler] = {
    "vexfs.v1.FilesService.StatFile": stat_file,
    "vexfs.v1.FilesService.ListFiles": list_files,
    "vexfs.v1.FilesService.MakeDirectory": make_directory,
    "vexfs.v1.FilesService.MoveFile": move_file,
    "vexfs.v1.FilesService.CopyFile": copy_file,
    "vexfs.v1.FilesService.RemoveFile": remove_file,
}
