"""`vexfs ls` and `vexfs stat`: what is in a directory, and what is known of a file?"""

from collections.abc import Iterator
from typing import Any

import click
from google.protobuf import json_format

from vexfs.cli import output
from vexfs.cli.client import Client
from vexfs.cli.connect import connected
from vexfs.cli.options import Target, server_options
from vexfs.cli.records import file_record, kind_of, local_time, mode_text, path_of, printable, reference, rfc3339, size_text
from vexfs.contract.v1 import attributes_pb2, common_pb2, files_pb2, links_pb2

_PAGE = 1000


@click.command("ls")
@click.argument("paths", nargs=-1)
@click.option("-l", "--long", is_flag=True, help="With permissions, size and time.")
@server_options()
def ls_command(paths: tuple[str, ...], long: bool, target: Target, as_json: bool) -> None:
    """List directories (the root if none is named), in byte order of the names."""
    with connected(target) as client:
        for path in paths or ("/",):
            for file in entries(client, reference(path, follow=True)):
                if as_json:
                    output.print_json(file_record(file))
                else:
                    _show(file, long)


def entries(client: Client, directory: common_pb2.FileRef) -> Iterator[common_pb2.File]:
    """The entries of a directory, all pages; a file that is no directory is its only entry."""
    stat = client.call("FilesService.StatFile", files_pb2.StatFileRequest(file=directory), files_pb2.StatFileResponse)
    if stat.file.kind != common_pb2.FILE_KIND_DIRECTORY:
        yield stat.file
        return
    request = files_pb2.ListFilesRequest(directory=directory, page_size=_PAGE)
    while True:
        page = client.call("FilesService.ListFiles", request, files_pb2.ListFilesResponse)
        yield from page.files
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def _show(file: common_pb2.File, long: bool) -> None:
    name = path_of(file).rpartition("/")[2]
    text = _styled(file, printable(name))
    if long:
        text = f"{mode_text(file)} {file.nlink:3d} {size_text(file.size_bytes):>10}  {local_time(file.mtime)}  {text}"
    click.echo(text)


def _styled(file: common_pb2.File, name: str) -> str:
    kind = kind_of(file)
    if kind == "directory":
        return click.style(name + "/", fg="blue", bold=True)
    return click.style(name, fg="cyan") if kind == "symlink" else name


@click.command("stat")
@click.argument("paths", nargs=-1, required=True)
@server_options()
def stat_command(paths: tuple[str, ...], target: Target, as_json: bool) -> None:
    """Show what is known of files: attributes, metadata, extended attributes, where a symbolic link leads."""
    with connected(target) as client:
        for path in paths:
            record = describe(client, reference(path))
            if as_json:
                output.print_json(record)
            else:
                for name, value in record.items():
                    click.echo(f"{click.style(f'{name:>16}', dim=True)}  {value}")


def describe(client: Client, file: common_pb2.FileRef) -> dict[str, Any]:
    """All that the server tells about one file, as --json shows it."""
    stat = client.call("FilesService.StatFile", files_pb2.StatFileRequest(file=file), files_pb2.StatFileResponse)
    record = file_record(stat.file) | {"atime": rfc3339(stat.file.atime)}
    if stat.file.kind == common_pb2.FILE_KIND_SYMLINK:
        link = client.call("FilesService.ReadSymlink", links_pb2.ReadSymlinkRequest(file=file), links_pb2.ReadSymlinkResponse)
        record["target"] = printable(link.target or link.target_bytes.decode("utf-8", "surrogateescape"))
    metadata = client.call(
        "FilesService.GetMetadata", attributes_pb2.GetMetadataRequest(file=file), attributes_pb2.GetMetadataResponse
    )
    xattrs = client.call(
        "FilesService.ListXattrs", attributes_pb2.ListXattrsRequest(file=file), attributes_pb2.ListXattrsResponse
    )
    record["metadata"] = json_format.MessageToDict(metadata.metadata)
    record["xattrs"] = list(xattrs.names)
    return record
