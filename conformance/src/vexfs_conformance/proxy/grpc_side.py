"""The gRPC side of the fault proxy: a server that forwards every call to the real one, unless its script says otherwise.

Forwards bytes; reads requests only for their `request_id`. Its threads are those of the gRPC server.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import grpc

from vexfs_conformance import contract
from vexfs_conformance.lanes.raw_grpc import open_channel
from vexfs_conformance.outcomes import Endpoint
from vexfs_conformance.proxy.script import Attempt, Script

_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0)]
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_KEPT_METADATA = ("authorization", "x-request-id")


class GrpcSide(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Listens on a free port of this machine."""

    def __init__(self, endpoint: Endpoint, script: Callable[[], Script]) -> None:
        self._script = script
        self._upstream = open_channel(endpoint)
        self._pool = futures.ThreadPoolExecutor(16)
        self._server = grpc.server(self._pool, handlers=(self,), options=_UNLIMITED)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def service(self, handler_call_details: Any) -> Any:
        path = handler_call_details.method

        def handle(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
            return self._answer(path, requests, context)

        return grpc.stream_stream_rpc_method_handler(handle)

    def _answer(self, path: str, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        script = self._script()
        metadata = dict(context.invocation_metadata())
        attempt, number = script.arrive(path, metadata.get("user-agent", ""))
        ended, finished = threading.Event(), threading.Event()

        def over() -> None:
            if not finished.is_set():
                attempt.cancelled = True
            ended.set()

        context.add_callback(over)
        messages = _seen(requests, path, attempt)
        if script.fails(number):
            for _ in messages:
                pass  # an error may come before the requests were read; the request id is wanted all the same
            finished.set()
            _abort(context, script)
        if script.plan.delay_ms and ended.wait(script.plan.delay_ms / 1000):
            return
        kept = [(key, value) for key, value in metadata.items() if key in _KEPT_METADATA]
        call = self._upstream.stream_stream(path)(messages, metadata=kept, timeout=context.time_remaining())
        context.add_callback(call.cancel)
        try:
            if script.loses(number):
                for _ in call:
                    pass
                finished.set()
                _abort(context, script)
            yield from call
        except grpc.RpcError as error:
            finished.set()
            context.set_trailing_metadata(tuple(call.trailing_metadata() or ()))
            context.abort(error.code(), error.details() or "")
        finished.set()

    def close(self) -> None:
        """Stop listening; what runs is cancelled."""
        self._server.stop(None).wait()
        self._upstream.close()
        self._pool.shutdown(wait=False)


def _seen(requests: Iterator[bytes], path: str, attempt: Attempt) -> Iterator[bytes]:
    """The requests as they come, their ids noted. Only the first of a stream carries the id."""
    method = contract.methods().get(path.rpartition("/")[2])
    for data in requests:
        if method is not None and not attempt.request_ids:
            message: Any = contract.message_class(method.request_name).FromString(data)
            attempt.request_ids.append(getattr(message, "request_id", ""))
        yield data


def _abort(context: Any, script: Script) -> None:
    status = script.status()
    if status.details:
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(_CODES[status.code], status.message)
