"""The surface gRPC itself, over grpcio, without retries of any kind. Used by one thread at a time."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc

from vexfs_conformance import contract
from vexfs_conformance.lanes.raw import DEFAULT_TIMEOUT_S, USER_AGENT, RawLane, from_status, to_json, to_message
from vexfs_conformance.outcomes import Answered, CallSpec, Endpoint, Failed, Outcome

_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.primary_user_agent", USER_AGENT),
]


class RawGrpc(RawLane):
    """gRPC as the contract has it."""

    name = "grpc"
    transport = "grpc"

    def __init__(self) -> None:
        self._channels: dict[Endpoint, grpc.Channel] = {}
        self.version = grpc.__version__

    def once(self, spec: CallSpec, method: contract.Method) -> Outcome:
        messages = [to_message(request, method.request_name).SerializeToString() for request in spec.requests]
        metadata = [("authorization", f"Bearer {spec.endpoint.token}")] if spec.endpoint.token else []
        milliseconds = spec.timeout_ms or spec.endpoint.timeout_ms
        timeout = milliseconds / 1000 if milliseconds else DEFAULT_TIMEOUT_S
        try:
            invoke, argument = self._invocation(spec.endpoint, method, messages)
            call = invoke(argument, metadata=metadata, timeout=timeout)
            return Answered([to_json(each) for each in _results(call, method, spec)])
        except grpc.FutureCancelledError:
            return Failed("CANCELLED")
        except grpc.RpcError as error:
            return _failed(error)

    def _invocation(self, endpoint: Endpoint, method: contract.Method, messages: list[bytes]) -> tuple[Callable[..., Any], Any]:
        channel = self._channel(endpoint)
        path = f"/{method.full_name}"
        parse = contract.message_class(method.response_name).FromString
        if method.client_streaming:
            return channel.stream_unary(path, _same, parse).future, iter(messages)
        if method.server_streaming:
            return channel.unary_stream(path, _same, parse), messages[0]
        return channel.unary_unary(path, _same, parse).future, messages[0]

    def _channel(self, endpoint: Endpoint) -> grpc.Channel:
        if endpoint not in self._channels:
            self._channels[endpoint] = open_channel(endpoint)
        return self._channels[endpoint]

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()


def open_channel(endpoint: Endpoint) -> grpc.Channel:
    """A channel to `endpoint.address`, with TLS if the endpoint says so or names a file."""
    address = endpoint.address or "127.0.0.1:8083"
    if not (endpoint.tls or endpoint.tls_ca):
        return grpc.insecure_channel(address, options=_OPTIONS)
    credentials = grpc.ssl_channel_credentials(
        _read(endpoint.tls_ca), _read(endpoint.tls_client_key), _read(endpoint.tls_client_cert)
    )
    return grpc.secure_channel(address, credentials, options=_OPTIONS)


def _read(name: str | None) -> bytes | None:
    return Path(name).read_bytes() if name else None


def _same(data: bytes) -> bytes:
    return data


def _results(call: Any, method: contract.Method, spec: CallSpec) -> list[Any]:
    """The messages of a call that runs, cancelled in between if the case wants that."""
    timer = threading.Timer(spec.cancel_after_ms / 1000, call.cancel) if spec.cancel_after_ms is not None else None
    if timer is not None:
        timer.daemon = True
        timer.start()
    try:
        if not method.server_streaming:
            return [call.result()]
        found: list[Any] = []
        for message in call:
            found.append(message)
            if len(found) == spec.take:
                call.cancel()
                break
        return found
    finally:
        if timer is not None:
            timer.cancel()


def _failed(error: Any) -> Failed:
    trailers = dict(error.trailing_metadata() or ())
    return from_status(error.code().name, error.details() or "", trailers.get("grpc-status-details-bin", b""))
