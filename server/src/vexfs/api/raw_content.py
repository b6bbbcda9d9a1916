"""Content as raw bytes over HTTP: GET, HEAD and PUT of a path or an id, with Range, ETag and conditions.

    /v1/content/docs/a.md      a path, percent-encoded; any bytes, UTF-8 or not
    /v1/files/12/content       an id

Part of the REST surface. It translates headers to requests of StatFile, ReadFile and WriteFile, which go through the
dispatcher as any other call, and streams bytes both ways: memory does not grow with the file. The ETag is the content
revision.
"""

import email.utils
import mimetypes
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from aiohttp import web
from google.protobuf.message import Message

from vexfs.api import json_writer, transcoding
from vexfs.api.context import Caller
from vexfs.api.dispatch import Dispatcher
from vexfs.api.errors import MalformedRequest, RangeNotSatisfiable, VerbNotAllowed
from vexfs.api.http import begin, chunks, json_response
from vexfs.api.registry import Method
from vexfs.api.request_memory import Hold
from vexfs.contract.v1 import common_pb2, content_pb2, files_pb2
from vexfs.core.errors import ContentChanged

PIECE_BYTES = 256 * 1024
"""Bytes of a request's body that travel together."""
_BY_PATH = "/v1/content/"
_BY_ID = re.compile(r"/v1/files/(\d{1,18})/content")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_ETAG = re.compile(r'(?:W/)?"(\d{1,18})"')
_READ_PARAMETERS = frozenset({"at_revision", "min_revision", "follow"})
_WRITE_PARAMETERS = frozenset({"request_id", "make_parents", "mode", "offset", "follow"})


@dataclass(frozen=True, slots=True)
class _Span:
    """The part of the content to answer; `partial` says that the caller asked for one."""

    offset: int
    length: int
    partial: bool


class RawContent:
    """Answers requests for raw content."""

    VERBS = ("GET", "HEAD", "PUT")

    def __init__(self, dispatcher: Dispatcher, stat: Method, read: Method, write: Method) -> None:
        self._dispatcher = dispatcher
        self._stat = stat
        self._read = read
        self._write = write

    @staticmethod
    def takes(raw_path: str) -> bool:
        """Whether this address is one of raw content."""
        return raw_path.startswith(_BY_PATH) or _BY_ID.fullmatch(raw_path) is not None

    async def answer(self, request: web.BaseRequest, caller: Caller) -> web.StreamResponse:
        """Serve one request. Raises VexfsError for everything that is not an answer."""
        if request.method not in self.VERBS:
            raise VerbNotAllowed(f"content takes {', '.join(self.VERBS)}, not {request.method}", list(self.VERBS))
        raw_path, _, query = request.raw_path.partition("?")
        if request.method == "PUT":
            return await self._put(request, caller, raw_path, _parameters(query, _WRITE_PARAMETERS))
        return await self._get(request, caller, raw_path, _parameters(query, _READ_PARAMETERS))

    # -- reading -----------------------------------------------------------------------------------

    async def _get(
        self, request: web.BaseRequest, caller: Caller, raw_path: str, parameters: dict[str, str]
    ) -> web.StreamResponse:
        ref = _reference(raw_path, parameters)
        stat = files_pb2.StatFileRequest(
            file=ref,
            at_revision=_number(parameters, "at_revision"),
            min_revision=_number(parameters, "min_revision"),
        )
        found = cast(files_pb2.StatFileResponse, await self._dispatcher.unary(self._stat, caller, _loader(stat)))
        file = found.file
        etag = f'"{file.content_revision}"'
        _check_match(request, file.content_revision)
        headers = {
            "ETag": etag,
            "Last-Modified": email.utils.formatdate(file.mtime.seconds, usegmt=True),
            "Accept-Ranges": "bytes",
            "VexFS-Revision": str(found.revision),
            "VexFS-File-Id": str(file.id),
        }
        if _names(request.headers.get("If-None-Match"), file.content_revision):
            return web.Response(status=304, headers=headers)
        span = _span(request, file.size_bytes if file.kind == common_pb2.FILE_KIND_REGULAR else 0, etag)
        # By id and revision from here on: what is sent is what the headers describe, whatever happens to the path.
        read = content_pb2.ReadFileRequest(
            file=common_pb2.FileRef(id=file.id), offset=span.offset, length=span.length, at_revision=found.revision
        )
        headers |= {"Content-Type": _content_type(file), "X-Content-Type-Options": "nosniff"}
        return await self._send(request, caller, read, span, headers, file.size_bytes)

    async def _send(
        self,
        request: web.BaseRequest,
        caller: Caller,
        read: content_pb2.ReadFileRequest,
        span: _Span,
        headers: dict[str, str],
        size_bytes: int,
    ) -> web.StreamResponse:
        if span.partial:
            headers["Content-Range"] = f"bytes {span.offset}-{span.offset + span.length - 1}/{size_bytes}"
        response = web.StreamResponse(status=206 if span.partial else 200, headers=headers)
        response.content_length = span.length
        pieces = self._dispatcher.stream(self._read, caller, _loader(read))
        try:
            # The first piece comes before the headers go: a directory or damaged content is an error with its status.
            first = cast(content_pb2.ReadFileResponse, await anext(pieces))
            await begin(request, response)
            if request.method != "HEAD" and span.length:
                await response.write(first.data)
                async for piece in pieces:
                    await response.write(cast(content_pb2.ReadFileResponse, piece).data)
        finally:
            await pieces.aclose()
        await response.write_eof()
        return response

    # -- writing -----------------------------------------------------------------------------------

    async def _put(
        self, request: web.BaseRequest, caller: Caller, raw_path: str, parameters: dict[str, str]
    ) -> web.StreamResponse:
        ref = _reference(raw_path, parameters)
        options = content_pb2.WriteOptions(make_parents=_flag(parameters, "make_parents"))
        if "mode" in parameters:
            options.mode = _number(parameters, "mode", base=8)
        if "offset" in parameters:
            options.offset = _number(parameters, "offset")
        condition = await self._condition(request, caller, ref)
        if condition is not None:
            options.if_content_revision = condition
        header = content_pb2.WriteFileHeader(file=ref, options=options)
        first = content_pb2.WriteFileRequest(header=header, request_id=parameters.get("request_id", ""))

        async def requests() -> AsyncGenerator[Message]:
            yield first
            async for data in _pieces(request):
                yield content_pb2.WriteFileRequest(data=data)

        written = cast(content_pb2.WriteFileResponse, await self._dispatcher.collect(self._write, caller, requests))
        response = json_response(json_writer.encode(written))
        response.headers["ETag"] = f'"{written.file.content_revision}"'
        return response

    async def _condition(self, request: web.BaseRequest, caller: Caller, ref: common_pb2.FileRef) -> int | None:
        """The content revision that the caller's conditions name: 0 for "not there yet", None for none."""
        must_match, must_not = request.headers.get("If-Match"), request.headers.get("If-None-Match")
        if must_not is not None:
            if must_not.strip() != "*" or must_match is not None:
                raise MalformedRequest("a PUT takes If-None-Match: * (only if it is not there yet), or If-Match with one ETag")
            return 0
        if must_match is None:
            return None
        if must_match.strip() == "*":
            stat = files_pb2.StatFileRequest(file=ref)
            found = cast(files_pb2.StatFileResponse, await self._dispatcher.unary(self._stat, caller, _loader(stat)))
            return found.file.content_revision
        etag = _ETAG.fullmatch(must_match.strip())
        if etag is None:
            raise MalformedRequest('If-Match is one ETag that this server gave, such as "17"')
        return int(etag[1])


