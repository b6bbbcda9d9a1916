"""gRPC for the command line: one channel to a port or a Unix socket. See `client.Client` for what the methods mean.

Imported only where it is used: the library takes longer to load than most commands take to run.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import grpc  # type: ignore[import-untyped]
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from vexfs import __version__
from vexfs.cli.client import M
from vexfs.cli.exits import RemoteError
from vexfs.contract.v1 import common_pb2, content_pb2

_STATUS_TRAILER = "grpc-status-details-bin"
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.primary_user_agent", f"vexfs-cli/{__version__}"),
    ("grpc.enable_http_proxy", 0),
]


class GrpcClient:
    """A channel and the token that goes with every call."""

    def __init__(
        self,
        target: str,
        token: str | None,
        *,
        timeout_s: float | None = None,
        tls: grpc.ChannelCredentials | None = None,
    ) -> None:
        self.where = target
        self._timeout_s = timeout_s
        self._metadata = [("authorization", f"Bearer {token}")] if token else []
        self._channel = grpc.secure_channel(target, tls, _OPTIONS) if tls else grpc.insecure_channel(target, _OPTIONS)
        self._stubs: dict[str, Any] = {}

    def call(self, method: str, request: Message, answer: type[M], *, timeout_s: float | None = None) -> M:
        stub = self._stubs.get(method)
        if stub is None:
            stub = self._stubs[method] = self._channel.unary_unary(
                _path(method), request_serializer=_serialize, response_deserializer=answer.FromString
            )
        try:
            response: M = stub(request, timeout=timeout_s or self._timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            self._fail(error)
        return response

    def read(self, file: common_pb2.FileRef) -> Iterator[bytes]:
        stream = self._channel.unary_stream(
            _path("FilesService.ReadFile"),
            request_serializer=_serialize,
            response_deserializer=content_pb2.ReadFileResponse.FromString,
        )(content_pb2.ReadFileRequest(file=file), timeout=self._timeout_s, metadata=self._metadata)
        try:
            for response in stream:
                yield response.data
        except grpc.RpcError as error:
            self._fail(error)

    def write(self, file: common_pb2.FileRef, pieces: Iterable[bytes]) -> common_pb2.File:
        def messages() -> Iterator[content_pb2.WriteFileRequest]:
            yield content_pb2.WriteFileRequest(header=content_pb2.WriteFileHeader(file=file))
            for piece in pieces:
                yield content_pb2.WriteFileRequest(data=piece)

        call = self._channel.stream_unary(
            _path("FilesService.WriteFile"),
            request_serializer=_serialize,
            response_deserializer=content_pb2.WriteFileResponse.FromString,
        )
        try:
            response: content_pb2.WriteFileResponse = call(messages(), timeout=self._timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            self._fail(error)
        return response.file

    def close(self) -> None:
        self._channel.close()

    def _fail(self, error: Any) -> NoReturn:
        """Turn gRPC's exception into what the server said, or into what to do when it said nothing."""
        code = error.code().name
        for key, value in error.trailing_metadata() or ():
            if key == _STATUS_TRAILER:
                raise _from_status(code, status_pb2.Status.FromString(value)) from None
        if code == "UNAVAILABLE":
            message = f"no server answers at {self.where} ({error.details()}); is `vexfs serve` running?"
            raise RemoteError(code, "UNAVAILABLE", message) from None
        if code == "DEADLINE_EXCEEDED":
            raise RemoteError(code, code, "the server did not answer in time; --timeout gives it longer") from None
        raise RemoteError(code, "INTERNAL", f"{code}: {error.details()}") from None


def _from_status(code: str, status: status_pb2.Status) -> RemoteError:
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return RemoteError(code, info.reason, status.message, dict(info.metadata))
    return RemoteError(code, "INTERNAL", status.message)


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()


def _path(method: str) -> str:
    return "/vexfs.v1." + method.replace(".", "/")


def tls_credentials(ca: Path | None, certificate: Path | None, key: Path | None) -> grpc.ChannelCredentials:
    """Whom to trust (the system's authorities when `ca` is None), and what to show if the server asks."""
    return grpc.ssl_channel_credentials(
        root_certificates=ca.read_bytes() if ca else None,
        private_key=key.read_bytes() if key else None,
        certificate_chain=certificate.read_bytes() if certificate else None,
    )
