"""The asynchronous driver of gRPC: makes the attempts of a call over a grpc.aio channel. Its twin is `_sync/grpc_driver.py`.

Belongs to one event loop. Decides nothing: `_call.py` does.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio
from betterproto2 import Message

from vexfs_client import _channel
from vexfs_client._call import Call
from vexfs_client._errors import CancelledError
from vexfs_client._methods import Method, ResponseT
from vexfs_client._reading import Resumable
from vexfs_client._settings import Settings

from .transport import AsyncTransport, AsyncUpload


class AsyncGrpcDriver(AsyncTransport):
    """A channel and the stubs of the methods called so far."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stubs: dict[str, Any] = {}
        self._closed = False
        self._channel: grpc.aio.Channel | None = None

    async def aclose(self) -> None:
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

    async def unary(
        self, method: Method[ResponseT], request: Message, *, timeout: float | None, request_id: str = ""
    ) -> ResponseT:
        stub, data = self._stub(method, "unary_unary"), bytes(request)
        with Call(self._settings, method, timeout=timeout, request_id=request_id) as call:
            while True:
                try:
                    response: ResponseT = await stub(data, timeout=call.begin(), metadata=call.headers)
                    return response
                except grpc.RpcError as error:
                    pause = call.failed(_channel.failure(error), error)
                except asyncio.CancelledError:
                    self._raise_if_closed()
                    raise
                await asyncio.sleep(pause)

    async def stream(
        self, method: Method[ResponseT], source: Resumable[ResponseT], *, timeout: float | None
    ) -> AsyncGenerator[ResponseT]:
        stub = self._stub(method, "unary_stream")
        with Call(self._settings, method, timeout=timeout, request_id="") as call:
            while True:
                rpc = stub(bytes(source.request()), timeout=call.begin(), metadata=call.headers)
                try:
                    async for response in rpc:
                        source.received(response)
                        yield response
                    return
                except grpc.RpcError as error:
                    if source.complete:
                        return
                    pause = call.failed(_channel.failure(error), error)
                except asyncio.CancelledError:
                    self._raise_if_closed()
                    raise
                finally:
                    rpc.cancel()
                await asyncio.sleep(pause)

    def upload(self, method: Method[ResponseT], *, timeout: float | None, request_id: str) -> "AsyncUpload[ResponseT]":
        stub = self._stub(method, "stream_unary")
        call = Call(self._settings, method, timeout=timeout, request_id=request_id, once=True)
        return _Upload(call, stub(timeout=call.begin(), metadata=call.headers), self._raise_if_closed)

    def _stub(self, method: Method[Any], kind: str) -> Any:
        if self._closed:
            raise CancelledError("the client is closed")
        stub = self._stubs.get(method.path)
        if stub is None:
            make = getattr(self._connected(), kind)
            stub = make(method.path, request_serializer=None, response_deserializer=method.response.parse)
            self._stubs[method.path] = stub
        return stub

    def _connected(self) -> grpc.aio.Channel:
        """The channel, made in the event loop of the first call; a client may be made before there is one."""
        if self._channel is None:
            options, pem = _channel.options(), self._settings.pem
            if pem is None:
                self._channel = grpc.aio.insecure_channel(self._settings.address, options)
            else:
                self._channel = grpc.aio.secure_channel(self._settings.address, _channel.credentials(pem), options)
        return self._channel

    def _raise_if_closed(self) -> None:
        """A closed channel cancels its calls as if somebody had cancelled the task; tell the two apart."""
        task = asyncio.current_task()
        if self._closed and (task is None or not task.cancelling()):
            raise CancelledError("the client was closed") from None


class _Upload(AsyncUpload[ResponseT]):
    """A stream of requests on its call."""

    def __init__(self, call: Call, rpc: Any, raise_if_closed: Callable[[], None]) -> None:
        self._call = call
        self._raise_if_closed = raise_if_closed
        self._rpc = rpc
        # The public `write` replaces the status of a call that the server has ended by INTERNAL, and nobody learns why it did.
        # What it wraps does not; should a later grpcio have no such thing, there is still `write`.
        wrapped = getattr(rpc, "_cython_call", None)
        self._write = getattr(wrapped, "send_serialized_message", rpc.write)

    async def send(self, message: Message) -> None:
        data = bytes(message)
        try:
            await self._rpc.wait_for_connection()
            await self._write(data)
        except (grpc.RpcError, grpc.aio.InternalError, asyncio.InvalidStateError):
            await self.finish()  # raises what the call ended with
            raise

    async def finish(self) -> ResponseT:
        with contextlib.suppress(grpc.RpcError, grpc.aio.InternalError):  # what the call ended with comes below
            await self._rpc.done_writing()
        try:
            response: ResponseT = await self._rpc
            return response
        except grpc.RpcError as error:
            self._call.failed(_channel.failure(error), error)  # raises: there is one attempt
            raise

    async def __aenter__(self) -> Self:
        self._call.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rpc.cancel()  # does nothing once it has ended
        self._call.__exit__(kind, error, trace)
        if kind is asyncio.CancelledError:
            self._raise_if_closed()