def _reference(raw_path: str, parameters: dict[str, str]) -> common_pb2.FileRef:
    follow = _flag(parameters, "follow")
    by_id = _BY_ID.fullmatch(raw_path)
    if by_id:
        return common_pb2.FileRef(id=int(by_id[1]), follow=follow)
    path = b"/" + unquote_to_bytes(raw_path.removeprefix(_BY_PATH))
    try:
        return common_pb2.FileRef(path=path.decode("utf-8"), follow=follow)
    except UnicodeDecodeError:
        return common_pb2.FileRef(path_bytes=path, follow=follow)


def _loader(message: Message) -> Any:
    async def load(_: Hold) -> Message:
        return message

    return load


async def _pieces(request: web.BaseRequest) -> AsyncGenerator[bytes]:
    piece = bytearray()
    async for chunk in chunks(request):
        piece += chunk
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


def _span(request: web.BaseRequest, size_bytes: int, etag: str) -> _Span:
    """What the Range header asks for; the whole content when there is none, or several, or If-Range names another content."""
    whole = _Span(0, size_bytes, False)
    match = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if match is None or request.headers.get("If-Range", etag) != etag:
        return whole
    first, last = match.groups()
    if first:
        start, end = int(first), min(int(last) + 1, size_bytes) if last else size_bytes
        if last and int(last) < start:
            return whole
    elif last:
        start, end = max(0, size_bytes - int(last)), size_bytes
    else:
        return whole
    if start >= end:
        raise RangeNotSatisfiable(f"the content has {size_bytes} bytes; nothing of it lies in that range", size_bytes)
    return _Span(start, end - start, True)


def _check_match(request: web.BaseRequest, content_revision: int) -> None:
    wanted = request.headers.get("If-Match")
    if wanted is not None and not _names(wanted, content_revision):
        raise ContentChanged(f"the content is of revision {content_revision}", content_revision=str(content_revision))


def _names(header: str | None, content_revision: int) -> bool:
    """Whether a list of ETags names this content."""
    if header is None:
        return False
    return header.strip() == "*" or str(content_revision) in _ETAG.findall(header)


def _content_type(file: common_pb2.File) -> str:
    name = file.path or file.path_bytes.decode("latin-1")
    kind, encoding = mimetypes.guess_type(name.rpartition("/")[2], strict=False)
    if kind is None or encoding is not None:
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def _parameters(query: str, known: frozenset[str]) -> dict[str, str]:
    parameters = dict(transcoding.parse_query(query))
    for name in parameters:
        if name not in known:
            raise MalformedRequest(f"unknown parameter {name}", field=name[:255])
    return parameters


def _number(parameters: dict[str, str], name: str, base: int = 10) -> int:
    text = parameters.get(name, "0")
    try:
        value = int(text, base)
    except ValueError:
        value = -1
    if not 0 <= value < 2**63:
        raise MalformedRequest(f"{name} is a whole number, not {text[:64]!r}", field=name)
    return value


def _flag(parameters: dict[str, str], name: str) -> bool:
    text = parameters.get(name, "false").lower()
    if text not in ("true", "false", "1", "0", ""):
        raise MalformedRequest(f"{name} is true or false, not {text[:64]!r}", field=name)
    return text not in ("false", "0")
