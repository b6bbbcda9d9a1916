"""REST for the command line: HTTP by the routes the contract gives each method. See `client.Client` for what the methods mean.

Requests are protojson, content is raw bytes. Each thread keeps one connection of its own.
"""

import http.client
import json
import ssl
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from google.api import annotations_pb2  # type: ignore[import-untyped]
from google.protobuf import descriptor_pool, json_format
from google.protobuf.message import Message

from vexfs import __version__
from vexfs.cli.client import PIECE_BYTES, M
from vexfs.cli.exits import RemoteError
from vexfs.cli.options import Target

# The modules that define services: imported so that the descriptor pool knows their methods.
from vexfs.contract.v1 import collections_pb2, common_pb2, content_pb2, files_pb2, points_pb2, search_pb2, server_pb2  # noqa: F401

_JSON = {"Content-Type": "application/json"}
_RAW = {"Content-Type": "application/octet-stream"}


class RestClient:
    """A server's base address and the token that goes with every request."""

    def __init__(self, url: str, token: str | None, target: Target) -> None:
        self.where = url.rstrip("/")
        parts = urlsplit(self.where)
        self._secure = parts.scheme == "https"
        self._host = parts.netloc
        self._prefix = parts.path
        self._timeout_s = target.timeout_s
        self._tls = _tls_context(target.tls_ca, target.tls_client_cert, target.tls_client_key) if self._secure else None
        self._headers = {"User-Agent": f"vexfs-cli/{__version__}"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._local = threading.local()

    def call(self, method: str, request: Message, answer: type[M], *, timeout_s: float | None = None) -> M:
        verb, address, body = _encode(method, request)
        headers = dict(_JSON) if body is not None else {}
        return self._parsed(self._request(verb, address, body, headers, timeout_s or self._timeout_s), answer())

    def read(self, file: common_pb2.FileRef) -> Iterator[bytes]:
        response = self._request("GET", _content_address(file), None, {}, self._timeout_s)
        while piece := self._piece(response, PIECE_BYTES):
            yield piece
        if response.length:  # http.client takes a connection that is cut off for the end
            self._drop()
            raise self._cut_off(f"{response.length} bytes are missing")

    def write(self, file: common_pb2.FileRef, pieces: Iterable[bytes]) -> common_pb2.File:
        response = self._request("PUT", _content_address(file), pieces, dict(_RAW), self._timeout_s)
        return self._parsed(response, content_pb2.WriteFileResponse()).file

    def close(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()

    def _request(self, verb: str, address: str, body: Any, headers: dict[str, str], timeout_s: float | None) -> Any:
        """Send one request and return the response of a success. Once more on a kept connection that the server had closed."""
        if timeout_s is not None:
            headers["Grpc-Timeout"] = f"{min(99_999_999, max(1, int(timeout_s * 1000)))}m"
        kept = getattr(self._local, "connection", None) is not None
        try:
            response = self._send(verb, address, body, headers, timeout_s)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
            self._drop()
            if not kept or not isinstance(body, (bytes, type(None))):
                raise self._unreachable(error) from error
            response = self._send(verb, address, body, headers, timeout_s)
        if response.status >= 400:
            raise _from_body(response.status, self._piece(response, None))
        return response

    def _send(self, verb: str, address: str, body: Any, headers: dict[str, str], timeout_s: float | None) -> Any:
        connection = self._connection(timeout_s)
        try:
            connection.request(verb, self._prefix + address, body, self._headers | headers)
            return connection.getresponse()
        except TimeoutError as error:
            self._drop()
            raise _too_late() from error
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            raise
        except OSError as error:
            self._drop()
            raise self._unreachable(error) from error

    def _parsed(self, response: Any, into: M) -> M:
        body = self._piece(response, None)
        try:
            return json_format.Parse(body, into, ignore_unknown_fields=True)
        except (json_format.ParseError, UnicodeDecodeError):
            raise _not_vexfs(response.status) from None

    def _piece(self, response: Any, size_bytes: int | None) -> bytes:
        """The next bytes of an answer, or all of it. Raises RemoteError when the connection ends or stands still before."""
        try:
            return bytes(response.read(size_bytes))
        except TimeoutError as error:
            self._drop()
            raise _too_late() from error
        except (http.client.HTTPException, OSError) as error:
            self._drop()
            raise self._cut_off(str(error)) from error

    def _connection(self, timeout_s: float | None) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        # The server ends a call at its deadline by itself; the socket waits a little longer, to hear it say so.
        limit = None if timeout_s is None else timeout_s + 1.0
        if connection is None:
            if self._tls is not None:
                connection = http.client.HTTPSConnection(self._host, timeout=limit, context=self._tls)
            else:
                connection = http.client.HTTPConnection(self._host, timeout=limit)
            self._local.connection = connection
        elif connection.sock is not None:
            connection.sock.settimeout(limit)
        return connection

    def _drop(self) -> None:
        self._local.connection.close()
        self._local.connection = None

    def _unreachable(self, error: Exception) -> RemoteError:
        message = f"no server answers at {self.where} ({error}); is `vexfs serve` running?"
        return RemoteError("UNAVAILABLE", "UNAVAILABLE", message)

    def _cut_off(self, why: str) -> RemoteError:
        return RemoteError("UNAVAILABLE", "UNAVAILABLE", f"the server at {self.where} broke off its answer: {why}")


def _too_late() -> RemoteError:
    message = "the server did not answer in time; --timeout gives it longer"
    return RemoteError("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", message)


def _not_vexfs(status: int) -> RemoteError:
    return RemoteError("UNKNOWN", "INTERNAL", f"what answered with HTTP {status} does not speak as VexFS does; is it VexFS?")


def _encode(method: str, request: Message) -> tuple[str, str, bytes | None]:
    """Verb, address and body of a method's request, by its google.api.http annotation."""
    service, _, name = method.partition(".")
    descriptor = descriptor_pool.Default().FindMethodByName(f"vexfs.v1.{service}.{name}")
    rule = descriptor.GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    address: str = getattr(rule, verb)
    if rule.body == "*":
        return verb.upper(), address, json_format.MessageToJson(request, indent=None).encode()
    query = urlencode(_flatten("", json_format.MessageToDict(request)))
    return verb.upper(), f"{address}?{query}" if query else address, None


def _flatten(prefix: str, value: Any) -> list[tuple[str, str]]:
    """A protojson object as query parameters: `{"file": {"path": "/a"}}` is `file.path=/a`."""
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in _flatten(f"{prefix}.{key}" if prefix else key, inner)]
    if isinstance(value, list):
        return [pair for inner in value for pair in _flatten(prefix, inner)]
    return [(prefix, json.dumps(value) if isinstance(value, bool) else str(value))]


def _content_address(file: common_pb2.FileRef) -> str:
    """Where a file's raw content is: by id, or by path, whatever bytes that has."""
    query = "?follow=true" if file.follow else ""
    if file.WhichOneof("name") == "id":
        return f"/v1/files/{file.id}/content{query}"
    return "/v1/content" + quote(file.path_bytes or file.path.encode()) + query


def _from_body(status: int, body: bytes) -> RemoteError:
    try:
        error = json.loads(body)["error"]
        details = error.get("details") or []
        info: dict[str, Any] = next((detail for detail in details if "reason" in detail), {})
        return RemoteError(error["status"], info.get("reason", "INTERNAL"), error["message"], info.get("metadata"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return _not_vexfs(status)


def _tls_context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context
