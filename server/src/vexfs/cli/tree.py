"""`vexfs rm`, `mv`, `cp`, `mkdir` and `ln`: changing the tree."""

import secrets

import click

from vexfs.cli import output
from vexfs.cli.client import Client
from vexfs.cli.connect import connected
from vexfs.cli.content import make_directory
from vexfs.cli.exits import RemoteError
from vexfs.cli.options import Target, server_options
from vexfs.cli.records import absolute, file_record, path_of, printable, reference
from vexfs.contract.v1 import common_pb2, files_pb2, links_pb2


@click.command("rm")
@click.argument("paths", nargs=-1, required=True)
@click.option("-r", "--recursive", is_flag=True, help="Remove directories with everything below them.")
@click.option("-f", "--force", is_flag=True, help="A file that is not there is no error.")
@server_options()
def rm_command(paths: tuple[str, ...], recursive: bool, force: bool, target: Target, as_json: bool) -> None:
    """Remove files and empty directories; with --recursive, whole trees."""
    with connected(target) as client:
        for path in paths:
            request = files_pb2.RemoveFileRequest(file=reference(path), recursive=recursive, request_id=_request_id())
            try:
                answer = client.call("FilesService.RemoveFile", request, files_pb2.RemoveFileResponse)
            except RemoteError as error:
                if force and error.code == "NOT_FOUND":
                    continue
                raise
            if as_json:
                name = printable(absolute(path))
                output.print_json({"file": name, "removed": answer.removed, "revision": answer.revision})


@click.command("mv")
@click.argument("source")
@click.argument("destination")
@click.option("-n", "--no-replace", is_flag=True, help="Fail if something has the new name.")
@server_options()
def mv_command(source: str, destination: str, no_replace: bool, target: Target, as_json: bool) -> None:
    """Rename or move; into DESTINATION if that is a directory. A file of the new name is replaced."""
    with connected(target) as client:
        request = files_pb2.MoveFileRequest(
            source=reference(source),
            destination=reference(_into(client, source, destination)),
            no_replace=no_replace,
            request_id=_request_id(),
        )
        answer = client.call("FilesService.MoveFile", request, files_pb2.MoveFileResponse)
    _done(answer.file, as_json)


@click.command("cp")
@click.argument("source")
@click.argument("destination")
@click.option("-r", "--recursive", is_flag=True, help="Copy a directory with everything below it.")
@click.option("-n", "--no-replace", is_flag=True, help="Fail if something has the new name.")
@server_options(timeout_s=None)
def cp_command(source: str, destination: str, recursive: bool, no_replace: bool, target: Target, as_json: bool) -> None:
    """Copy inside VexFS, with metadata and vectors; large content is shared, not copied."""
    with connected(target) as client:
        request = files_pb2.CopyFileRequest(
            source=reference(source),
            destination=reference(_into(client, source, destination)),
            recursive=recursive,
            no_replace=no_replace,
            request_id=_request_id(),
        )
        answer = client.call("FilesService.CopyFile", request, files_pb2.CopyFileResponse)
    _done(answer.file, as_json)


@click.command("mkdir")
@click.argument("paths", nargs=-1, required=True)
@click.option("-p", "--parents", is_flag=True, help="Also those above; one that is there is no error.")
@server_options()
def mkdir_command(paths: tuple[str, ...], parents: bool, target: Target, as_json: bool) -> None:
    """Make directories."""
    with connected(target) as client:
        for path in paths:
            if parents:
                make_directory(client, path)
                continue
            request = files_pb2.MakeDirectoryRequest(directory=reference(path), request_id=_request_id())
            answer = client.call("FilesService.MakeDirectory", request, files_pb2.MakeDirectoryResponse)
            _done(answer.file, as_json)


@click.command("ln")
@click.argument("source", metavar="TARGET")
@click.argument("link")
@click.option("-s", "--symbolic", is_flag=True, help="Make a symbolic link with TARGET as its text.")
@server_options()
def ln_command(source: str, link: str, symbolic: bool, target: Target, as_json: bool) -> None:
    """Give a file a second name, or make a symbolic link with --symbolic."""
    with connected(target) as client:
        if symbolic:
            wish = links_pb2.CreateSymlinkRequest(link=reference(link), target=source, request_id=_request_id())
            made = client.call("FilesService.CreateSymlink", wish, links_pb2.CreateSymlinkResponse).file
        else:
            request = links_pb2.CreateLinkRequest(file=reference(source), link=reference(link), request_id=_request_id())
            made = client.call("FilesService.CreateLink", request, links_pb2.CreateLinkResponse).file
    _done(made, as_json)


def _into(client: Client, source: str, destination: str) -> str:
    """The new path: below DESTINATION, under its own name, if DESTINATION is a directory."""
    path = absolute(destination)
    try:
        request = files_pb2.StatFileRequest(file=reference(path, follow=True))
        answer = client.call("FilesService.StatFile", request, files_pb2.StatFileResponse)
    except RemoteError as error:
        if error.code != "NOT_FOUND":
            raise
        return path
    if answer.file.kind != common_pb2.FILE_KIND_DIRECTORY or absolute(source) == path:
        return path
    return f"{path.rstrip('/')}/{absolute(source).rpartition('/')[2]}"


def _done(file: common_pb2.File, as_json: bool) -> None:
    if as_json:
        output.print_json(file_record(file))
    elif output.is_terminal():
        output.remark(printable(path_of(file)))


def _request_id() -> str:
    return secrets.token_hex(16)
