"""`vexfs cat`, `vexfs put` and `vexfs get`: content in and out of files, of any size."""

import contextlib
import os
import secrets
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from vexfs.cli import output
from vexfs.cli.client import PIECE_BYTES, SMALL_CONTENT_BYTES, Client
from vexfs.cli.connect import connected
from vexfs.cli.options import Target, server_options
from vexfs.cli.records import absolute, file_record, path_of, printable, reference, size_text
from vexfs.contract.v1 import common_pb2, content_pb2, files_pb2
from vexfs.core.errors import AlreadyExists, IsADirectory


@click.command("cat")
@click.argument("paths", nargs=-1, required=True)
@server_options(timeout_s=None)
def cat_command(paths: tuple[str, ...], target: Target, as_json: bool) -> None:
    """Write the content of files to standard output.

    With --json one object a file, with its content as text (or as base64 if it is not UTF-8).
    """
    with connected(target) as client:
        for path in paths:
            pieces = client.read(reference(path, follow=True))
            if as_json:
                output.print_json({"file": printable(absolute(path)), **_as_json(b"".join(pieces))})
                continue
            for piece in pieces:
                sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _as_json(content: bytes) -> dict[str, str]:
    import base64

    try:
        return {"content": content.decode("utf-8")}
    except UnicodeDecodeError:
        return {"content_base64": base64.b64encode(content).decode("ascii")}


@click.command("put")
@click.argument("source", metavar="LOCAL", type=click.Path(allow_dash=True))
@click.argument("destination", metavar="[PATH]", required=False)
@click.option("-p", "--parents", is_flag=True, help="Make missing directories above the file.")
@server_options(timeout_s=None)
def put_command(source: str, destination: str | None, parents: bool, target: Target, as_json: bool) -> None:
    """Store a local file (- is standard input) at PATH; in a directory it keeps its name."""
    if source == "-" and destination is None:
        raise click.UsageError("standard input needs a PATH to be stored at")
    with connected(target) as client, _open(source) as file:
        path = _destination(client, source, destination)
        if parents and path.rpartition("/")[0]:
            make_directory(client, path.rpartition("/")[0])
        stored = store(client, reference(path, follow=True), file)
    if as_json:
        output.print_json(file_record(stored))
    elif output.is_terminal():
        output.remark(f"{printable(path_of(stored))}  {size_text(stored.size_bytes)}")


def _open(source: str) -> contextlib.AbstractContextManager[BinaryIO]:
    if source == "-":
        return contextlib.nullcontext(sys.stdin.buffer)
    if Path(source).is_dir():
        raise IsADirectory(f"{source} is a directory; `vexfs import {source}` stores directories")
    return Path(source).open("rb")


def _destination(client: Client, source: str, destination: str | None) -> str:
    """The path to store at: a directory, or a PATH that ends in a slash, takes the file under its own name."""
    name = Path(source).name
    if destination is None:
        return f"/{name}"
    path = absolute(destination)
    if path == "/" or destination.endswith("/") or (source != "-" and _is_directory(client, path)):
        return f"{path.rstrip('/')}/{name}"
    return path


def _is_directory(client: Client, path: str) -> bool:
    from vexfs.cli.exits import RemoteError

    request = files_pb2.StatFileRequest(file=reference(path, follow=True))
    try:
        answer = client.call("FilesService.StatFile", request, files_pb2.StatFileResponse)
    except RemoteError as error:
        if error.code == "NOT_FOUND":
            return False
        raise
    return answer.file.kind == common_pb2.FILE_KIND_DIRECTORY


def make_directory(client: Client, path: str) -> None:
    """Make a directory and those above it, where they are missing."""
    request = files_pb2.MakeDirectoryRequest(directory=reference(path), make_parents=True, request_id=secrets.token_hex(16))
    client.call("FilesService.MakeDirectory", request, files_pb2.MakeDirectoryResponse)


def store(client: Client, file: common_pb2.FileRef, source: BinaryIO) -> common_pb2.File:
    """Make what `source` holds the content of `file`: small content in one request, larger in pieces."""
    first = source.read(SMALL_CONTENT_BYTES)
    if len(first) < SMALL_CONTENT_BYTES:
        request = content_pb2.PutContentRequest(file=file, data=first, request_id=secrets.token_hex(16))
        return client.call("FilesService.PutContent", request, content_pb2.PutContentResponse).file
    return client.write(file, _pieces(first, source))


def _pieces(first: bytes, source: BinaryIO) -> Iterator[bytes]:
    for offset in range(0, len(first), PIECE_BYTES):
        yield first[offset : offset + PIECE_BYTES]
    while piece := source.read(PIECE_BYTES):
        yield piece


@click.command("get")
@click.argument("path")
@click.argument("destination", metavar="[LOCAL]", required=False, type=click.Path(allow_dash=True))
@click.option("-f", "--force", is_flag=True, help="Replace a local file.")
@server_options(timeout_s=None)
def get_command(path: str, destination: str | None, force: bool, target: Target, as_json: bool) -> None:
    """Fetch a file's content into LOCAL (- is standard output; without it, the file's own name in this directory).

    The local file appears whole or not at all.
    """
    local = Path(destination or absolute(path).rpartition("/")[2])
    if local.is_dir():
        local = local / absolute(path).rpartition("/")[2]
    with connected(target) as client:
        pieces = client.read(reference(path, follow=True))
        if destination == "-":
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        if local.exists() and not force:
            raise AlreadyExists(f"{local} exists; --force replaces it")
        size_bytes = _fetch(pieces, local)
    if as_json:
        output.print_json({"file": printable(absolute(path)), "local": str(local), "size_bytes": size_bytes})
    elif output.is_terminal():
        output.remark(f"{local}  {size_text(size_bytes)}")


def _fetch(pieces: Iterator[bytes], local: Path) -> int:
    descriptor, temporary = tempfile.mkstemp(dir=local.parent, prefix=f".{local.name}.")
    size_bytes = 0
    try:
        with os.fdopen(descriptor, "wb") as file:
            for piece in pieces:
                size_bytes += file.write(piece)
            mode = stat.S_IMODE(local.stat().st_mode) if local.exists() else 0o666 & ~_umask()
            os.fchmod(file.fileno(), mode)
        Path(temporary).replace(local)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return size_bytes


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
