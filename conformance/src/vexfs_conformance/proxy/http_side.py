"""The HTTP side of the fault proxy, for REST and Connect: forwards every request, unless its script says otherwise.

Answers errors in the form of the surface that was asked. A thread for each connection.
"""

import base64
import contextlib
import http.client
import json
import select
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from google.rpc import status_pb2

from vexfs_conformance import contract
from vexfs_conformance.lanes.http_client import tls_context
from vexfs_conformance.outcomes import Endpoint
from vexfs_conformance.proxy.script import HTTP_STATUS, Attempt, Script

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "host", "content-length", "accept-encoding"})
_NAMES = {1: "CANCELLED", 4: "DEADLINE_EXCEEDED", 5: "NOT_FOUND", 8: "RESOURCE_EXHAUSTED", 13: "INTERNAL", 14: "UNAVAILABLE"}


class HttpSide:
    """Listens on a free port of this machine."""

    def __init__(self, endpoint: Endpoint, script: Callable[[], Script]) -> None:
        def handler(*arguments: Any) -> _Handler:
            return _Handler(endpoint, script, *arguments)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, endpoint: Endpoint, script: Callable[[], Script], *arguments: Any) -> None:
        self._endpoint = endpoint
        self._script = script
        super().__init__(*arguments)

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):  # the client has gone, as some cases want it to
            super().handle()

    def _answer(self) -> None:
        script = self._script()
        attempt, number = script.arrive(urlsplit(self.path).path, self.headers.get("user-agent", ""))
        body = self._body()
        attempt.request_ids.append(_request_id(self.path, self.headers.get("content-type", ""), body))
        if script.fails(number):
            self._fail(script.status())
            return
        if self._client_left(script.plan.delay_ms / 1000, attempt):
            return
        response = self._forward(body)
        data = response.read()
        if script.loses(number):
            self._fail(script.status())
            return
        headers = {key: value for key, value in response.getheaders() if key.lower() not in _HOP_BY_HOP}
        self._send(response.status, headers, data)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            pieces = []
            while size := int(self.rfile.readline().strip().partition(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def _client_left(self, seconds: float, attempt: Attempt) -> bool:
        """Hold the call back; True if the client closes its connection meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            readable, _, _ = select.select([self.connection], [], [], left)
            if readable:
                if self.connection.recv(1, socket.MSG_PEEK) == b"":
                    attempt.cancelled = True
                    self.close_connection = True
                    return True
                time.sleep(0.01)
        return False

    def _forward(self, body: bytes) -> http.client.HTTPResponse:
        parts = urlsplit(self._endpoint.url or "")
        if parts.scheme == "https":
            upstream = http.client.HTTPSConnection(parts.netloc, context=tls_context(self._endpoint), timeout=60)
        else:
            upstream = http.client.HTTPConnection(parts.netloc, timeout=60)  # type: ignore[assignment]
        headers = {key: value for key, value in self.headers.items() if key.lower() not in _HOP_BY_HOP}
        upstream.request(self.command, self.path, body or None, {**headers, "Connection": "close"})
        return upstream.getresponse()

    def _fail(self, status: status_pb2.Status) -> None:
        name = _NAMES.get(status.code, "UNAVAILABLE")
        http_status = HTTP_STATUS.get(name, 500)
        if not urlsplit(self.path).path.startswith("/vexfs.v1."):
            details = [json_format.MessageToDict(detail) for detail in status.details]
            error = {"code": http_status, "status": name, "message": status.message, "details": details}
            self._send(http_status, {"Content-Type": "application/json"}, json.dumps({"error": error}).encode())
            return
        connect: dict[str, Any] = {"code": name.lower(), "message": status.message, "details": []}
        for detail in status.details:
            value = base64.b64encode(detail.value).decode().rstrip("=")
            connect["details"].append({"type": detail.type_url.rpartition("/")[2], "value": value})
        if self.headers.get("content-type", "").startswith("application/connect+"):
            data = json.dumps({"error": connect}).encode()
            envelope = b"\x02" + len(data).to_bytes(4, "big") + data
            self._send(200, {"Content-Type": self.headers["content-type"]}, envelope)
        else:
            self._send(http_status, {"Content-Type": "application/json"}, json.dumps(connect).encode())

    def _send(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response_only(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _request_id(path: str, kind: str, body: bytes) -> str:
    """The `request_id` of a request of REST or Connect; empty if it has none."""
    query = parse_qs(urlsplit(path).query)
    for name in ("request_id", "requestId"):
        if query.get(name):
            return query[name][0]
    if kind.startswith("application/proto"):
        method = contract.methods().get(urlsplit(path).path.rpartition("/")[2])
        if method is None:
            return ""
        try:
            return str(getattr(contract.message_class(method.request_name).FromString(body), "request_id", ""))
        except DecodeError:
            return ""
    try:
        value = json.loads(body.splitlines()[0] if body else b"{}")
    except ValueError:
        return ""
    return str(value.get("request_id") or value.get("requestId") or "") if isinstance(value, dict) else ""
