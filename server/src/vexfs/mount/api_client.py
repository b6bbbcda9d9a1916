"""The mount's way to ask the API: the contract over its Unix socket, in worker threads.

Used by `.search` and by the wait after an fsync; never by the loop's thread. Connects at the first use and again whenever the
API comes back. Knows the generated messages; its callers get own types. gRPC is imported at the first use: a mount that
nobody searches needs none of it.
"""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from vexfs import runtime
from vexfs.core.errors import InvalidRequest, Unavailable
from vexfs.security import token

if TYPE_CHECKING:
    import grpc  # type: ignore[import-untyped]  # grpcio ships no types

_PREFIX = "/vexfs.v1."


class Hit(NamedTuple):
    """One file that answers a query, best first. `record` is what `.results.jsonl` shows."""

    path: bytes
    ino: int
    score: float
    record: dict[str, Any]


class Found(NamedTuple):
    """The answer to one query."""

    hits: list[Hit]
    facts: dict[str, Any]


class Failed(Unavailable):
    """The API could not be asked, or refused; the message says why."""


class Cancelled(Failed):
    """The asker has given up."""


class ApiClient:
    """Thread-safe."""

    def __init__(self, data: Path, token_file: Path) -> None:
        self._data = data
        self._token_file = token_file
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None

    def search(self, asked: str, timeout_s: float, job: "Job") -> Found:
        """What answers a SearchRequest, given as JSON. Raises InvalidRequest when it is no SearchRequest, Failed, Cancelled."""
        from google.protobuf.json_format import MessageToDict

        from vexfs.contract.v1 import search_pb2

        request = _parsed(asked, search_pb2.SearchRequest())
        response = self._call("SearchService/Search", request, search_pb2.SearchResponse, timeout_s, job)
        hits = [
            Hit(
                path=hit.file.path_bytes or hit.file.path.encode(),
                ino=hit.file.id,
                score=hit.score,
                record=MessageToDict(hit, preserving_proto_field_name=True),
            )
            for hit in response.hits
        ]
        facts = MessageToDict(response, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        facts.pop("hits", None)
        return Found(hits, {**facts, "hits": len(hits)})

    def check_filter(self, asked: str) -> None:
        """Raises InvalidRequest unless it is a Filter of the contract as JSON. Asks nobody."""
        from vexfs.contract.v1 import filter_pb2

        _parsed(asked, filter_pb2.Filter())

    def finds(self, vector: bytes, ino: int, timeout_s: float, job: "Job") -> bool:
        """Whether the file is among the nearest to a vector (little-endian float32). Raises Failed, Cancelled."""
        from vexfs.contract.v1 import common_pb2, search_pb2

        request = search_pb2.SearchRequest(vector=common_pb2.Vector(values=vector), limit=20)
        response = self._call("SearchService/Search", request, search_pb2.SearchResponse, timeout_s, job)
        return any(hit.file.id == ino for hit in response.hits)

    def server_info(self, timeout_s: float, job: "Job") -> dict[str, Any]:
        """Positions of store and views, what is pending. Raises Failed, Cancelled."""
        from google.protobuf.json_format import MessageToDict

        from vexfs.contract.v1 import server_pb2

        request = server_pb2.GetServerInfoRequest()
        info = self._call("ServerService/GetServerInfo", request, server_pb2.GetServerInfoResponse, timeout_s, job)
        return dict(MessageToDict(info, preserving_proto_field_name=True, always_print_fields_with_no_presence=True))

    def pending_items(self, timeout_s: float, job: "Job") -> int:
        """How many files or passages the view that is furthest behind still lacks. Raises Failed, Cancelled."""
        from vexfs.contract.v1 import server_pb2

        request = server_pb2.GetServerInfoRequest()
        info = self._call("ServerService/GetServerInfo", request, server_pb2.GetServerInfoResponse, timeout_s, job)
        return int(max([info.text.pending, *(view.pending for view in info.views)]))

    def wait_for_views(self, revision: int, timeout_s: float, job: "Job") -> None:
        """Return when all views have that revision. Raises Failed, Cancelled."""
        from vexfs.contract.v1 import search_pb2

        request = search_pb2.WaitForViewsRequest(min_revision=revision)
        self._call("SearchService/WaitForViews", request, search_pb2.WaitForViewsResponse, timeout_s, job)

    def _call(self, method: str, request: Any, response: Any, timeout_s: float, job: "Job") -> Any:
        import grpc

        try:
            secret = token.read(self._token_file)
        except OSError as error:
            raise Failed(f"the server's token cannot be read: {error.strerror}") from None
        stub = self._connected().unary_unary(
            _PREFIX + method, request_serializer=type(request).SerializeToString, response_deserializer=response.FromString
        )
        call = stub.future(request, timeout=timeout_s, metadata=[("authorization", f"Bearer {secret}")])
        job.started(call.cancel)
        try:
            return call.result()
        except grpc.FutureCancelledError:
            raise Cancelled("the request was interrupted") from None
        except grpc.RpcError as error:
            raise Failed(f"{error.code().name}: {error.details()}") from None

    def _connected(self) -> "grpc.Channel":
        import grpc

        with self._lock:
            if self._channel is None:
                options = [
                    ("grpc.max_reconnect_backoff_ms", 1000),
                    ("grpc.max_receive_message_length", 64 << 20),
                    ("grpc.default_authority", "localhost"),
                ]
                self._channel = grpc.insecure_channel(f"unix:{runtime.socket_path(self._data, 'api')}", options)
            return self._channel

    def close(self) -> None:
        """Idempotent."""
        with self._lock:
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()


def _parsed(text: str, message: Any) -> Any:
    """JSON into a message of the contract. Raises InvalidRequest."""
    from google.protobuf import json_format

    try:
        return json_format.Parse(text, message)
    except (json_format.ParseError, RecursionError) as error:
        raise InvalidRequest(f"this is no {message.DESCRIPTOR.name} of the contract as JSON: {error}") from None


class Job:
    """A question on its way, which can be given up from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancel: Any = None
        self.cancelled = False

    def started(self, cancel: Any) -> None:
        """The call runs; from now on `cancel` ends it."""
        with self._lock:
            self._cancel = cancel
            late = self.cancelled
        if late:
            cancel()

    def cancel(self) -> None:
        """Give up."""
        with self._lock:
            self.cancelled = True
            cancel = self._cancel
        if cancel is not None:
            cancel()
