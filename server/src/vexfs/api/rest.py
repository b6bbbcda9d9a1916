"""The REST surface: HTTP requests to messages and back, by the routes of the contract.

Started by `vexfs.api.server`; runs on the event loop, on aiohttp's low-level server. A method with a `google.api.http`
annotation needs no line here. Unary calls answer JSON, streams either way are a JSON object a line; raw content, the Connect
protocol, what browsers of other sites are told and the page at /docs have modules of their own. Every error of REST, from
whatever source, is one shape: {"error": {"code", "status", "message", "details"}}.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import cast

from aiohttp import web
from google.protobuf.message import Message

from vexfs.api import json_writer, transcoding
from vexfs.api.connect import VERB, Connect
from vexfs.api.context import Caller
from vexfs.api.cors import Cors
from vexfs.api.dispatch import Dispatcher
from vexfs.api.docs_page import DocsPage
from vexfs.api.errors import (
    MalformedRequest,
    RouteNotFound,
    UnsupportedMediaType,
    VerbNotAllowed,
    translate,
)
from vexfs.api.http import (
    ErrorShapedServer,
    begin,
    caller_of,
    complete,
    error_response,
    every_response,
    grpc_timeout_seconds,
    json_response,
    read_body,
    read_lines,
)
from vexfs.api.limits import LINE_MAX_BYTES
from vexfs.api.raw_content import RawContent
from vexfs.api.registry import Kind, Method
from vexfs.api.request_memory import Hold
from vexfs.api.routes import Route, Router
from vexfs.api.tls import TlsFiles
from vexfs.core.errors import VexfsError
from vexfs.observability import metrics
from vexfs.observability.sharing import render_with
from vexfs.security.origins import OriginGuard

Page = Callable[[web.BaseRequest, Caller], Awaitable[web.StreamResponse]]
"""Answers what is no method: the description, the page to try it, health, metrics."""

OPENAPI = resources.files("vexfs.contract").joinpath("openapi.json").read_bytes()
"""The description of the contract's routes, generated from the same protos."""
_JSON_TYPES = re.compile(r"application/(?:[\w.+-]+\+)?json", re.IGNORECASE)


