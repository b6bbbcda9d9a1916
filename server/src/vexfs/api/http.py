"""HTTP below the routes: who calls, the body within its limit, JSON and error responses, broken requests.

Used by REST, raw content and Connect; no knowledge of methods.
"""

import contextlib
import http
import json
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from typing import Any, Final, cast

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import BadHttpMessage
from aiohttp.web_protocol import RequestPayloadError

from vexfs.api.compression import Unzip, encoding_of
from vexfs.api.context import Caller
from vexfs.api.errors import MalformedRequest, RangeNotSatisfiable, VerbNotAllowed, to_json
from vexfs.api.limits import BODY_MAX_BYTES
from vexfs.api.request_memory import Hold
from vexfs.core.errors import Internal, QueueFull, TooLarge, Unauthenticated, VexfsError

_GRPC_TIMEOUT = re.compile(r"(\d{1,8})([HMSmun])")
_UNIT_SECONDS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_EVERY_RESPONSE: Final = "vexfs.every_response"

_log = logging.getLogger("vexfs.api.http")


def caller_of(request: web.BaseRequest, surface: str, timeout_seconds: float | None) -> Caller:
    """Where the request comes from. A request without a Host counts as one for a foreign host."""
    headers = request.headers
    return Caller(
        surface=surface,
        authorization=headers.get("Authorization"),
        host=headers.get("Host", ""),
        origin=headers.get("Origin"),
        timeout_seconds=timeout_seconds,
        peer=lambda: request.remote or "",
    )


async def read_body(request: web.BaseRequest, held: Hold, max_bytes: int = BODY_MAX_BYTES) -> bytes:
    """The whole body, unpacked, at most `max_bytes`, counted in `held`. Raises TooLarge and QueueFull, before reading when the
    length is announced, and what `chunks` raises."""
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    held.grow_to(request.content_length or 0)
    body = bytearray()
    async for chunk in chunks(request):
        if len(body) + len(chunk) > max_bytes:
            raise _too_large(max_bytes)
        held.grow_to(len(body) + len(chunk))
        body += chunk
    return bytes(body)


async def chunks(request: web.BaseRequest) -> AsyncGenerator[bytes]:
    """The body as it arrives, unpacked. Raises MalformedRequest when it breaks off or is not packed as its Content-Encoding
    says, UnsupportedEncoding."""
    unzip = Unzip() if encoding_of(request, "Content-Encoding") == "gzip" else None
    await answer_expectation(request)
    with broken_off():
        async for chunk in request.content.iter_any():
            if unzip is None:
                yield chunk
            else:
                for piece in unzip.unpack(chunk):
                    yield piece
    if unzip is not None:
        unzip.finish()


async def read_lines(request: web.BaseRequest) -> AsyncIterator[bytes]:
    """The body line by line, empty ones left out; each at most BODY_MAX_BYTES. Raises TooLarge."""
    rest = bytearray()
    async for chunk in chunks(request):
        *lines, last = chunk.split(b"\n")
        for line in lines:
            rest += line
            if rest.strip():
                yield bytes(rest)
            rest.clear()
        rest += last
        if len(rest) > BODY_MAX_BYTES:
            raise _too_large(BODY_MAX_BYTES)
    if rest.strip():
        yield bytes(rest)


async def answer_expectation(request: web.BaseRequest) -> None:
    """Tell a client that waits for it (Expect: 100-continue) to send the body."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


@contextlib.contextmanager
def broken_off() -> Iterator[None]:
    """Around reading a body: what the transport has to say about a broken one becomes MalformedRequest."""
    try:
        yield
    except (ClientPayloadError, RequestPayloadError, BadHttpMessage, ConnectionError) as error:
        raise MalformedRequest("the body broke off") from error


async def begin(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Send the head of a streamed response, with what every response of this request carries (see `every_response`)."""
    complete(request, response)
    await response.prepare(request)


def complete(request: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse:
    """Give a response whose head has not been sent what every response of this request carries."""
    if not response.prepared:
        response.headers.update(request.get(_EVERY_RESPONSE, {}))
    return response


def every_response(request: web.BaseRequest, headers: Mapping[str, str]) -> None:
    """Say which headers every response to this request carries, whatever answers it."""
    request[_EVERY_RESPONSE] = headers


def json_response(body: bytes, status: int = 200) -> web.Response:
    """A JSON response from encoded JSON."""
    return web.Response(body=body, status=status, headers={"Content-Type": "application/json"})


def error_response(error: VexfsError) -> web.Response:
    """The one shape of every error, with the headers its HTTP status asks for."""
    response = json_response(
        json.dumps(to_json(error), ensure_ascii=False).encode("utf-8", "surrogateescape"), error.http_status
    )
    response.headers.update(error_headers(error))
    return response


def error_headers(error: VexfsError) -> dict[str, str]:
    """The headers that the HTTP status of an error asks for."""
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, VerbNotAllowed):
        return {"Allow": ", ".join(error.allowed)}
    if isinstance(error, RangeNotSatisfiable):
        return {"Content-Range": f"bytes */{error.size_bytes}"}
    if isinstance(error, QueueFull):
        return {"Retry-After": "1"}
    return {}


class ErrorShapedServer(web.Server):
    """aiohttp's server, whose answers to what is no HTTP have the shape of every other error."""

    def __init__(self, handler: Any, **options: Any) -> None:
        # A call whose caller has gone is cancelled, as gRPC does it; a write that is on its way is finished all the same.
        super().__init__(handler, handler_cancellation=True, **options)
        # Bodies are unpacked by `chunks`: aiohttp takes a packed body that ends too early for a whole one.
        self._options = {**options, "auto_decompress": False}

    def __call__(self) -> web.RequestHandler:
        return _Protocol(self, loop=self._loop, access_log=cast(Any, None), lingering_time=2.0, **self._options)


class _Protocol(web.RequestHandler):
    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Called by aiohttp for a request it cannot parse and for a handler's fault that got past the surface."""
        if request.writer.output_size > 0:
            raise ConnectionError("the response has begun; it cannot become an error")
        error: VexfsError
        if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.error("fault while answering a request", exc_info=exc)
            error = Internal("a fault of the server; its log says more")
        else:
            error = MalformedRequest(f"this is no HTTP request: {(message or '').splitlines()[0][:200] if message else status}")
        response = error_response(error)
        response.force_close()
        return response


def grpc_timeout_seconds(request: web.BaseRequest) -> float | None:
    """gRPC's way to write a deadline (`Grpc-Timeout: 250m`), which REST callers may send too; None when there is none."""
    text = request.headers.get("Grpc-Timeout")
    if text is None:
        return None
    match = _GRPC_TIMEOUT.fullmatch(text.strip())
    if match is None:
        raise MalformedRequest("Grpc-Timeout is a number and a unit of H, M, S, m, u or n, such as 10S or 250m")
    return int(match[1]) * _UNIT_SECONDS[match[2]]


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(
        f"the body is larger than {max_bytes:,} bytes; send large content as raw bytes (PUT of the content)",
        limit_bytes=str(max_bytes),
    )
