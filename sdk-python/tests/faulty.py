"""Servers in this process that answer as a script says, and note what they were asked: what both have in common, and the one
that speaks gRPC. They know no VexFS.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
from betterproto2 import Message
from google.protobuf import json_format
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2

M = TypeVar("M", bound=Message)


@dataclass
class Failure:
    """A status to answer with; `reason` and `retry_after` (seconds) go into its details."""

    code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE
    reason: str = ""
    retry_after: float | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    domain: str = "vexfs.v1"

    def status(self) -> status_pb2.Status:
        """As gRPC has it."""
        status = status_pb2.Status(code=self.code.value[0], message="as the test says")
        if self.reason:
            status.details.append(_packed(error_details_pb2.ErrorInfo(**self._info())))
        if self.retry_after is not None:
            delay = error_details_pb2.RetryInfo()
            delay.retry_delay.FromNanoseconds(int(self.retry_after * 1e9))
            status.details.append(_packed(delay))
        return status

    def _info(self) -> dict[str, Any]:
        return {"reason": self.reason, "domain": self.domain, "metadata": self.metadata}

    def abort(self, context: grpc.ServicerContext) -> None:
        """End a call of gRPC with it."""
        context.set_trailing_metadata((("grpc-status-details-bin", self.status().SerializeToString()),))
        context.abort(self.code, "as the test says")

    def body(self, http_status: int) -> dict[str, Any]:
        """As REST has it."""
        details = [json_format.MessageToDict(detail) for detail in self.status().details]
        return {"error": {"code": http_status, "status": self.code.name, "message": "as the test says", "details": details}}


def _packed(message: Any) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


@dataclass
class Received:
    """One message as it arrived: bytes of gRPC, or an object in JSON."""

    data: bytes | dict[str, Any]

    def of(self, kind: type[M]) -> M:
        """The message."""
        return kind.parse(self.data) if isinstance(self.data, bytes) else kind.from_dict(self.data)


@dataclass
class Seen:
    """One attempt as it arrived."""

    path: str
    request: Received
    metadata: dict[str, str | bytes]
    remaining: float | None
    at: float = field(default_factory=time.monotonic)
    ended: threading.Event = field(default_factory=threading.Event)
    """The call is over, for the server's side too."""


Answer = Message | Failure | Callable[[], Message]


class Scripted:
    """Answers the attempts one after another with `answers`; the last one answers all further ones. A list is a stream."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.seen: list[Seen] = []
        self.received: list[Received] = []
        self.port = 0

    def note(self, seen: Seen) -> Any:
        """The answer to this attempt."""
        self.seen.append(seen)
        return self.answers[min(len(self.seen), len(self.answers)) - 1]

    @property
    def reach(self) -> dict[str, Any]:
        """The settings of a client of it."""
        raise NotImplementedError

    def __enter__(self) -> "Scripted":
        raise NotImplementedError

    def __exit__(self, *_: object) -> None:
        raise NotImplementedError


class FaultyServer(Scripted):
    """The one that speaks gRPC."""

    def __init__(self, *answers: Answer | list[Answer]) -> None:
        super().__init__(*answers)
        self._server = grpc.server(futures.ThreadPoolExecutor(16))
        self._server.add_generic_rpc_handlers((_Handler(self),))
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    @property
    def reach(self) -> dict[str, Any]:
        return {"address": f"127.0.0.1:{self.port}"}

    def __enter__(self) -> "FaultyServer":
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()

    def arrived(self, path: str, request: bytes, context: grpc.ServicerContext) -> Any:
        """Note an attempt; the answer to it."""
        seen = Seen(path, Received(request), dict(context.invocation_metadata()), context.time_remaining())
        context.add_callback(seen.ended.set)
        return self.note(seen)


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, server: FaultyServer) -> None:
        self._server = server

    def service(self, details: Any) -> Any:
        if details.method.endswith("/WriteFile"):
            return grpc.stream_unary_rpc_method_handler(
                lambda requests, context: self._collect(details.method, requests, context)
            )
        if details.method.endswith("/ReadFile"):
            return grpc.unary_stream_rpc_method_handler(lambda request, context: self._stream(details.method, request, context))
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self._unary(details.method, request, context))

    def _unary(self, path: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        answer = self._server.arrived(path, request, context)
        assert not isinstance(answer, list)
        return _play(answer, context)

    def _stream(self, path: str, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        answer = self._server.arrived(path, request, context)
        for one in answer if isinstance(answer, list) else [answer]:
            yield _play(one, context)

    def _collect(self, path: str, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        answer = self._server.arrived(path, next(requests), context)
        assert not isinstance(answer, list)
        if not isinstance(answer, Failure):
            self._server.received.extend(map(Received, requests))
        return _play(answer, context)


def _play(answer: Answer, context: grpc.ServicerContext) -> bytes:
    if isinstance(answer, Failure):
        answer.abort(context)
        raise AssertionError("abort raises")
    return bytes(answer if isinstance(answer, Message) else answer())


Peer = Callable[..., Any]
"""One of the two servers, yet to be made from its answers."""


def as_json(value: object) -> bytes:
    """A message, or any value, in JSON."""
    return json.dumps(value.to_dict() if isinstance(value, Message) else value).encode()
