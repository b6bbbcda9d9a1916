"""The Connect protocol on the HTTP port: `POST /vexfs.v1.FilesService/StatFile`, with JSON or binary messages. For browsers.

Part of the HTTP server that `rest.py` starts; runs on the event loop. Methods are found by the path gRPC has for them, so a
method of the contract needs no line here. Unary calls carry a bare message and answer an HTTP status; streams carry messages
in envelopes, answer 200 and say at their end how they ended.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Mapping

from aiohttp import web
from google.protobuf.message import Message

from vexfs.api import connect_wire as wire
from vexfs.api.context import Caller
from vexfs.api.dispatch import Dispatcher
from vexfs.api.errors import MalformedRequest, RouteNotFound, VerbNotAllowed, translate
from vexfs.api.http import begin, caller_of, error_headers, read_body
from vexfs.api.registry import Kind, Method
from vexfs.api.request_memory import Hold
from vexfs.core.errors import VexfsError

VERB = "POST"
_PROCEDURE = re.compile(r"/[A-Za-z_]\w*(?:\.\w+)+/\w+", re.ASCII)


class Connect:
    """Answers the requests that name a method by its path."""

    def __init__(self, dispatcher: Dispatcher, methods: Mapping[str, Method]) -> None:
        self._dispatcher = dispatcher
        self._by_path = {method.contract.path: method for method in methods.values()}

    def takes(self, raw_path: str) -> bool:
        """Whether this address is one of a method, of ours or not."""
        return raw_path in self._by_path or _PROCEDURE.fullmatch(raw_path) is not None

    async def answer(self, request: web.BaseRequest, raw_path: str) -> web.StreamResponse:
        """Serve one request; errors leave in Connect's own shape."""
        try:
            return await self._call(request, raw_path)
        except (asyncio.CancelledError, ConnectionResetError):
            raise  # the caller has gone; there is nobody to answer
        except Exception as error:
            return await _failed(request, translate(error, f"{request.method} {raw_path}"))

    async def _call(self, request: web.BaseRequest, raw_path: str) -> web.StreamResponse:
        method = self._by_path.get(raw_path)
        if method is None:
            raise RouteNotFound(f"this server has no method {raw_path}")
        if request.method != VERB:
            raise VerbNotAllowed(f"{raw_path} takes {VERB}, not {request.method}", [VERB])
        codec = wire.codec_of(request, wire.UNARY_CODECS if method.kind is Kind.UNARY else wire.STREAM_CODECS)
        caller = caller_of(request, "connect", wire.timeout_seconds(request))
        match method.kind:
            case Kind.UNARY:
                return await self._unary(request, method, caller, codec)
            case Kind.SERVER_STREAM:
                return await self._stream(request, method, caller, codec)
            case Kind.CLIENT_STREAM:
                return await self._collect(request, method, caller, codec)

    async def _unary(self, request: web.BaseRequest, method: Method, caller: Caller, codec: wire.Codec) -> web.StreamResponse:
        async def load(held: Hold) -> Message:
            return codec.read(method, await read_body(request, held, codec.max_bytes))

        response = await self._dispatcher.unary(method, caller, load)
        return web.Response(body=codec.write(response), headers={"Content-Type": codec.content_type})

    async def _stream(self, request: web.BaseRequest, method: Method, caller: Caller, codec: wire.Codec) -> web.StreamResponse:
        async def load(held: Hold) -> Message:
            messages: list[bytes] = []
            async with contextlib.aclosing(wire.read_envelopes(request, codec.max_bytes)) as incoming:
                async for data in incoming:
                    held.grow_to(len(data))
                    messages.append(data)
                    if len(messages) > 1:
                        break
            if len(messages) != 1:
                raise MalformedRequest(f"{method.name} takes one message, not {'more' if messages else 'none'}")
            return codec.read(method, messages[0])

        responses = self._dispatcher.stream(method, caller, load)
        response = _stream_response(codec.content_type)
        failure = None
        try:
            async for message in responses:
                if not response.prepared:
                    await begin(request, response)
                await response.write(wire.envelope(codec.write(message)))
        except VexfsError as error:
            failure = error
        finally:
            await responses.aclose()
        return await _end(request, response, failure)

    async def _collect(self, request: web.BaseRequest, method: Method, caller: Caller, codec: wire.Codec) -> web.StreamResponse:
        async def requests() -> AsyncGenerator[Message]:
            async for data in wire.read_envelopes(request, codec.max_bytes):
                yield codec.read(method, data)

        answer = await self._dispatcher.collect(method, caller, requests)
        response = _stream_response(codec.content_type)
        await begin(request, response)
        await response.write(wire.envelope(codec.write(answer)))
        return await _end(request, response, None)


async def _failed(request: web.BaseRequest, error: VexfsError) -> web.StreamResponse:
    """The answer to a call that has not begun to answer; in the stream when it asks for one: its clients read nothing else."""
    kind = wire.content_type_of(request)
    if kind in wire.STREAM_CODECS and not isinstance(error, wire.NO_CALL):
        return await _end(request, _stream_response(kind), error)
    headers = {"Content-Type": "application/json", **error_headers(error)}
    return web.Response(body=wire.error_body(error), status=wire.http_status(error), headers=headers)


def _stream_response(content_type: str) -> web.StreamResponse:
    return web.StreamResponse(headers={"Content-Type": content_type, "Cache-Control": "no-store"})


async def _end(request: web.BaseRequest, response: web.StreamResponse, failure: VexfsError | None) -> web.StreamResponse:
    if not response.prepared:
        await begin(request, response)
    await response.write(wire.end_of_stream(failure))
    await response.write_eof()
    return response