class RestSurface:
    """A running HTTP server. `start` binds, `stop` ends it."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        methods: Mapping[str, Method],
        origins: OriginGuard,
        replicas: Mapping[str, Path] | None = None,
    ) -> None:
        """`replicas` are further API processes, by name, with the sockets of their metrics."""
        self._dispatcher = dispatcher
        self._replicas = replicas or {}
        self._router = Router(methods.values())
        self._pages: dict[tuple[str, str], Page] = {
            ("GET", "/healthz"): self._health,
            ("GET", "/metrics"): self._metrics,
            ("GET", "/openapi.json"): self._description,
            **{("GET", path): page for path, page in DocsPage(dispatcher).pages.items()},
        }
        self._connect = Connect(dispatcher, methods)
        self._cors = Cors(origins, {VERB, *RawContent.VERBS, *(route.verb for route in self._router.routes)})
        content = [methods.get(f"vexfs.v1.FilesService.{name}") for name in ("StatFile", "ReadFile", "WriteFile")]
        self._raw_content = RawContent(dispatcher, *[each for each in content if each]) if all(content) else None
        self._server = ErrorShapedServer(self._handle, max_line_size=LINE_MAX_BYTES, max_field_size=LINE_MAX_BYTES)
        self._runner: web.ServerRunner | None = None

    async def start(self, host: str, port: int, tls: TlsFiles | None) -> int:
        """Bind and serve; returns the port. Raises OSError when the address is taken."""
        self._runner = web.ServerRunner(self._server, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=tls.ssl_context() if tls else None, backlog=1024)
        await site.start()
        return cast(int, self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close the port, let running requests end within a second, then cancel them."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        every_response(request, self._cors.headers(request))
        raw_path = request.raw_path.partition("?")[0]
        try:
            if self._connect.takes(raw_path) and request.method != "OPTIONS":
                response = await self._connect.answer(request, raw_path)
            else:
                response = await self._answer(request, raw_path)
        except (asyncio.CancelledError, ConnectionResetError):
            raise  # the caller has gone; there is nobody to answer
        except Exception as error:
            response = error_response(translate(error, f"{request.method} {request.path}"))
        return complete(request, response)

    async def _answer(self, request: web.BaseRequest, raw_path: str) -> web.StreamResponse:
        caller = caller_of(request, "rest", grpc_timeout_seconds(request))
        preflight = self._cors.preflight(request)
        if preflight is not None:
            self._dispatcher.admit_origin(caller)
            return preflight
        page = self._pages.get((request.method, raw_path))
        if page is not None:
            return await page(request, caller)
        if self._raw_content is not None and self._raw_content.takes(raw_path):
            return await self._raw_content.answer(request, caller)
        route, variables = self._find(request.method, raw_path)
        if route.method.kind is Kind.SERVER_STREAM:
            return await self._stream(request, caller, route, variables)
        if route.method.kind is Kind.CLIENT_STREAM:
            return await self._collect(request, caller, route)

        async def load(held: Hold) -> Message:
            return await _load(request, held, route, variables)

        response = await self._dispatcher.unary(route.method, caller, load)
        return json_response(json_writer.encode(response, route.response_body))

    def _find(self, verb: str, raw_path: str) -> tuple[Route, dict[str, str]]:
        try:
            return self._router.find(verb, raw_path)
        except RouteNotFound:
            verbs = [other for other, path in self._pages if path == raw_path]
            if verbs:
                raise VerbNotAllowed(f"{raw_path} takes {', '.join(verbs)}, not {verb}", verbs) from None
            raise

    async def _stream(
        self, request: web.BaseRequest, caller: Caller, route: Route, variables: dict[str, str]
    ) -> web.StreamResponse:
        async def load(held: Hold) -> Message:
            return await _load(request, held, route, variables)

        messages = self._dispatcher.stream(route.method, caller, load)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson", "Cache-Control": "no-store"})
        try:
            # The first message decides: a call that fails before it is an ordinary error with its status.
            async for message in messages:
                if not response.prepared:
                    await begin(request, response)
                await response.write(json_writer.encode(message, route.response_body) + b"\n")
        except VexfsError as error:
            if not response.prepared:
                raise
            await response.write(error_response(error).body + b"\n")  # type: ignore[operator]
        finally:
            await messages.aclose()
        if not response.prepared:
            await begin(request, response)
        await response.write_eof()
        return response

    async def _collect(self, request: web.BaseRequest, caller: Caller, route: Route) -> web.StreamResponse:
        async def requests() -> AsyncGenerator[Message]:
            async for line in read_lines(request):
                yield transcoding.read_request(route, {}, "", line)

        response = await self._dispatcher.collect(route.method, caller, requests)
        return json_response(json_writer.encode(response, route.response_body))

    async def _health(self, request: web.BaseRequest, caller: Caller) -> web.StreamResponse:
        del request
        self._dispatcher.admit_origin(caller)
        return json_response(b'{"status":"SERVING"}')

    async def _description(self, request: web.BaseRequest, caller: Caller) -> web.StreamResponse:
        del request
        self._dispatcher.admit_origin(caller)
        return json_response(OPENAPI)

    async def _metrics(self, request: web.BaseRequest, caller: Caller) -> web.StreamResponse:
        del request
        self._dispatcher.admit(caller)
        body = await render_with(self._replicas) if self._replicas else metrics.render()
        return web.Response(body=body, headers={"Content-Type": metrics.CONTENT_TYPE})


async def _load(request: web.BaseRequest, held: Hold, route: Route, variables: dict[str, str]) -> Message:
    query = request.raw_path.partition("?")[2]
    if not route.body:
        if request.can_read_body:
            raise MalformedRequest("this route takes no body; its parameters stand in the address")
        return transcoding.read_request(route, variables, query, b"")
    kind = request.headers.get("Content-Type", "application/json").partition(";")[0].strip()
    # curl -d says it sends a form unless told otherwise; JSON is the only thing this can be.
    if not _JSON_TYPES.fullmatch(kind) and kind not in ("application/x-www-form-urlencoded", "text/json"):
        raise UnsupportedMediaType(f"the body has to be application/json, not {kind[:100]}")
    return transcoding.read_request(route, variables, query, await read_body(request, held))
