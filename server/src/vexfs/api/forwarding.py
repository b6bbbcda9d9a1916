"""Calls that another process of the server answers: carried there and back as they are, byte for byte.

Used by the gRPC surface of a replica, on its event loop, for every method that the replica does not answer itself. Calls go to
the API process over its Unix socket. Messages are never parsed; metadata, deadline, cancellation, status and trailers go
through. Nothing is ever sent twice: who called knows whether a repetition is safe.
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import grpc.aio  # type: ignore[import-untyped]

from vexfs.api.streams import whole
from vexfs.core.errors import Unavailable, VexfsError

Abort = Callable[[Any, VexfsError], Coroutine[Any, Any, Any]]
"""Ends a call with a domain error, as the surface does it."""

_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 0),
    # A process that was started again is there within a second; by default the pauses between two tries grow to minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]
_TRANSPORT_KEYS = frozenset({"user-agent", "te", "content-type", "grpc-timeout", "grpc-encoding", "grpc-accept-encoding"})
"""What belongs to one connection and not to the call."""
_STATUS_TRAILER = "grpc-status-details-bin"


class Forwarder:
    """See the module. Made on the event loop that uses it; `close` it after the server."""

    def __init__(self, socket: Path, abort: Abort) -> None:
        self._channel = grpc.aio.insecure_channel(f"unix:{socket}", options=_OPTIONS)
        # grpc.aio gives up a stream of requests that is refused before its end with an error of its own, and loses the status.
        self._streams = grpc.insecure_channel(f"unix:{socket}", options=_OPTIONS)
        self._abort = abort

    def one_request(self, path: str) -> Any:
        """A handler for a method that takes one request, with one response or many: on the wire they are alike."""
        send = self._channel.unary_stream(path)

        async def handle(request: bytes, context: Any) -> AsyncIterator[bytes]:
            call = send(request, timeout=context.time_remaining(), metadata=_passed_on(context.invocation_metadata()))
            try:
                while (response := await _read(call)) is not None:
                    yield response
                await self._end(context, await call.code(), await call.details(), await call.trailing_metadata())
            finally:
                call.cancel()  # does nothing to a call that has ended; one whose caller has gone ends now

        return grpc.unary_stream_rpc_method_handler(handle)

    def many_requests(self, path: str) -> Any:
        """A handler for a method that takes a stream of requests and has one response."""
        send = self._streams.stream_unary(path)

        async def handle(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            loop = asyncio.get_running_loop()
            pulled = _Pulled(whole(requests, context), loop)
            metadata = _passed_on(context.invocation_metadata())
            call = send.future(pulled, timeout=context.time_remaining(), metadata=metadata)
            pulled.give_up = call.cancel
            ended = asyncio.Event()
            call.add_done_callback(lambda _: loop.call_soon_threadsafe(ended.set))
            try:
                await ended.wait()
                # Who refuses may do so while the caller's stream is being read here: grpc takes the answer only after that.
                await pulled.stop()
                if call.code() is grpc.StatusCode.OK:
                    yield call.result()
                await self._end(context, call.code(), call.details(), call.trailing_metadata())
            finally:
                call.cancel()
                await pulled.stop()

        return grpc.stream_stream_rpc_method_handler(handle)

    async def close(self) -> None:
        """End the channels and what is still under way on them."""
        await self._channel.close()
        self._streams.close()

    async def _end(self, context: Any, code: Any, details: str | None, trailing: Any) -> None:
        trailers = _passed_on(trailing)
        if code is grpc.StatusCode.OK:
            context.set_trailing_metadata(trailers)
            return
        if code is grpc.StatusCode.UNAVAILABLE and not any(key == _STATUS_TRAILER for key, _ in trailers):
            message = "the process that answers this was not reached, or ended meanwhile: try again in a moment"
            await self._abort(context, Unavailable(f"{message} ({(details or '')[:200]})"))
        await context.abort(code, details or "", trailers)


class _Pulled(Iterator[bytes]):
    """The requests of a caller, taken from the event loop one by one, by the thread of grpc that sends them on."""

    def __init__(self, requests: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self._requests = requests
        self._loop = loop
        self._lock = threading.Lock()
        self._waiting: concurrent.futures.Future[bytes | None] | None = None
        self._pulling: asyncio.Task[Any] | None = None
        self._stopped = False
        self.give_up: Callable[[], object] = lambda: None
        """Called on the event loop when the caller's stream breaks, before it ends here: cancels the call that gets it."""

    def __next__(self) -> bytes:
        with self._lock:
            if self._stopped:
                raise StopIteration
            self._waiting = asyncio.run_coroutine_threadsafe(self._pull(), self._loop)
        try:
            request = self._waiting.result()
        except concurrent.futures.CancelledError:
            request = None
        if request is None:
            raise StopIteration
        return request

    async def _pull(self) -> bytes | None:
        self._pulling = asyncio.current_task()
        try:
            return await anext(self._requests, None)
        except asyncio.CancelledError:
            self.give_up()
            raise

    async def stop(self) -> None:
        """Nothing more is wanted: the call has ended. Nothing is read from the caller when it returns."""
        with self._lock:
            self._stopped = True
        if self._waiting is not None:
            self._waiting.cancel()
        if self._pulling is not None and not self._pulling.done():
            self._pulling.cancel()
            await asyncio.wait({self._pulling})


async def _read(call: Any) -> bytes | None:
    """The next response; None when the call has ended, well or not."""
    try:
        response = await call.read()
    except grpc.aio.AioRpcError:
        return None  # the status says the same
    return None if response is grpc.aio.EOF else bytes(response)


def _passed_on(metadata: Iterable[tuple[str, Any]] | None) -> tuple[tuple[str, Any], ...]:
    return tuple((key, value) for key, value in metadata or () if not key.startswith(":") and key not in _TRANSPORT_KEYS)
