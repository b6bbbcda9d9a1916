"""A gRPC server in this process that answers as a script says, and notes what it was asked. It knows no VexFS."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2


@dataclass
class Failure:
    """A status to answer with; `reason` and `retry_after` (seconds) go into its details."""

    code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE
    reason: str = ""
    retry_after: float | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    domain: str = "vexfs.v1"

    def abort(self, context: grpc.ServicerContext) -> None:
        status = status_pb2.Status(code=self.code.value[0], message="as the test says")
        if self.reason:
            packed = AnyMessage()
            packed.Pack(error_details_pb2.ErrorInfo(reason=self.reason, domain=self.domain, metadata=self.metadata))
            status.details.append(packed)
        if self.retry_after is not None:
            delay = error_details_pb2.RetryInfo()
            delay.retry_delay.FromNanoseconds(int(self.retry_after * 1e9))
            packed = AnyMessage()
            packed.Pack(delay)
            status.details.append(packed)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(self.code, "as the test says")


@dataclass
class Seen:
    """One attempt as it arrived."""

    path: str
    request: bytes
    metadata: dict[str, str | bytes]
    remaining: float | None
    at: float
    ended: threading.Event = field(default_factory=threading.Event)


Answer = bytes | Failure | Callable[[grpc.ServicerContext], bytes]


class FaultyServer:
    """Answers the attempts one after another with `answers`; the last one answers all further ones."""

    def __init__(self, *answers: Answer | list[Answer]) -> None:
        self.answers = list(answers)
        self.seen: list[Seen] = []
        self.received: list[bytes] = []
        self._server = grpc.server(futures.ThreadPoolExecutor(16))
        self._server.add_generic_rpc_handlers((_Handler(self),))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self.address = f"127.0.0.1:{self.port}"

    def __enter__(self) -> "FaultyServer":
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()

    def note(self, path: str, request: bytes, context: grpc.ServicerContext) -> Answer | list[Answer]:
        remaining = context.time_remaining()
        seen = Seen(path, request, dict(context.invocation_metadata()), remaining, time.monotonic())
        context.add_callback(seen.ended.set)
        self.seen.append(seen)
        return self.answers[min(len(self.seen), len(self.answers)) - 1]


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
        answer = self._server.note(path, request, context)
        assert not isinstance(answer, list)
        return _play(answer, context)

    def _stream(self, path: str, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        answer = self._server.note(path, request, context)
        for one in answer if isinstance(answer, list) else [answer]:
            yield _play(one, context)

    def _collect(self, path: str, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        answer = self._server.note(path, next(requests), context)
        assert not isinstance(answer, list)
        if not isinstance(answer, Failure):
            self._server.received.extend(requests)
        return _play(answer, context)


def _play(answer: Answer, context: grpc.ServicerContext) -> bytes:
    if isinstance(answer, Failure):
        answer.abort(context)
        raise AssertionError("abort raises")
    return answer if isinstance(answer, bytes) else answer(context)
