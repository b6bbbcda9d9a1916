"""The gRPC surface: bytes to messages and back, on a TCP port and a Unix socket.

Started by `vexfs.api.server`; runs on the event loop. Handlers are made from the registry, so a method of the contract
needs no line here. Every error leaves with a `google.rpc.Status` in its trailers. Health and reflection are open;
everything else passes the dispatcher. In a replica, all that it does not answer itself goes to the first API process.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import grpc  # type: ignore[import-untyped]
import grpc.aio  # type: ignore[import-untyped]
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import reflection  # type: ignore[import-untyped]

from vexfs.api.binary import check_size, parse
from vexfs.api.context import Caller
from vexfs.api.dispatch import Dispatcher, Load
from vexfs.api.errors import RouteNotFound, code_number, to_status, translate
from vexfs.api.forwarding import Forwarder
from vexfs.api.limits import TRANSPORT_MAX_BYTES
from vexfs.api.registry import Kind, Method
from vexfs.api.request_memory import Hold
from vexfs.api.streams import whole
from vexfs.api.tls import TlsFiles
from vexfs.core.errors import VexfsError

_STATUS_TRAILER = "grpc-status-details-bin"
_CODES = {code.value[0]: code for code in grpc.StatusCode}

Context = Any
"""grpc.aio.ServicerContext, which is generic in types that mean nothing to handlers of bytes."""


@dataclass(frozen=True, slots=True)
class GrpcAddress:
    """Where the surface listens: a TCP address (port 0 takes a free one) and a Unix socket."""

    host: str
    port: int
    socket: Path | None
    tls: TlsFiles | None
    shared: bool = False
    """Other processes of the server listen on the TCP port, too; the kernel gives each a share of the connections."""


class GrpcSurface:
    """A running gRPC server. `start` binds, `stop` ends what runs within its grace."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        methods: Mapping[str, Method],
        address: GrpcAddress,
        *,
        forwarder: Forwarder | None = None,
        answers: Callable[[Method], bool] = lambda _: True,
    ) -> None:
        """With a `forwarder` it carries away the methods that are not answered here, and the questions for health."""
        self._address = address
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", TRANSPORT_MAX_BYTES),
                ("grpc.max_send_message_length", -1),
                # Unless they were started to share it, a second server on the same port is a mistake to be told of.
                ("grpc.so_reuseport", int(address.shared)),
            ]
        )
        self._services = sorted({method.contract.service for method in methods.values()})
        self._health = health.aio.HealthServicer() if forwarder is None else None
        if self._health is not None:
            health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = [*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(names, self._server)
        handlers = _Handlers(dispatcher, [method for method in methods.values() if answers(method)])
        if forwarder is not None:
            handlers.forward([method for method in methods.values() if not answers(method)], forwarder)
        self._server.add_generic_rpc_handlers((handlers,))

    async def start(self) -> int:
        """Bind and serve; returns the TCP port. Raises OSError when an address is taken."""
        port = self._bind_tcp()
        if self._address.socket is not None:
            self._address.socket.unlink(missing_ok=True)
            self._bind(lambda: self._server.add_insecure_port(f"unix:{self._address.socket}"), str(self._address.socket))
        await self._server.start()
        if self._address.socket is not None:
            self._address.socket.chmod(0o600)
        if self._health is not None:
            for service in ("", *self._services):
                await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        return port

    async def stop(self, grace_seconds: float) -> None:
        """Refuse new calls, let running ones end within `grace_seconds`, then cancel them."""
        if self._health is not None:
            await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_seconds)
        if self._address.socket is not None:
            self._address.socket.unlink(missing_ok=True)

    def _bind_tcp(self) -> int:
        host = f"[{self._address.host}]" if ":" in self._address.host else self._address.host
        target = f"{host}:{self._address.port}"
        if self._address.tls is None:
            return self._bind(lambda: self._server.add_insecure_port(target), target)
        credentials = self._address.tls.grpc_credentials()
        return self._bind(lambda: self._server.add_secure_port(target, credentials), target)

    @staticmethod
    def _bind(add: Callable[[], int], target: str) -> int:
        try:
            port = add()
        except RuntimeError as error:
            raise OSError(f"gRPC cannot listen on {target}: the address is taken or not of this machine") from error
        if port == 0:
            raise OSError(f"gRPC cannot listen on {target}: the address is taken or not of this machine")
        return port


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Finds the handler of a call by its path; an unknown path gets one that says so in the shape of every error."""

    def __init__(self, dispatcher: Dispatcher, methods: Iterable[Method]) -> None:
        self._dispatcher = dispatcher
        self._by_path = {method.contract.path: self._handler(method) for method in methods}

    def forward(self, methods: Iterable[Method], forwarder: Forwarder) -> None:
        """Have these answered elsewhere, and the questions for health, which is that of all processes together."""
        for method in methods:
            path = method.contract.path
            streams = method.kind is Kind.CLIENT_STREAM
            self._by_path[path] = forwarder.many_requests(path) if streams else forwarder.one_request(path)
        for name in health_pb2.DESCRIPTOR.services_by_name["Health"].methods_by_name:
            path = f"/{health.SERVICE_NAME}/{name}"
            self._by_path[path] = forwarder.one_request(path)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        path = handler_call_details.method
        return self._by_path.get(path) or _unknown(path)

    def _handler(self, method: Method) -> Any:
        match method.kind:
            case Kind.UNARY:
                return grpc.unary_unary_rpc_method_handler(self._unary(method))
            case Kind.SERVER_STREAM:
                return grpc.unary_stream_rpc_method_handler(self._stream(method))
            case Kind.CLIENT_STREAM:
                return grpc.stream_unary_rpc_method_handler(self._collect(method))

    def _unary(self, method: Method) -> Callable[[bytes, Context], Awaitable[bytes]]:
        async def handle(data: bytes, context: Context) -> bytes:
            try:
                response = await self._dispatcher.unary(method, _caller(context), _load(method, data))
            except VexfsError as error:
                await abort(context, error)
            return response.SerializeToString()

        return handle

    def _stream(self, method: Method) -> Callable[[bytes, Context], AsyncIterator[bytes]]:
        async def handle(data: bytes, context: Context) -> AsyncIterator[bytes]:
            responses = self._dispatcher.stream(method, _caller(context), _load(method, data))
            try:
                async for response in responses:
                    yield response.SerializeToString()
            except VexfsError as error:
                await abort(context, error)
            finally:
                await responses.aclose()

        return handle

    def _collect(self, method: Method) -> Callable[[AsyncIterator[bytes], Context], Awaitable[bytes]]:
        async def handle(stream: AsyncIterator[bytes], context: Context) -> bytes:
            async def requests() -> AsyncGenerator[Message]:
                async for data in whole(stream, context):
                    yield parse(method, data)

            try:
                response = await self._dispatcher.collect(method, _caller(context), requests)
            except VexfsError as error:
                await abort(context, error)
            return response.SerializeToString()

        return handle


def _load(method: Method, data: bytes) -> Load:
    def load(held: Hold) -> Message:
        check_size(len(data))  # what is too large for ever is not told to come again
        held.grow_to(len(data))
        return parse(method, data)

    return load


def _unknown(path: str) -> Any:
    async def handle(_: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        await abort(context, RouteNotFound(f"this server has no method {path}"))
        yield b""

    return grpc.stream_stream_rpc_method_handler(handle)


def _caller(context: Context) -> Caller:
    metadata = dict(context.invocation_metadata() or ())
    return Caller(
        surface="grpc",
        authorization=_text(metadata.get("authorization")),
        # The transport keeps :authority to itself; browsers, which the Host check is about, cannot speak gRPC.
        host=None,
        origin=_text(metadata.get("origin")),
        timeout_seconds=context.time_remaining(),
        peer=context.peer,
    )


def _text(value: str | bytes | None) -> str | None:
    return value.decode("latin-1") if isinstance(value, bytes) else value


async def abort(context: Context, error: VexfsError) -> NoReturn:
    """End a call with the error and its details."""
    trailers = ((_STATUS_TRAILER, to_status(error).SerializeToString()),)
    # The message travels in one header line; trailers of a call are limited, the details say the same again.
    await context.abort(_CODES[code_number(error)], error.message[:1000], trailers)
    raise translate(error, "abort")
