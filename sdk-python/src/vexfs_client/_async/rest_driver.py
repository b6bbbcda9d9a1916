"""The asynchronous driver of REST: makes the attempts of a call over httpcore. The synchronous one runs it in a thread.

Belongs to one event loop. Decides nothing: `_call.py` does, and `_rest.py` knows what goes over the wire. Deadlines hold for
whole attempts; nothing below has time-outs of its own, tries again, or looks at variables that are not ours.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from types import TracebackType
from typing import Any, Self

import httpcore
from betterproto2 import Message

from vexfs_client import _rest
from vexfs_client._call import Call
from vexfs_client._errors import CancelledError
from vexfs_client._http_backend import AsyncioBackend
from vexfs_client._methods import Method, ResponseT
from vexfs_client._reading import Resumable
from vexfs_client._request import USER_AGENT, Headers
from vexfs_client._rest import AttemptFailed
from vexfs_client._settings import Settings
from vexfs_client._status import Failure

from .transport import AsyncTransport, AsyncUpload

_CONNECTIONS_MAX = 1000
"""Calls at the same time; more wait. A server takes no more, either."""
_KEPT_MAX = 20
"""Connections kept for the next call."""
_KEPT_SECONDS = 30.0
"""How long; servers and what stands before them keep theirs longer."""


class AsyncRestDriver(AsyncTransport):
    """A pool of connections to one server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._closed = False
        self._waiting: set[asyncio.Timeout] = set()
        context = None
        if settings.pem is not None:
            context = settings.pem.context
            if settings.pem.ca is None:
                context.load_default_certs()
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=_CONNECTIONS_MAX,
            max_keepalive_connections=_KEPT_MAX,
            keepalive_expiry=_KEPT_SECONDS,
            network_backend=AsyncioBackend(),
        )
        # A stream that writes takes no kept connection, for it is sent once, and the server may just have closed it. It leaves
        # none either: the end of a stream that was refused is not sent, and the server waits for it.
        self._fresh = httpcore.AsyncConnectionPool(
            ssl_context=context, max_connections=_CONNECTIONS_MAX, max_keepalive_connections=0, network_backend=AsyncioBackend()
        )

    async def aclose(self) -> None:
        self._closed = True
        for waiting in [*self._waiting]:
            if not waiting.expired():
                waiting.reschedule(0)
        await self._pool.aclose()
        await self._fresh.aclose()

    async def unary(
        self, method: Method[ResponseT], request: Message, *, timeout: float | None, request_id: str = ""
    ) -> ResponseT:
        self.raise_if_closed()
        prepared = _rest.request(method, request)
        with Call(self._settings, method, timeout=timeout, request_id=request_id) as call:
            while True:
                seconds = call.begin()
                try:
                    async with self.within(seconds), self.exchange(prepared, call.headers, seconds) as response:
                        return _rest.answer(method, response.status, await response.aread())
                except AttemptFailed as error:
                    pause = call.failed(error.failure, error)
                await self._pause(pause)

    async def stream(
        self, method: Method[ResponseT], source: Resumable[ResponseT], *, timeout: float | None
    ) -> AsyncGenerator[ResponseT]:
        self.raise_if_closed()
        with Call(self._settings, method, timeout=timeout, request_id="") as call:
            while True:
                pieces = self._pieces(method, source.request(), call.headers, call.begin())
                try:
                    async with contextlib.aclosing(pieces):
                        while (response := await self._next(pieces, call.remaining())) is not None:
                            source.received(response)
                            yield response
                    if source.complete:
                        return
                    raise AttemptFailed(Failure("UNAVAILABLE", "the stream of content ended too early"))
                except AttemptFailed as error:
                    if source.complete:
                        return
                    pause = call.failed(error.failure, error)
                await self._pause(pause)

    def upload(self, method: Method[ResponseT], *, timeout: float | None, request_id: str) -> AsyncUpload[ResponseT]:
        self.raise_if_closed()
        return _Upload(self, method, Call(self._settings, method, timeout=timeout, request_id=request_id, once=True))

    async def _next(self, pieces: AsyncGenerator[ResponseT], seconds: float | None) -> ResponseT | None:
        """The next piece. The limit is taken anew for each: it must not hold while the caller has the turn."""
        async with self.within(seconds):
            return await anext(pieces, None)

    async def _pieces(
        self, method: Method[ResponseT], message: Message, headers: Headers, seconds: float | None
    ) -> AsyncGenerator[ResponseT]:
        """The messages of one attempt."""
        async with self.exchange(_rest.request(method, message), headers, seconds) as response:
            if response.status != 200:
                raise _rest.error(response.status, await response.aread())
            lines = _rest.Lines()
            async for chunk in response.aiter_stream():
                for line in lines.of(chunk):
                    yield _rest.piece(method, line)

    @contextlib.asynccontextmanager
    async def exchange(
        self,
        request: _rest.Request,
        headers: Headers,
        seconds: float | None,
        content: AsyncIterator[bytes] | None = None,
    ) -> AsyncIterator[httpcore.Response]:
        """Send a request, with `content` for its body if there is any, and read what is answered. Raises AttemptFailed."""
        url = self._settings.url
        own = (
            ("host", url.partition("//")[2]),
            ("user-agent", USER_AGENT),
            ("accept", "application/json, application/x-ndjson"),
        )
        sent: Any = [*own, *request.headers, *headers, *_rest.deadline(seconds)]
        try:
            pool, target = self._pool if content is None else self._fresh, url + request.target
            async with pool.stream(request.verb, target, headers=sent, content=content or request.body) as response:
                yield response
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            self.raise_if_closed()
            code = "INTERNAL" if isinstance(error, httpcore.LocalProtocolError) else "UNAVAILABLE"
            raise AttemptFailed(Failure(code, f"{url}: {str(error) or type(error).__name__}")) from error

    @contextlib.asynccontextmanager
    async def within(self, seconds: float | None) -> AsyncIterator[None]:
        """Do something as long as there is time and the client is open. Raises AttemptFailed, CancelledError."""
        self.raise_if_closed()
        try:
            async with asyncio.timeout(seconds) as waiting:
                self._waiting.add(waiting)
                try:
                    yield
                finally:
                    self._waiting.discard(waiting)
        except TimeoutError as error:
            self.raise_if_closed()
            raise AttemptFailed(Failure("DEADLINE_EXCEEDED", "the time-out passed before the server had answered")) from error

    async def _pause(self, seconds: float) -> None:
        async with self.within(None):
            await asyncio.sleep(seconds)

    def raise_if_closed(self) -> None:
        """Raise CancelledError once the client is closed."""
        if self._closed:
            raise CancelledError("the client is closed") from None


