"""One HTTP request on a kept connection, for the lanes that speak HTTP. Nothing is sent twice. Used by one thread at a time."""

import contextlib
import http.client
import socket
import ssl
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

from vexfs_conformance.lanes.raw import DEFAULT_TIMEOUT_S, USER_AGENT
from vexfs_conformance.outcomes import CallSpec, Endpoint, Failed

GRACE_S = 0.5
"""The server ends a call at its deadline by itself; the socket waits so much longer, to hear it say so."""


@dataclass(frozen=True)
class HttpAnswer:
    """A whole answer; the names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class HttpClient:
    """Connections to servers, one each endpoint."""

    def __init__(self) -> None:
        self._connections: dict[Endpoint, http.client.HTTPConnection] = {}

    def send(self, spec: CallSpec, verb: str, path: str, body: bytes | None, headers: dict[str, str]) -> HttpAnswer | Failed:
        """Send one request and read all of its answer; Failed if there is none."""
        endpoint = spec.endpoint
        headers = {"User-Agent": USER_AGENT, **headers}
        if endpoint.token:
            headers["Authorization"] = f"Bearer {endpoint.token}"
        cancelled = threading.Event()
        try:
            connection = self._connect(endpoint, timeout_s(spec) + GRACE_S)
            timer = _cancel_later(connection, spec.cancel_after_ms, cancelled)
            try:
                connection.request(verb, path, body, headers)
                response = connection.getresponse()
                return HttpAnswer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
            finally:
                if timer is not None:
                    timer.cancel()
        except TimeoutError as error:
            self._drop(endpoint)
            return Failed("DEADLINE_EXCEEDED", message=str(error))
        except (OSError, http.client.HTTPException, AttributeError, ValueError) as error:
            # A connection that the timer shut down fails in many ways; all of them are the cancelling.
            self._drop(endpoint)
            if cancelled.is_set():
                return Failed("CANCELLED")
            if isinstance(error, (OSError, http.client.HTTPException)):
                return Failed("UNAVAILABLE", message=f"{type(error).__name__}: {error}")
            raise

    def _connect(self, endpoint: Endpoint, timeout: float) -> http.client.HTTPConnection:
        """A connection that is open. Raises OSError when nobody listens."""
        connection = self._connections.get(endpoint)
        if connection is not None and connection.sock is not None and not _closed_by_peer(connection.sock):
            connection.sock.settimeout(timeout)
            return connection
        self._drop(endpoint)
        parts = urlsplit(endpoint.url or "http://127.0.0.1:8080")
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(parts.netloc, timeout=timeout, context=tls_context(endpoint))
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
        connection.connect()
        assert connection.sock is not None
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections[endpoint] = connection
        return connection

    def _drop(self, endpoint: Endpoint) -> None:
        connection = self._connections.pop(endpoint, None)
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Close every connection."""
        for endpoint in list(self._connections):
            self._drop(endpoint)


def timeout_s(spec: CallSpec) -> float:
    """The seconds a call may take."""
    milliseconds = spec.timeout_ms or spec.endpoint.timeout_ms
    return milliseconds / 1000 if milliseconds else DEFAULT_TIMEOUT_S


def tls_context(endpoint: Endpoint) -> ssl.SSLContext:
    """TLS as the endpoint says."""
    context = ssl.create_default_context(cafile=endpoint.tls_ca)
    if endpoint.tls_client_cert:
        context.load_cert_chain(endpoint.tls_client_cert, endpoint.tls_client_key)
    return context


def _closed_by_peer(sock: socket.socket) -> bool:
    """Whether the server has closed a kept connection; then a new one is right, and nothing was sent twice."""
    try:
        sock.settimeout(0)
        return sock.recv(1, socket.MSG_PEEK) == b""
    except (BlockingIOError, ssl.SSLWantReadError, ValueError):
        return False
    except OSError:
        return True


def _cancel_later(
    connection: http.client.HTTPConnection, milliseconds: int | None, cancelled: threading.Event
) -> threading.Timer | None:
    if milliseconds is None:
        return None

    def cancel() -> None:
        cancelled.set()
        sock = connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):  # it is closed already: the call ended at this moment
                sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(milliseconds / 1000, cancel)
    timer.daemon = True
    timer.start()
    return timer