class _Upload(AsyncUpload[ResponseT]):
    """A request whose body is written while it is sent: by a task, to which the caller hands one line after another."""

    def __init__(self, driver: AsyncRestDriver, method: Method[ResponseT], call: Call) -> None:
        self._driver = driver
        self._method = method
        self._call = call
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        self._task: asyncio.Task[ResponseT] | None = None

    async def send(self, message: Message) -> None:
        await self._hand_over(_rest.line(message))

    async def finish(self) -> ResponseT:
        task = await self._hand_over(None)
        try:
            return await task
        except AttemptFailed as error:
            self._call.failed(error.failure, error)  # raises: there is one attempt
            raise

    async def _hand_over(self, line: bytes | None) -> "asyncio.Task[ResponseT]":
        """Wait until the task has taken the line before, or ended. Raises what it ended with, unless this is the end, too."""
        assert self._task is not None
        putting = asyncio.ensure_future(self._lines.put(line))
        try:
            await asyncio.wait((putting, self._task), return_when=asyncio.FIRST_COMPLETED)
        finally:
            putting.cancel()
        if self._task.done() and line is not None:
            await self.finish()
        return self._task

    async def _exchange(self) -> ResponseT:
        where = _rest.route(self._method)
        request = _rest.Request(where.verb, where.path, (("content-type", where.body),), None)
        seconds = self._call.begin()
        async with (
            self._driver.within(seconds),
            self._driver.exchange(request, self._call.headers, seconds, self._body()) as response,
        ):
            return _rest.answer(self._method, response.status, await response.aread())

    async def _body(self) -> AsyncGenerator[bytes]:
        while (line := await self._lines.get()) is not None:
            yield line

    async def __aenter__(self) -> Self:
        self._call.__enter__()
        self._task = asyncio.create_task(self._exchange())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._task is not None:
                self._task.cancel()  # does nothing once it has ended
                await asyncio.wait((self._task,))
                if not self._task.cancelled():
                    self._task.exception()  # it was told, or nobody asked any more
        finally:
            self._call.__exit__(kind, error, trace)
